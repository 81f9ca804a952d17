package sh

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

func biWait(sh *shell, args []string) int {
	if len(args) == 1 {
		for pid, c := range sh.jobs {
			if _, ok := sh.p.Wait(c); !ok {
				return sh.waitSignal()
			}
			delete(sh.jobs, pid)
			sh.sayKilled(c.Status)
		}
		return 0
	}
	code := 0
	for _, a := range args[1:] {
		n, ok := kernel.ParseUint(a)
		if !ok {
			sh.fail(2, "wait: Illegal number: %s", a)
		}
		c := sh.jobs[int(n)]
		if c == nil {
			code = 127
			continue
		}
		st, ok := sh.p.Wait(c)
		if !ok {
			return sh.waitSignal()
		}
		delete(sh.jobs, int(n))
		sh.sayKilled(st)
		code = st.ExitCode()
	}
	return code
}

// waitSignal is the status of a wait that a trap interrupted.
func (sh *shell) waitSignal() int {
	if sig := sh.p.PendingSignal(); sig != 0 {
		return 128 + sig
	}
	return 128 + kernel.SigTERM
}
