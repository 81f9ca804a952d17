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

// removal is the removal of one package.
type removal struct {
	p    *kernel.Process
	s    *stanza // the package in the status file before
	name string
	pk   Package // what the archive has of it
}

// removePackage removes an installed package, and with purge its configuration too.
func removePackage(p *kernel.Process, s *stanza, purge bool) error {
	r := &removal{p: p, s: s, name: s.get("Package")}
	r.pk, _ = inArchive(p.Kernel, r.name, s.get("Version"))
	_, _, st := s.state()
	if st != "config-files" {
		if err := r.remove(); err != nil {
			return err
		}
		if s.get("Conffiles") == "" && len(r.pk.Units) == 0 {
			purge = true // nothing is left
		} else if err := setWant(p, r.name, "deinstall", "ok config-files"); err != nil {
			return err
		}
	}
	if !purge {
		return nil
	}
	if s.get("Conffiles") != "" || len(r.pk.Units) > 0 || st == "config-files" {
		p.Printf("Purging configuration files for %s (%s) ...\n", r.name, s.get("Version"))
		dpkgLog(p, "purge %s:%s %s <none>", r.name, s.get("Architecture"), s.get("Version"))
	}
	p.Flush()
	return r.purge()
}

// remove stops the package's units and removes its files, but for its configuration.
func (r *removal) remove() error {
	p, name := r.p, r.name
	if err := r.needed(); err != nil {
		return err
	}
	p.Printf("Removing %s (%s) ...\n", name, r.s.get("Version"))
	p.Flush()
	dpkgLog(p, "remove %s:%s %s <none>", name, r.s.get("Architecture"), r.s.get("Version"))
	if err := setWant(p, name, "deinstall", "ok half-configured"); err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(r.pk.Units)) {
		if quietRun(p, false, "test", "-d", "/run/systemd/system") == 0 &&
			quietRun(p, false, "systemctl", "is-active", "--quiet", n) == 0 {
			quietRun(p, false, "systemctl", "stop", n)
		}
	}
	if r.pk.Prerm != "" {
		if code := quietRun(p, true, "/var/lib/dpkg/info/"+name+".prerm", "remove"); code != 0 {
			setWant(p, name, "deinstall", "ok installed")
			return fmt.Errorf("installed %s package pre-removal script subprocess returned error exit status %d",
				name, code)
		}
	}
	if err := setWant(p, name, "deinstall", "ok half-installed"); err != nil {
		return err
	}
	if err := r.removeFiles(); err != nil {
		return err
	}
	if len(r.pk.Units) > 0 {
		quietRun(p, false, "systemctl", "--system", "daemon-reload")
	}
	p.Unlink("/var/lib/dpkg/info/" + name + ".prerm")
	return nil
}

// needed is the error when an installed package depends on this one, and no other takes its place.
func (r *removal) needed() error {
	m := r.p.Kernel
	isThis := func(x relation) bool { return x.name == r.name }
	isOther := func(x relation) bool {
		s := findPackage(m, x.name)
		return x.name != r.name && s != nil && s.installed() && x.allows(s.get("Version"))
	}
	for _, other := range packages(m) {
		if _, _, st := other.state(); st != "installed" || other.get("Package") == r.name {
			continue
		}
		for _, any := range parseRelations(other.get("Depends")) {
			if slices.ContainsFunc(any, isThis) && !slices.ContainsFunc(any, isOther) {
				r.p.Flush()
				r.p.Warnf("dpkg: dependency problems prevent removal of %s:\n %s depends on %s.\n\n",
					r.name, other.get("Package"), relationText(any))
				return errors.New("dependency problems - not removing")
			}
		}
	}
	return nil
}

// removeFiles removes the files, and the directories that are empty then. Configuration files stay.
func (r *removal) removeFiles() error {
	b, _ := r.p.ReadFile(listFile(r.p.Kernel, r.s))
	files := strings.Split(strings.TrimSpace(string(b)), "\n")
	slices.Reverse(files)
	var kept []string
	for _, f := range files {
		info, err := r.p.Lstat(f)
		if f == "" || err != nil {
			continue
		}
		holdsKept := slices.ContainsFunc(kept, func(k string) bool { return strings.HasPrefix(k, f+"/") })
		switch {
		case conffileHash(r.s, f) != "" || info.IsDir() && holdsKept:
			kept = append(kept, f)
		case info.IsDir():
			if !shared(r.p.Kernel, r.name, f) {
				r.p.Rmdir(f) // which stays when something else is in it
			}
		default:
			if err := r.p.Unlink(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// purge removes the configuration files, what the units were enabled with, and what dpkg knows of the package.
func (r *removal) purge() error {
	for line := range strings.SplitSeq(r.s.get("Conffiles"), "\n") {
		if f := strings.Fields(line); len(f) > 1 {
			for _, suffix := range []string{"", ".dpkg-dist", ".dpkg-old", ".dpkg-new", "~"} {
				err := r.p.Unlink(f[0] + suffix)
				if err != nil && err != syscall.ENOENT && err != syscall.ENOTDIR {
					return err
				}
			}
			r.p.Rmdir(path.Dir(f[0]))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(r.pk.Units)) {
		r.purgeUnit(n)
	}
	for _, suffix := range []string{".list", ".conffiles", ".postinst", ".prerm"} {
		r.p.Unlink("/var/lib/dpkg/info/" + r.name + suffix)
	}
	return note(r.p, r.name, func(*stanza) *stanza { return nil })
}

// purgeUnit removes the links that enable a unit.
func (r *removal) purgeUnit(unit string) {
	r.p.Unlink(helperState + unit + ".dsh-also")
	f := systemd.ParseUnit(r.pk.Units[unit], unit)
	for key, dir := range map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires"} {
		for _, w := range f.Words("Install." + key) {
			r.p.Unlink("/etc/systemd/system/" + w + dir + "/" + unit)
		}
	}
	for _, a := range f.Words("Install.Alias") {
		r.p.Unlink("/etc/systemd/system/" + a)
	}
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
	case "/etc", "/usr", "/usr/bin", "/usr/sbin", "/usr/share", "/lib", "/bin", "/sbin", "/var", "/var/lib",
		"/lib/systemd", "/lib/systemd/system", "/etc/apt/apt.conf.d":
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
