package hosttest

import (
	"slices"
	"strings"
)

// cmdSetpriv runs a program as other users and groups. What it does to capabilities is not seen here.
func cmdSetpriv(p *Process) int {
	o, ok := p.getopt("+dhV", "dump>d nnp no-new-privs ruid= euid= reuid= rgid= egid= regid= clear-groups keep-groups init-groups groups= inh-caps= ambient-caps= bounding-set= securebits= pdeathsig= reset-env")
	if !ok {
		return p.usage(1)
	}
	if o.has("d") || o.has("ruid", "euid", "rgid", "egid", "pdeathsig") {
		p.errorf("hosttest: this setpriv knows --reuid, --regid, groups and --reset-env")
		return 1
	}
	if len(o.args) == 0 {
		p.errorf("No program specified")
		return 1
	}
	env := p.Env
	gid, groups := p.gid, p.groups
	if v := o.get("regid"); o.has("regid") {
		n, ok := parseUint(v)
		if g := p.m.groupByName(v); g != nil {
			n, ok = uint64(g.gid), true
		}
		if !ok {
			p.errorf("failed to parse regid: '%s'", v)
			return 1
		}
		gid = uint32(n)
		if !o.has("keep-groups", "clear-groups", "init-groups", "groups") {
			p.errorf("--[re]gid requires --keep-groups, --clear-groups, --init-groups, or --groups")
			return 1
		}
	}
	uid := p.uid
	if v := o.get("reuid"); o.has("reuid") {
		n, ok := parseUint(v)
		if u := p.m.userByName(v); u != nil {
			n, ok = uint64(u.uid), true
		}
		if !ok {
			p.errorf("failed to parse reuid: '%s'", v)
			return 1
		}
		uid = uint32(n)
	}
	switch {
	case o.has("clear-groups"):
		groups = nil
	case o.has("init-groups"):
		groups = p.m.groupsOf(p.m.userName(uid))
	case o.has("groups"):
		groups = nil
		for v := range strings.SplitSeq(o.get("groups"), ",") {
			n, ok := parseUint(v)
			if g := p.m.groupByName(v); g != nil {
				n, ok = uint64(g.gid), true
			}
			if !ok {
				p.errorf("failed to parse supplementary group id: '%s'", v)
				return 1
			}
			groups = append(groups, uint32(n))
		}
	}
	if p.uid != 0 && (uid != p.uid || gid != p.gid || !slices.Equal(groups, p.groups)) {
		p.errorf("setresuid failed: Operation not permitted")
		return 1
	}
	if o.has("reset-env") {
		env = []string{"TERM=" + p.Getenv("TERM"), "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"}
		if u := p.m.userByID(uid); u != nil {
			env = append(env, "HOME="+u.home, "SHELL="+u.shell, "USER="+u.name, "LOGNAME="+u.name)
		}
	}
	p.uid, p.ruid, p.gid, p.groups = uid, uid, gid, groups
	return p.execvp(o.args, env)
}
