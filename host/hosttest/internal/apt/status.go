package apt

import (
	"fmt"
	"os"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// note is editPackage as a step of a run of dpkg.
func note(p *kernel.Process, name string, change func(*stanza) *stanza) error {
	if err := editPackage(p, name, change); err != nil {
		return err
	}
	if _, err := p.Lstat(journalFile); err == nil {
		return nil
	}
	return p.WriteFile(journalFile, nil, 0o644)
}

// editPackage changes one package of the status file. change gets nil when there is none, and gives nil to drop it.
func editPackage(p *kernel.Process, name string, change func(*stanza) *stanza) error {
	list := slices.Clone(packages(p.Kernel))
	at := slices.IndexFunc(list, func(s *stanza) bool { return s.get("Package") == name })
	var s *stanza
	if at >= 0 {
		s = list[at].clone()
	}
	s = change(s)
	switch {
	case s == nil && at < 0:
		return nil
	case s == nil:
		list = slices.Delete(list, at, at+1)
	case at < 0:
		list = append(list, s)
	default:
		list[at] = s
	}
	return savePackages(p, list)
}

// setStatus sets the last two words of Status, and keeps whether the package is held.
func setStatus(p *kernel.Process, name, flagAndStatus string) error {
	return note(p, name, func(s *stanza) *stanza {
		if s == nil {
			return nil
		}
		want, _, _ := s.state()
		s.set("Status", want+" "+flagAndStatus)
		return s
	})
}

func dpkgLog(p *kernel.Process, format string, a ...any) {
	d, err := p.Open("/var/log/dpkg.log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return
	}
	defer d.Release()
	now := p.Kernel.Now().In(libc.Location(p.Kernel)).Format("2006-01-02 15:04:05 ")
	d.Write(p, fmt.Appendf(nil, now+format+"\n", a...))
}
