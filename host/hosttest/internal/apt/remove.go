package apt

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

// removePackage removes an installed package, and with purge its configuration too.
func removePackage(p *kernel.Process, s *stanza, purge bool) error {
	name, m := s.get("Package"), p.Kernel
	_, _, st := s.state()
	pk, _ := inArchive(m, name, s.get("Version"))
	if st != "config-files" {
		for _, other := range packages(m) {
			if _, _, ost := other.state(); ost != "installed" || other.get("Package") == name {
				continue
			}
			for _, any := range parseRelations(other.get("Depends")) {
				if slices.ContainsFunc(any, func(r relation) bool { return r.name == name }) &&
					!slices.ContainsFunc(any, func(r relation) bool {
						x := findPackage(m, r.name)
						return r.name != name && x != nil && x.installed() && r.allows(x.get("Version"))
					}) {
					p.Flush()
					p.Warnf("dpkg: dependency problems prevent removal of %s:\n %s depends on %s.\n\n", name, other.get("Package"), relationText(any))
					return errors.New("dependency problems - not removing")
				}
			}
		}
		p.Printf("Removing %s (%s) ...\n", name, s.get("Version"))
		p.Flush()
		dpkgLog(p, "remove %s:%s %s <none>", name, s.get("Architecture"), s.get("Version"))
		if err := setWant(p, name, "deinstall", "ok half-configured"); err != nil {
			return err
		}
		for _, n := range slices.Sorted(maps.Keys(pk.Units)) {
			if quietRun(p, false, "test", "-d", "/run/systemd/system") == 0 && quietRun(p, false, "systemctl", "is-active", "--quiet", n) == 0 {
				quietRun(p, false, "systemctl", "stop", n)
			}
		}
		if pk.Prerm != "" {
			if code := quietRun(p, true, "/var/lib/dpkg/info/"+name+".prerm", "remove"); code != 0 {
				setWant(p, name, "deinstall", "ok installed")
				return fmt.Errorf("installed %s package pre-removal script subprocess returned error exit status %d", name, code)
			}
		}
		if err := setWant(p, name, "deinstall", "ok half-installed"); err != nil {
			return err
		}
		b, _ := p.ReadFile(listFile(m, s))
		files := strings.Split(strings.TrimSpace(string(b)), "\n")
		slices.Reverse(files)
		var kept []string
		for _, f := range files {
			info, err := p.Lstat(f)
			switch {
			case f == "" || err != nil:
			case conffileHash(s, f) != "" || info.IsDir() && slices.ContainsFunc(kept, func(k string) bool { return strings.HasPrefix(k, f+"/") }):
				kept = append(kept, f)
			case info.IsDir():
				if !shared(m, name, f) {
					p.Rmdir(f) // which stays when something else is in it
				}
			default:
				if err := p.Unlink(f); err != nil {
					return err
				}
			}
		}
		if len(pk.Units) > 0 {
			quietRun(p, false, "systemctl", "--system", "daemon-reload")
		}
		p.Unlink("/var/lib/dpkg/info/" + name + ".prerm")
		if conf := s.get("Conffiles"); conf == "" && len(pk.Units) == 0 {
			purge = true // nothing is left
		} else if err := setWant(p, name, "deinstall", "ok config-files"); err != nil {
			return err
		}
	}
	if !purge {
		return nil
	}
	if s.get("Conffiles") != "" || len(pk.Units) > 0 || st == "config-files" {
		p.Printf("Purging configuration files for %s (%s) ...\n", name, s.get("Version"))
		dpkgLog(p, "purge %s:%s %s <none>", name, s.get("Architecture"), s.get("Version"))
	}
	p.Flush()
	for line := range strings.SplitSeq(s.get("Conffiles"), "\n") {
		if f := strings.Fields(line); len(f) > 1 {
			for _, suffix := range []string{"", ".dpkg-dist", ".dpkg-old", ".dpkg-new", "~"} {
				if err := p.Unlink(f[0] + suffix); err != nil && err != syscall.ENOENT && err != syscall.ENOTDIR {
					return err
				}
			}
			p.Rmdir(path.Dir(f[0]))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(pk.Units)) {
		p.Unlink(helperState + n + ".dsh-also")
		f := systemd.ParseUnit(pk.Units[n], n)
		for key, dir := range map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires"} {
			for _, w := range f.Words("Install." + key) {
				p.Unlink("/etc/systemd/system/" + w + dir + "/" + n)
			}
		}
		for _, a := range f.Words("Install.Alias") {
			p.Unlink("/etc/systemd/system/" + a)
		}
	}
	for _, suffix := range []string{".list", ".conffiles", ".postinst", ".prerm"} {
		p.Unlink("/var/lib/dpkg/info/" + name + suffix)
	}
	return note(p, name, func(*stanza) *stanza { return nil })
}

func setWant(p *kernel.Process, name, want, flagAndStatus string) error {
	return note(p, name, func(s *stanza) *stanza {
		s.set("Status", want+" "+flagAndStatus)
		return s
	})
}

// shared tells whether a directory belongs to the system, or to another package too.
func shared(k *kernel.Kernel, name, dir string) bool {
	switch dir {
	case "/etc", "/usr", "/usr/bin", "/usr/sbin", "/usr/share", "/lib", "/bin", "/sbin", "/var", "/var/lib", "/lib/systemd", "/lib/systemd/system", "/etc/apt/apt.conf.d":
		return true
	}
	for _, s := range packages(k) {
		if s.get("Package") == name {
			continue
		}
		b, err := k.FS().ReadFile(listFile(k, s))
		if err == nil && strings.Contains(string(b), "\n"+dir+"\n") {
			return true
		}
	}
	return false
}
