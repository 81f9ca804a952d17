package systemd

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// mask links units to /dev/null, or takes that away.
func (c *systemctl) mask(on bool, args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	root := c.linkRoot()
	changed := false
	for _, a := range args {
		n := unitNameOf(a)
		file := root + "/" + n
		st, err := p.Lstat(file)
		if on {
			if f, _, _ := s.find(n); f == "" {
				p.Warnf("Unit %s does not exist, proceeding anyway.\n", n)
			}
			if err == nil {
				if st.IsSymlink() && st.Target == "/dev/null" {
					continue
				}
				if !st.IsSymlink() {
					p.Warnf("Failed to mask unit: File %s already exists.\n", file)
					return 1
				}
				p.Unlink(file)
			}
			if err := p.Symlink("/dev/null", file); err != nil {
				p.Warnf("Failed to mask unit: %s\n", kernel.Strerror(err))
				return 1
			}
			changed = true
			if !c.o.Has("q") {
				p.Warnf("Created symlink %s %s /dev/null.\n", file, arrow(p))
			}
			continue
		}
		if err == nil && st.IsSymlink() && st.Target == "/dev/null" {
			p.Unlink(file)
			changed = true
			if !c.o.Has("q") {
				p.Warnf("Removed \"%s\".\n", file)
			}
		}
	}
	if changed {
		s.daemonReload()
		for _, a := range args {
			if u := s.units[unitNameOf(a)]; u != nil {
				s.loadUnit(u.name)
			}
		}
	}
	if on && c.o.Has("now") {
		s.mu.Unlock()
		code := c.job("stop", args)
		s.mu.Lock()
		return code
	}
	return 0
}
