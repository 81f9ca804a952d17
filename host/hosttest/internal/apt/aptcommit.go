package apt

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const debDir = "/var/cache/apt/archives/"

func (pk Package) debFile(arch string) string {
	return pk.Name + "_" + strings.ReplaceAll(pk.Version, ":", "%3a") + "_" + pk.arch(arch) + ".deb"
}

// release names where a version comes from, as in the messages of apt-get.
func (c candidate) release() string {
	if len(c.places) == 0 {
		return "now"
	}
	i := c.places[0]
	if i.source.isDebian() {
		return "Debian:12.11/stable"
	}
	host := i.source.uri
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	host, _, _ = strings.Cut(host, "/")
	return host + "/" + i.source.suite
}

// commit shows the plan and does it.
func (a *apt) commit() int {
	p, k := a.p, a.p.Kernel
	var fresh, extra, up, down, again, held, essential []string
	for _, pk := range a.install {
		s, st := a.state(pk.Name)
		if !a.named[pk.Name] {
			extra = append(extra, pk.Name)
		}
		if st == "" {
			fresh = append(fresh, pk.Name)
			continue
		}
		if want, _, _ := s.state(); want == "hold" {
			held = append(held, pk.Name)
		}
		switch c := compareVersions(pk.Version, s.get("Version")); {
		case c > 0:
			up = append(up, pk.Name)
		case c < 0:
			down = append(down, pk.Name)
		default:
			again = append(again, pk.Name)
		}
	}
	for _, n := range a.remove {
		s := findPackage(k, n)
		if want, _, _ := s.state(); want == "hold" {
			held = append(held, n)
		}
		if s.get("Essential") == "yes" {
			essential = append(essential, n)
		}
	}
	notUp := 0
	for _, s := range packages(k) {
		n := s.get("Package")
		if c, ok := a.candidate(n); ok && s.installed() && compareVersions(c.version, s.get("Version")) > 0 && !slices.Contains(up, n) && !slices.Contains(down, n) && !slices.Contains(a.remove, n) {
			notUp++
		}
	}
	pending := pendingPackages(p)
	pending = slices.DeleteFunc(pending, func(n string) bool {
		return slices.Contains(a.remove, n) || slices.ContainsFunc(a.install, func(pk Package) bool { return pk.Name == n })
	})
	if a.verb != "autoremove" && a.verb != "autopurge" {
		auto := slices.DeleteFunc(autoremovable(p, a.remove), func(n string) bool { return slices.Contains(a.remove, n) })
		wrapList(p, "The following packages were automatically installed and are no longer required:", auto)
		if len(auto) > 0 {
			p.Print("Use 'apt autoremove' to remove them.\n")
		}
	}
	wrapList(p, "The following additional packages will be installed:", extra)
	removeTitle := a.remove
	if a.purging() {
		removeTitle = nil
		for _, n := range a.remove {
			removeTitle = append(removeTitle, n+"*")
		}
	}
	wrapList(p, "The following packages will be REMOVED:", slices.Sorted(slices.Values(removeTitle)))
	wrapList(p, "The following NEW packages will be installed:", slices.Sorted(slices.Values(fresh)))
	wrapList(p, "The following held packages will be changed:", held)
	wrapList(p, "The following packages will be upgraded:", slices.Sorted(slices.Values(up)))
	wrapList(p, "The following packages will be DOWNGRADED:", slices.Sorted(slices.Values(down)))
	if len(essential) > 0 {
		wrapList(p, "WARNING: The following essential packages will be removed.\nThis should NOT be done unless you know exactly what you are doing!", essential)
	}
	p.Printf("%d upgraded, %d newly installed, ", len(up), len(fresh))
	if len(again) > 0 {
		p.Printf("%d reinstalled, ", len(again))
	}
	if len(down) > 0 {
		p.Printf("%d downgraded, ", len(down))
	}
	p.Printf("%d to remove and %d not upgraded.\n", len(a.remove), notUp)
	if len(pending) > 0 {
		p.Printf("%d not fully installed or removed.\n", len(pending))
	}
	if len(a.install)+len(a.remove)+len(pending) == 0 {
		return 0
	}
	if len(a.remove) > 0 && a.flags["no-remove"] {
		return aptFail(p, "Packages need to be removed but remove is disabled.")
	}
	if a.flags["simulate"] {
		a.simulate(pending)
		return 0
	}
	force := a.flags["force-yes"]
	if a.flags["yes"] {
		switch {
		case len(down) > 0 && !a.flags["allow-downgrades"] && !force:
			return aptFail(p, "Packages were downgraded and -y was used without --allow-downgrades.")
		case len(held) > 0 && !a.flags["allow-change-held-packages"] && !force:
			return aptFail(p, "Held packages were changed and -y was used without --allow-change-held-packages.")
		case len(essential) > 0 && !a.flags["allow-remove-essential"] && !force:
			return aptFail(p, "Essential packages were removed and -y was used without --allow-remove-essential.")
		}
	}
	size := 0
	for _, pk := range a.install {
		size += pk.kilobytes()
	}
	p.Printf("Need to get %d kB of archives.\nAfter this operation, %d kB of additional disk space will be used.\n", size, 3*size)
	if (len(extra) > 0 || len(a.remove) > 0 || a.verb == "upgrade" || a.verb == "dist-upgrade") && !a.flags["yes"] {
		p.Print("Do you want to continue? [Y/n] ")
		p.Flush()
		line, err := libc.ReadLine(p)
		if err != nil || !slices.Contains([]string{"", "y", "yes"}, strings.ToLower(strings.TrimSpace(line))) {
			p.Print("Abort.\n")
			return 1
		}
	}
	if code := a.fetch(size); code != 0 || a.flags["download-only"] {
		if code == 0 {
			p.Print("Download complete and in download only mode\n")
		}
		return code
	}
	if code := a.announce(pending); code != 0 {
		return code
	}
	code := a.run()
	// What was installed for another's sake is remembered, also when something failed.
	for _, pk := range a.install {
		if slices.Contains(fresh, pk.Name) && slices.Contains(extra, pk.Name) {
			markAuto(p, pk.Name, true)
		} else if a.named[pk.Name] {
			markAuto(p, pk.Name, false)
		}
	}
	for _, n := range a.remove {
		markAuto(p, n, false)
	}
	return code
}

