package apt

import (
	"cmp"
	"fmt"
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

// changes is what a plan changes, as apt-get tells it.
type changes struct {
	fresh, extra, up, down, again []string // of what is installed; extra was not asked for
	held, essential               []string
	pending                       []string // was unpacked before and is configured now
	notUp                         int      // packages that stay although there is a newer version
}

// changes sorts the plan into what apt-get tells of it.
func (a *apt) changes() *changes {
	k, c := a.p.Kernel, &changes{}
	for _, pk := range a.install {
		s, st := a.state(pk.Name)
		if !a.named[pk.Name] {
			c.extra = append(c.extra, pk.Name)
		}
		if st == "" {
			c.fresh = append(c.fresh, pk.Name)
			continue
		}
		if want, _, _ := s.state(); want == "hold" {
			c.held = append(c.held, pk.Name)
		}
		switch v := compareVersions(pk.Version, s.get("Version")); {
		case v > 0:
			c.up = append(c.up, pk.Name)
		case v < 0:
			c.down = append(c.down, pk.Name)
		default:
			c.again = append(c.again, pk.Name)
		}
	}
	for _, n := range a.remove {
		s := findPackage(k, n)
		if want, _, _ := s.state(); want == "hold" {
			c.held = append(c.held, n)
		}
		if s.get("Essential") == "yes" {
			c.essential = append(c.essential, n)
		}
	}
	changed := slices.Concat(c.up, c.down, a.remove)
	for _, s := range packages(k) {
		n := s.get("Package")
		best, ok := a.candidate(n)
		newer := ok && s.installed() && compareVersions(best.version, s.get("Version")) > 0
		if newer && !slices.Contains(changed, n) {
			c.notUp++
		}
	}
	c.pending = slices.DeleteFunc(pendingPackages(a.p), func(n string) bool {
		return slices.Contains(a.remove, n) || slices.ContainsFunc(a.install, func(pk Package) bool { return pk.Name == n })
	})
	return c
}

// commit shows the plan and does it.
func (a *apt) commit() int {
	p, c := a.p, a.changes()
	a.show(c)
	if len(a.install)+len(a.remove)+len(c.pending) == 0 {
		return 0
	}
	if len(a.remove) > 0 && a.flags["no-remove"] {
		return aptFail(p, "Packages need to be removed but remove is disabled.")
	}
	if a.flags["simulate"] {
		a.simulate(c.pending)
		return 0
	}
	if problem := a.unasked(c); problem != "" {
		return aptFail(p, "%s", problem)
	}
	size := 0
	for _, pk := range a.install {
		size += pk.kilobytes()
	}
	p.Printf("Need to get %d kB of archives.\nAfter this operation, %d kB of additional disk space will be used.\n",
		size, 3*size)
	if !a.confirm(c) {
		p.Print("Abort.\n")
		return 1
	}
	if code := a.fetch(size); code != 0 || a.flags["download-only"] {
		if code == 0 {
			p.Print("Download complete and in download only mode\n")
		}
		return code
	}
	if code := a.announce(c.pending); code != 0 {
		return code
	}
	code := a.run()
	a.mark(c)
	return code
}

// show prints the plan.
func (a *apt) show(c *changes) {
	p := a.p
	if a.verb != "autoremove" && a.verb != "autopurge" {
		auto := autoremovable(p, a.remove)
		auto = slices.DeleteFunc(auto, func(n string) bool { return slices.Contains(a.remove, n) })
		wrapList(p, "The following packages were automatically installed and are no longer required:", auto)
		if len(auto) > 0 {
			p.Print("Use 'apt autoremove' to remove them.\n")
		}
	}
	removed := slices.Clone(a.remove)
	if a.purging() {
		for i := range removed {
			removed[i] += "*"
		}
	}
	slices.Sort(removed)
	wrapList(p, "The following additional packages will be installed:", c.extra)
	wrapList(p, "The following packages will be REMOVED:", removed)
	wrapList(p, "The following NEW packages will be installed:", slices.Sorted(slices.Values(c.fresh)))
	wrapList(p, "The following held packages will be changed:", c.held)
	wrapList(p, "The following packages will be upgraded:", slices.Sorted(slices.Values(c.up)))
	wrapList(p, "The following packages will be DOWNGRADED:", slices.Sorted(slices.Values(c.down)))
	wrapList(p, "WARNING: The following essential packages will be removed.\n"+
		"This should NOT be done unless you know exactly what you are doing!", c.essential)
	p.Printf("%d upgraded, %d newly installed, ", len(c.up), len(c.fresh))
	if len(c.again) > 0 {
		p.Printf("%d reinstalled, ", len(c.again))
	}
	if len(c.down) > 0 {
		p.Printf("%d downgraded, ", len(c.down))
	}
	p.Printf("%d to remove and %d not upgraded.\n", len(a.remove), c.notUp)
	if len(c.pending) > 0 {
		p.Printf("%d not fully installed or removed.\n", len(c.pending))
	}
}

// unasked says what -y does not allow without an option of its own.
func (a *apt) unasked(c *changes) string {
	if !a.flags["yes"] || a.flags["force-yes"] {
		return ""
	}
	switch {
	case len(c.down) > 0 && !a.flags["allow-downgrades"]:
		return "Packages were downgraded and -y was used without --allow-downgrades."
	case len(c.held) > 0 && !a.flags["allow-change-held-packages"]:
		return "Held packages were changed and -y was used without --allow-change-held-packages."
	case len(c.essential) > 0 && !a.flags["allow-remove-essential"]:
		return "Essential packages were removed and -y was used without --allow-remove-essential."
	}
	return ""
}

// confirm asks before more is done than what the command line says, unless it says yes.
func (a *apt) confirm(c *changes) bool {
	more := len(c.extra) > 0 || len(a.remove) > 0 || a.verb == "upgrade" || a.verb == "dist-upgrade"
	if !more || a.flags["yes"] {
		return true
	}
	a.p.Print("Do you want to continue? [Y/n] ")
	a.p.Flush()
	line, err := libc.ReadLine(a.p)
	return err == nil && slices.Contains([]string{"", "y", "yes"}, strings.ToLower(strings.TrimSpace(line)))
}

// mark remembers what was installed for another's sake, also when something failed.
func (a *apt) mark(c *changes) {
	for _, pk := range a.install {
		if slices.Contains(c.fresh, pk.Name) && slices.Contains(c.extra, pk.Name) {
			markAuto(a.p, pk.Name, true)
		} else if a.named[pk.Name] {
			markAuto(a.p, pk.Name, false)
		}
	}
	for _, n := range a.remove {
		markAuto(a.p, n, false)
	}
}

// fetch puts the .deb files where dpkg finds them.
func (a *apt) fetch(size int) int {
	p, k := a.p, a.p.Kernel
	if len(a.install) == 0 {
		return 0
	}
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
			where = strings.TrimSuffix(i.source.uri, "/") + "/pool/main/" + pk.Name[:1] + "/" + pk.Name + "/" +
				pk.debFile(k.Config.Arch)
			label = i.place(k.Config.Arch)
		}
		label = fmt.Sprintf("%d %s %s %s %s", n+1, label, pk.Name, pk.arch(k.Config.Arch), pk.Version)
		if problem := a.download(pk, where, label); problem != "" {
			bad = append(bad, "Failed to fetch "+where+"  "+problem)
			continue
		}
		p.Printf("Get:%s [%d kB]\n", label, pk.kilobytes())
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

// download tries to fetch a package, again as often as Acquire::Retries says. The text is why it cannot be had.
func (a *apt) download(pk Package, where, label string) (problem string) {
	k := a.p.Kernel
	retries, _ := strconv.Atoi(a.conf.get("Acquire::Retries"))
	_, there := inArchive(k, pk.Name, pk.Version)
	for try := 0; try <= retries; try++ {
		switch {
		case !there:
			problem, try = "404  Not Found", retries
		case where != "" && FaultsOf(k).failsFetch():
			problem = "Connection timed out"
		default:
			return ""
		}
		word := "Ign"
		if try == retries {
			word = "Err"
		}
		a.p.Printf("%s:%s\n  %s\n", word, label, problem)
	}
	return problem
}

// run calls dpkg as apt-get does: once for what goes, once to unpack, once to configure.
func (a *apt) run() int {
	if code := a.runRemove(); code != 0 {
		return code
	}
	if code := a.runUnpack(); code != 0 {
		return code
	}
	pending := pendingPackages(a.p)
	if len(pending) == 0 {
		return 0
	}
	args := slices.Concat(a.conf["dpkg::options"], []string{"--configure"}, pending)
	return a.dpkg(args, func(c *kernel.Process) int { return configureAll(c, pending) })
}

func (a *apt) runRemove() int {
	if len(a.remove) == 0 {
		return 0
	}
	verb := "--remove"
	if a.purging() {
		verb = "--purge"
	}
	args := slices.Concat([]string{"--force-depends"}, a.conf["dpkg::options"], []string{verb}, a.remove)
	return a.dpkg(args, func(c *kernel.Process) int {
		var failed []string
		for _, n := range a.remove {
			if err := removePackage(c, findPackage(c.Kernel, n), a.purging()); err != nil {
				c.Flush()
				c.Warnf("dpkg: error processing package %s (--remove):\n %s\n", n, kernel.Strerror(err))
				failed = append(failed, n)
			}
		}
		return dpkgErrors(c, failed)
	})
}

func (a *apt) runUnpack() int {
	if len(a.install) == 0 {
		return 0
	}
	args := slices.Concat(a.conf["dpkg::options"], []string{"--unpack", "--auto-deconfigure"})
	var files []string
	for _, pk := range a.install {
		files = append(files, debDir+pk.debFile(a.p.Kernel.Config.Arch))
	}
	return a.dpkg(append(args, files...), func(c *kernel.Process) int {
		var failed []string
		unpacked := 0
		for i, pk := range a.install {
			if _, st := a.state(pk.Name); st == "" {
				c.Printf("Selecting previously unselected package %s.\n", pk.Name)
			}
			if unpacked == 0 {
				c.Print("(Reading database ... 28947 files and directories currently installed.)\n")
			}
			if err := unpack(c, pk, true); err != nil {
				c.Flush()
				c.Warnf("dpkg: error processing archive %s (--unpack):\n %s\n", files[i], kernel.Strerror(err))
				failed = append(failed, files[i])
				continue
			}
			unpacked++
		}
		return dpkgErrors(c, failed)
	})
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
		frontend := cmp.Or(c.Getenv("DEBIAN_FRONTEND"), "noninteractive")
		c.Env = libc.Setenv(libc.Setenv(c.Env, "DPKG_FRONTEND_LOCKED", "true"), "DEBIAN_FRONTEND", frontend)
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
