package hosttest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

const debDir = "/var/cache/apt/archives/"

func (pk archived) debFile(arch string) string {
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
	p, m := a.p, a.p.k
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
		s := m.findPackage(n)
		if want, _, _ := s.state(); want == "hold" {
			held = append(held, n)
		}
		if s.get("Essential") == "yes" {
			essential = append(essential, n)
		}
	}
	notUp := 0
	for _, s := range m.packages() {
		n := s.get("Package")
		if c, ok := a.candidate(n); ok && s.installed() && compareVersions(c.version, s.get("Version")) > 0 && !slices.Contains(up, n) && !slices.Contains(down, n) && !slices.Contains(a.remove, n) {
			notUp++
		}
	}
	pending := p.pendingPackages()
	pending = slices.DeleteFunc(pending, func(n string) bool {
		return slices.Contains(a.remove, n) || slices.ContainsFunc(a.install, func(pk archived) bool { return pk.Name == n })
	})
	if a.verb != "autoremove" && a.verb != "autopurge" {
		auto := slices.DeleteFunc(p.autoremovable(a.remove), func(n string) bool { return slices.Contains(a.remove, n) })
		p.wrapList("The following packages were automatically installed and are no longer required:", auto)
		if len(auto) > 0 {
			p.print("Use 'apt autoremove' to remove them.\n")
		}
	}
	p.wrapList("The following additional packages will be installed:", extra)
	removeTitle := a.remove
	if a.purging() {
		removeTitle = nil
		for _, n := range a.remove {
			removeTitle = append(removeTitle, n+"*")
		}
	}
	p.wrapList("The following packages will be REMOVED:", slices.Sorted(slices.Values(removeTitle)))
	p.wrapList("The following NEW packages will be installed:", slices.Sorted(slices.Values(fresh)))
	p.wrapList("The following held packages will be changed:", held)
	p.wrapList("The following packages will be upgraded:", slices.Sorted(slices.Values(up)))
	p.wrapList("The following packages will be DOWNGRADED:", slices.Sorted(slices.Values(down)))
	if len(essential) > 0 {
		p.wrapList("WARNING: The following essential packages will be removed.\nThis should NOT be done unless you know exactly what you are doing!", essential)
	}
	p.printf("%d upgraded, %d newly installed, ", len(up), len(fresh))
	if len(again) > 0 {
		p.printf("%d reinstalled, ", len(again))
	}
	if len(down) > 0 {
		p.printf("%d downgraded, ", len(down))
	}
	p.printf("%d to remove and %d not upgraded.\n", len(a.remove), notUp)
	if len(pending) > 0 {
		p.printf("%d not fully installed or removed.\n", len(pending))
	}
	if len(a.install)+len(a.remove)+len(pending) == 0 {
		return 0
	}
	if a.flags["simulate"] {
		for _, n := range a.remove {
			p.printf("Remv %s [%s]\n", n, m.findPackage(n).get("Version"))
		}
		for _, verb := range []string{"Inst", "Conf"} {
			for _, pk := range a.install {
				p.printf("%s %s (%s %s [%s])\n", verb, pk.Name, pk.Version, a.from[pk.Name].release(), pk.arch(m.cfg.Arch))
			}
		}
		return 0
	}
	force := a.flags["force-yes"]
	if a.flags["yes"] {
		switch {
		case len(down) > 0 && !a.flags["allow-downgrades"] && !force:
			return p.aptFail("Packages were downgraded and -y was used without --allow-downgrades.")
		case len(held) > 0 && !a.flags["allow-change-held-packages"] && !force:
			return p.aptFail("Held packages were changed and -y was used without --allow-change-held-packages.")
		case len(essential) > 0 && !a.flags["allow-remove-essential"] && !force:
			return p.aptFail("Essential packages were removed and -y was used without --allow-remove-essential.")
		}
	}
	if len(a.remove) > 0 && a.flags["no-remove"] {
		return p.aptFail("Packages need to be removed but remove is disabled.")
	}
	size := 0
	for _, pk := range a.install {
		size += pk.kilobytes()
	}
	p.printf("Need to get %d kB of archives.\nAfter this operation, %d kB of additional disk space will be used.\n", size, 3*size)
	if (len(extra) > 0 || len(a.remove) > 0 || a.verb == "upgrade" || a.verb == "dist-upgrade") && !a.flags["yes"] {
		p.print("Do you want to continue? [Y/n] ")
		p.flush()
		line, err := p.readLine()
		if err != nil || !slices.Contains([]string{"", "y", "yes"}, strings.ToLower(strings.TrimSpace(line))) {
			p.print("Abort.\n")
			return 1
		}
	}
	if code := a.fetch(size); code != 0 || a.flags["download-only"] {
		if code == 0 {
			p.print("Download complete and in download only mode\n")
		}
		return code
	}
	code := a.run()
	// What was installed for another's sake is remembered, also when something failed.
	for _, pk := range a.install {
		if slices.Contains(fresh, pk.Name) && slices.Contains(extra, pk.Name) {
			p.markAuto(pk.Name, true)
		} else if a.named[pk.Name] {
			p.markAuto(pk.Name, false)
		}
	}
	for _, n := range a.remove {
		p.markAuto(n, false)
	}
	return code
}