// fetch puts the .deb files where dpkg finds them.
func (a *apt) fetch(size int) int {
	p, k := a.p, a.p.Kernel
	if len(a.install) == 0 {
		return 0
	}
	retries, _ := strconv.Atoi(a.conf.get("Acquire::Retries"))
	var bad []string
	got := 0
	for n, pk := range a.install {
		file := debDir + pk.debFile(k.Config.Arch)
		if old, err := p.ReadFile(file); err == nil && string(old) == string(Deb(pk.Name, pk.Version)) {
			continue
		}
		where, label := "", "local file"
		if c := a.from[pk.Name]; len(c.places) > 0 {
			i := c.places[0]
			where, label = strings.TrimSuffix(i.source.uri, "/")+"/pool/main/"+pk.Name[:1]+"/"+pk.Name+"/"+pk.debFile(k.Config.Arch), i.place(k.Config.Arch)
		}
		_, there := inArchive(k, pk.Name, pk.Version)
		problem := ""
		for try := 0; try <= retries; try++ {
			problem = ""
			switch {
			case !there:
				problem, try = "404  Not Found", retries
			case where != "" && FaultsOf(k).failsFetch():
				problem = "Connection timed out"
			}
			if problem == "" {
				break
			}
			word := "Ign"
			if try == retries {
				word = "Err"
			}
			p.Printf("%s:%d %s %s %s %s\n  %s\n", word, n+1, label, pk.Name, pk.arch(k.Config.Arch), pk.Version, problem)
		}
		if problem != "" {
			bad = append(bad, "Failed to fetch "+where+"  "+problem)
			continue
		}
		p.Printf("Get:%d %s %s %s %s [%d kB]\n", n+1, label, pk.Name, pk.arch(k.Config.Arch), pk.Version, pk.kilobytes())
		p.Flush()
		if err := libc.ReplaceFile(p, file, Deb(pk.Name, pk.Version), 0o644); err != nil {
			return aptFail(p, "Failed to fetch %s  Error writing to file - write (%s)", where, errnoText(err))
		}
		got++
	}
	if len(bad) > 0 {
		p.Flush()
		for _, b := range bad {
			p.Warnf("E: %s\n", b)
		}
		p.Warnf("E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n")
		return 100
	}
	if got > 0 {
		p.Printf("Fetched %d kB in 0s (%d kB/s)\n", size, size)
	}
	return 0
}

