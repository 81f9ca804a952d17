package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdSetpriv becomes another user by its number, with that user's groups, and runs a program.
func cmdSetpriv(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+h", "reuid= regid= init-groups clear-groups help>h")
	if !ok {
		return libc.Usage(p, 1)
	}
	uid, okUID := kernel.ParseUint(o.Get("reuid"))
	gid, okGID := kernel.ParseUint(o.Get("regid"))
	if !okUID || !okGID || !o.Has("init-groups") || len(o.Args) == 0 {
		p.Errorf("hosttest: setpriv takes --reuid, --regid, --init-groups and a program")
		return 1
	}
	u := libc.UserByID(p.Kernel, uint32(uid))
	if u == nil {
		p.Errorf("uid %d not found, --init-groups requires an user that can be found on the system", uid)
		return 1
	}
	if p.UID != 0 {
		p.Errorf("setresuid failed: Operation not permitted")
		return 127
	}
	groups := libc.GroupsOf(p.Kernel, u.Name)
	p.SetUser(u.UID, uint32(gid), groups)
	return p.WaitFor(libc.Spawn(p, o.Args, p.Env, nil)).ExitCode()
}