// fetch puts the .deb files where dpkg finds them.
func (a *apt) fetch(size int) int {
	p, m := a.p, a.p.k
	if len(a.install) == 0 {
		return 0
	}
	retries, _ := strconv.Atoi(a.conf.get("Acquire::Retries"))
	var bad []string
	got := 0
	for n, pk := range a.install {
		file := debDir + pk.debFile(m.cfg.Arch)
		if old, err := p.readFile(file); err == nil && string(old) == string(debFile(pk.Name, pk.Version)) {
			continue
		}
		where, label := "", "local file"
		if c := a.from[pk.Name]; len(c.places) > 0 {
			i := c.places[0]
			where, label = strings.TrimSuffix(i.source.uri, "/")+"/pool/main/"+pk.Name[:1]+"/"+pk.Name+"/"+pk.debFile(m.cfg.Arch), i.place(m.cfg.Arch)
		}
		_, there := m.inArchive(pk.Name, pk.Version)
		problem := ""
		for try := 0; try <= retries; try++ {
			problem = ""
			switch {
			case !there:
				problem, try = "404  Not Found", retries
			case where != "" && aptFaultsOf(m).failsFetch():
				problem = "Connection timed out"
			}
			if problem == "" {
				break
			}
			word := "Ign"
			if try == retries {
				word = "Err"
			}
			p.printf("%s:%d %s %s %s %s\n  %s\n", word, n+1, label, pk.Name, pk.arch(m.cfg.Arch), pk.Version, problem)
		}
		if problem != "" {
			bad = append(bad, "Failed to fetch "+where+"  "+problem)
			continue
		}
		p.printf("Get:%d %s %s %s %s [%d kB]\n", n+1, label, pk.Name, pk.arch(m.cfg.Arch), pk.Version, pk.kilobytes())
		p.flush()
		if err := p.replaceFile(file, debFile(pk.Name, pk.Version), 0o644); err != nil {
			return p.aptFail("Failed to fetch %s  Error writing to file - write (%s)", where, errnoText(err))
		}
		got++
	}
	if len(bad) > 0 {
		p.flush()
		for _, b := range bad {
			p.warn("E: %s\n", b)
		}
		p.warn("E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n")
		return 100
	}
	if got > 0 {
		p.printf("Fetched %d kB in 0s (%d kB/s)\n", size, size)
	}
	return 0
}

// run calls dpkg as apt-get does: once for what goes, once to unpack, once to configure.
func (a *apt) run() int {
	p, m := a.p, a.p.k
	options := a.conf["dpkg::options"]
	if len(a.remove) > 0 {
		verb := "--remove"
		if a.purging() {
			verb = "--purge"
		}
		if code := a.dpkg(append(append([]string{"--force-depends"}, options...), append([]string{verb}, a.remove...)...), func(c *proc) int {
			var failed []string
			for _, n := range a.remove {
				if err := c.removePackage(m.findPackage(n), a.purging()); err != nil {
					c.flush()
					c.warn("dpkg: error processing package %s (--remove):\n %s\n", n, strerror(err))
					failed = append(failed, n)
				}
			}
			return c.dpkgErrors(failed)
		}); code != 0 {
			return code
		}
	}
	if len(a.install) > 0 {
		args := append(append([]string{}, options...), "--unpack", "--auto-deconfigure")
		for _, pk := range a.install {
			args = append(args, debDir+pk.debFile(m.cfg.Arch))
		}
		unpacked := 0
		code := a.dpkg(args, func(c *proc) int {
			var failed []string
			for _, pk := range a.install {
				if _, st := a.state(pk.Name); st == "" {
					c.printf("Selecting previously unselected package %s.\n", pk.Name)
				}
				if unpacked == 0 {
					c.print("(Reading database ... 28947 files and directories currently installed.)\n")
				}
				if err := c.unpack(pk, true); err != nil {
					c.flush()
					c.warn("dpkg: error processing archive %s (--unpack):\n %s\n", debDir+pk.debFile(m.cfg.Arch), strerror(err))
					failed = append(failed, debDir+pk.debFile(m.cfg.Arch))
					continue
				}
				unpacked++
			}
			return c.dpkgErrors(failed)
		})
		if code != 0 {
			return code
		}
	}
	pending := p.pendingPackages()
	if len(pending) == 0 {
		return 0
	}
	return a.dpkg(append(append(append([]string{}, options...), "--configure"), pending...), func(c *proc) int { return c.configureAll(pending) })
}

// dpkgErrors says what failed, and gives dpkg's exit code.
func (p *proc) dpkgErrors(failed []string) int {
	if len(failed) == 0 {
		return 0
	}
	p.flush()
	p.warn("Errors were encountered while processing:\n")
	for _, f := range failed {
		p.warn(" %s\n", f)
	}
	return 1
}

// dpkg runs a child that stands for dpkg.
func (a *apt) dpkg(args []string, f func(c *proc) int) int {
	p := a.p
	p.flush()
	c := p.fork(func(c *proc) int {
		c.setProgram(append([]string{"dpkg"}, args...), "/usr/bin/dpkg")
		c.Env = setenv(setenv(c.Env, "DPKG_FRONTEND_LOCKED", "true"), "DEBIAN_FRONTEND", cmp.Or(c.Getenv("DEBIAN_FRONTEND"), "noninteractive"))
		c.umask = 0o022
		if c.k.cfg.Exec("dpkg") {
			c.die(sigKILL)
			c.check()
		}
		release, busy := c.lockDpkg()
		if busy != "" {
			c.errorf("error: %s", busy)
			return 2
		}
		defer release()
		return c.journaled(func() int { return f(c) })
	})
	switch st := p.waitFor(c); {
	case st.signal != 0:
		return p.aptFail("Sub-process /usr/bin/dpkg received signal %d.", st.signal)
	case st.code != 0:
		return p.aptFail("Sub-process /usr/bin/dpkg returned an error code (%d)", st.code)
	}
	return 0
}