// run calls dpkg as apt-get does: once for what goes, once to unpack, once to configure.
func (a *apt) run() int {
	p, k := a.p, a.p.Kernel
	options := a.conf["dpkg::options"]
	if len(a.remove) > 0 {
		verb := "--remove"
		if a.purging() {
			verb = "--purge"
		}
		if code := a.dpkg(append(append([]string{"--force-depends"}, options...), append([]string{verb}, a.remove...)...), func(c *kernel.Process) int {
			var failed []string
			for _, n := range a.remove {
				if err := removePackage(c, findPackage(k, n), a.purging()); err != nil {
					c.Flush()
					c.Warnf("dpkg: error processing package %s (--remove):\n %s\n", n, kernel.Strerror(err))
					failed = append(failed, n)
				}
			}
			return dpkgErrors(c, failed)
		}); code != 0 {
			return code
		}
	}
	if len(a.install) > 0 {
		args := append(append([]string{}, options...), "--unpack", "--auto-deconfigure")
		for _, pk := range a.install {
			args = append(args, debDir+pk.debFile(k.Config.Arch))
		}
		unpacked := 0
		code := a.dpkg(args, func(c *kernel.Process) int {
			var failed []string
			for _, pk := range a.install {
				if _, st := a.state(pk.Name); st == "" {
					c.Printf("Selecting previously unselected package %s.\n", pk.Name)
				}
				if unpacked == 0 {
					c.Print("(Reading database ... 28947 files and directories currently installed.)\n")
				}
				if err := unpack(c, pk, true); err != nil {
					c.Flush()
					c.Warnf("dpkg: error processing archive %s (--unpack):\n %s\n", debDir+pk.debFile(k.Config.Arch), kernel.Strerror(err))
					failed = append(failed, debDir+pk.debFile(k.Config.Arch))
					continue
				}
				unpacked++
			}
			return dpkgErrors(c, failed)
		})
		if code != 0 {
			return code
		}
	}
	pending := pendingPackages(p)
	if len(pending) == 0 {
		return 0
	}
	return a.dpkg(append(append(append([]string{}, options...), "--configure"), pending...), func(c *kernel.Process) int { return configureAll(c, pending) })
}

// dpkgErrors says what failed, and gives dpkg's exit code.
func dpkgErrors(p *kernel.Process, failed []string) int {
	if len(failed) == 0 {
		return 0
	}
	p.Flush()
	p.Warnf("Errors were encountered while processing:\n")
	for _, f := range failed {
		p.Warnf(" %s\n", f)
	}
	return 1
}

// dpkg runs a child that stands for dpkg.
func (a *apt) dpkg(args []string, f func(c *kernel.Process) int) int {
	p := a.p
	p.Flush()
	c := p.Fork(func(c *kernel.Process) int {
		c.SetProgram(append([]string{"dpkg"}, args...), "/usr/bin/dpkg")
		c.Env = libc.Setenv(libc.Setenv(c.Env, "DPKG_FRONTEND_LOCKED", "true"), "DEBIAN_FRONTEND", cmp.Or(c.Getenv("DEBIAN_FRONTEND"), "noninteractive"))
		c.Umask = 0o022
		if c.Kernel.Config.Exec("dpkg") {
			c.Die(kernel.SigKILL)
			c.Check()
		}
		release, busy := lockDpkg(c)
		if busy != "" {
			c.Errorf("error: %s", busy)
			return 2
		}
		defer release()
		return journaled(c, func() int { return f(c) })
	})
	switch st := p.WaitFor(c); {
	case st.Signal != 0:
		return aptFail(p, "Sub-process /usr/bin/dpkg received signal %d.", st.Signal)
	case st.Code != 0:
		return aptFail(p, "Sub-process /usr/bin/dpkg returned an error code (%d)", st.Code)
	}
	return 0
}
