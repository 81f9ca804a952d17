package apt

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// pendingPackages are those that were unpacked and not configured.
func pendingPackages(p *kernel.Process) []string {
	var out []string
	for _, s := range packages(p.Kernel) {
		if _, _, st := s.state(); st == "unpacked" || st == "half-configured" {
			out = append(out, s.get("Package"))
		}
	}
	return out
}

// configureAll configures packages in the order of their dependencies, and says what dpkg says of those that cannot be.
func configureAll(p *kernel.Process, names []string) int {
	var failed []string
	unconfigured := func(n string) []string {
		depends := findPackage(p.Kernel, n).get("Depends")
		return unmetField(p.Kernel, depends, func(st string) bool { return st == "installed" })
	}
	for progress := true; progress && len(names) > 0; {
		progress = false
		var rest []string
		for _, n := range names {
			s := findPackage(p.Kernel, n)
			if s == nil {
				p.Flush()
				p.Warnf("dpkg: error processing package %[1]s (--configure):\n"+
					" no package named '%[1]s' is installed, cannot configure\n", n)
				failed = append(failed, n)
				continue
			}
			if s.installed() {
				continue
			}
			if len(unconfigured(n)) > 0 {
				rest = append(rest, n)
				continue
			}
			progress = true
			if err := configure(p, n); err != nil {
				p.Flush()
				p.Warnf("dpkg: error processing package %s (--configure):\n %s\n", n, kernel.Strerror(err))
				failed = append(failed, n)
			}
		}
		names = rest
	}
	for _, n := range names {
		p.Flush()
		p.Warnf("dpkg: dependency problems prevent configuration of %s:\n", n)
		for _, d := range unconfigured(n) {
			name, _, _ := strings.Cut(d, " ")
			why := "is not installed"
			if s := findPackage(p.Kernel, name); s != nil {
				why = "is not configured yet"
			}
			p.Warnf(" %s depends on %s; however:\n  Package %s %s.\n", n, d, name, why)
		}
		p.Warnf("\ndpkg: error processing package %s (--configure):\n"+
			" dependency problems - leaving unconfigured\n", n)
		failed = append(failed, n)
	}
	if len(failed) > 0 {
		p.Warnf("Errors were encountered while processing:\n")
		for _, n := range failed {
			p.Warnf(" %s\n", n)
		}
		return 1
	}
	return 0
}

// configure sets an unpacked package up.
func configure(p *kernel.Process, name string) error {
	m := p.Kernel
	s := findPackage(m, name)
	p.Printf("Setting up %s (%s) ...\n", name, s.get("Version"))
	p.Flush()
	dpkgLog(p, "configure %s:%s %s <none>", name, s.get("Architecture"), s.get("Version"))
	pk, _ := inArchive(m, name, s.get("Version"))
	fresh := s.get("Config-Version") == ""
	if _, _, st := s.state(); st == "unpacked" {
		hashes := ""
		for _, f := range slices.Sorted(maps.Keys(pk.Conffiles)) {
			if err := conffile(p, s, f, pk.Conffiles[f]); err != nil {
				setStatus(p, name, "ok half-configured")
				return err
			}
			hashes += "\n " + f + " " + md5Hex(pk.Conffiles[f])
		}
		if err := note(p, name, func(s *stanza) *stanza {
			want, _, _ := s.state()
			s.set("Status", want+" ok half-configured")
			if hashes != "" {
				s.set("Conffiles", hashes)
			}
			return s
		}); err != nil {
			return err
		}
	}
	if err := addSystemAccounts(p, pk); err != nil {
		return err
	}
	if pk.Postinst != "" {
		script := "/var/lib/dpkg/info/" + name + ".postinst"
		if code := quietRun(p, true, script, "configure", s.get("Config-Version")); code != 0 {
			return fmt.Errorf("installed %s package post-installation script subprocess returned error exit status %d",
				name, code)
		}
	}
	setUpUnits(p, pk, fresh)
	return note(p, name, func(s *stanza) *stanza {
		want, _, _ := s.state()
		s.set("Status", want+" ok installed")
		s.keys = slices.DeleteFunc(s.keys, func(k string) bool { return k == "Config-Version" })
		delete(s.fields, "config-version")
		return s
	})
}

