package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdSetpriv becomes another user by its number, with that user's groups or none, and runs a program. Of
// capabilities it knows dac_read_search, with which the machine's files can be read in spite of their
// modes: here the program may read what everybody may.
func cmdSetpriv(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+h", "reuid= regid= init-groups clear-groups inh-caps= ambient-caps= help>h")
	if !ok {
		return libc.Usage(p, 1)
	}
	uid, okUID := kernel.ParseUint(o.Get("reuid"))
	gid, okGID := kernel.ParseUint(o.Get("regid"))
	if !okUID || !okGID || o.Has("init-groups") == o.Has("clear-groups") || len(o.Args) == 0 {
		p.Errorf("hosttest: setpriv takes --reuid, --regid, --init-groups or --clear-groups, and a program")
		return 1
	}
	var groups []uint32
	if o.Has("init-groups") {
		u := libc.UserByID(p.Kernel, uint32(uid))
		if u == nil {
			p.Errorf("uid %d not found, --init-groups requires an user that can be found on the system", uid)
			return 1
		}
		groups = libc.GroupsOf(p.Kernel, u.Name)
	}
	if p.UID != 0 {
		p.Errorf("setresuid failed: Operation not permitted")
		return 127
	}
	p.SetUser(uint32(uid), uint32(gid), groups)
	return libc.Execvp(p, o.Args, p.Env)
}
