package libc

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Walk visits a path and, with -R, all below it.
func Walk(p *kernel.Process, name string, deep bool, f func(string, kernel.Stat) error) {
	st, err := p.Lstat(name)
	if err != nil {
		f(name, kernel.Stat{Path: ""})
		return
	}
	if f(name, st) != nil && !st.IsDir() {
		return
	}
	if deep && st.IsDir() {
		names, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("cannot read directory %s: %s", Quote(name), kernel.Strerror(err))
			return
		}
		for _, n := range names {
			Walk(p, JoinPath(name, n), true, f)
		}
	}
}