// conffile decides between a configuration file and its new version as dpkg does (deb-conffiles(5), and --force-conf*
// of dpkg(1)).
func conffile(p *kernel.Process, s *stanza, file, content string) error {
	tmp := file + ".dpkg-new"
	if _, err := p.Lstat(tmp); err == syscall.ENOENT {
		return nil // it was decided before dpkg was interrupted
	}
	have, err := p.ReadFile(file)
	there := err == nil
	last, dist := conffileHash(s, file), md5Hex(content)
	if last == "newconffile" {
		last = ""
	}
	edited := there && md5Hex(string(have)) != last || !there && last != ""
	take := func() error {
		if st, err := p.Stat(file); err == nil {
			if err := p.Chown(tmp, int64(st.UID), int64(st.GID), true); err != nil {
				return err
			}
			if err := p.Chmod(tmp, st.Perm()); err != nil {
				return err
			}
		}
		return p.Rename(tmp, file)
	}
	switch {
	case there && md5Hex(string(have)) == dist, dist == last:
		return p.Unlink(tmp)
	case !edited:
		return take()
	}
	p.Printf("\nConfiguration file '%s'\n", file)
	switch {
	case last == "":
		p.Print(" ==> File on system created by you or by a script.\n" +
			" ==> File also in package provided by package maintainer.\n")
	case !there:
		p.Print(" ==> Deleted (by you or by a script) since installation.\n" +
			" ==> Package distributor has shipped an updated version.\n")
	default:
		p.Print(" ==> Modified (by you or by a script) since installation.\n" +
			" ==> Package distributor has shipped an updated version.\n")
	}
	switch {
	case slices.Contains(p.Args, "--force-confold"):
		p.Print(" ==> Keeping old config file as default.\n")
		return p.Rename(tmp, file+".dpkg-dist")
	case slices.Contains(p.Args, "--force-confnew"):
		p.Print(" ==> Using new file as you requested.\n")
		if there {
			if err := placeAs(p, file+".dpkg-tmp", file+".dpkg-old", string(have), 0o644); err != nil {
				return err
			}
		}
		return take()
	}
	p.Print("   What would you like to do about it ?  Your options are:\n" +
		"    Y or I  : install the package maintainer's version\n" +
		"    N or O  : keep your currently-installed version\n" +
		"      D     : show the differences between the versions\n" +
		"      Z     : start a shell to examine the situation\n" +
		" The default action is to keep your current version.\n")
	for {
		p.Printf("*** %s (Y/I/N/O/D/Z) [default=N] ? ", path.Base(file))
		p.Flush()
		line, err := libc.ReadLine(p)
		if err != nil {
			p.Print("\n")
			p.Flush()
			return errors.New("end of file on stdin at conffile prompt")
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "i":
			return take()
		case "n", "o", "":
			return p.Rename(tmp, file+".dpkg-dist")
		}
	}
}

// quietRun runs a program of a maintainer script. Its standard output is shown only when loud.
func quietRun(p *kernel.Process, loud bool, args ...string) int {
	p.Flush()
	env := p.Env
	if p.Getenv("PATH") == "" {
		env = libc.Setenv(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	c := libc.Spawn(p, args, env, func(c *kernel.Process) {
		c.Env = env
		if !loud {
			c.SetFD(1, kernel.NewStream(kernel.Device("null"), os.O_WRONLY))
			c.SetFD(2, kernel.NewStream(kernel.Device("null"), os.O_WRONLY))
		}
	})
	return p.WaitFor(c).ExitCode()
}
