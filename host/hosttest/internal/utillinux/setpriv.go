package utillinux

import (
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdSetpriv runs a program as another user. Of capabilities it knows dac_read_search, with which the machine's files can be
// read in spite of their modes: here the program may read what everybody may.
func cmdSetpriv(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+", "reuid= regid= clear-groups inh-caps= ambient-caps=")
	if !ok || len(o.Args) == 0 {
		return libc.Usage(p, 127)
	}
	uid, err := strconv.Atoi(o.Get("reuid"))
	gid, err2 := strconv.Atoi(o.Get("regid"))
	if err != nil || err2 != nil || !o.Has("clear-groups") {
		p.Errorf("hosttest: only numbers, with cleared groups, are known to this machine")
		return 127
	}
	if p.UID != 0 {
		p.Errorf("setresuid failed: Operation not permitted")
		return 127
	}
	p.SetUser(uint32(uid), uint32(gid), nil)
	return libc.Execvp(p, o.Args, p.Env)
}
