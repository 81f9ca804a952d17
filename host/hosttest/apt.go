package hosttest

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// aptTools are APT's programs.
func aptTools() map[string]tool {
	return map[string]tool{"apt-get": {"", cmdAptGet}, "apt": {"", cmdAptGet}, "apt-mark": {"", cmdAptMark}, "apt-cache": {"", cmdAptCache}}
}

// aptFaults are armed by Faults.
type aptFaults struct {
	locked bool
	fetch  int // downloads that still fail; < 0 means all
}

// AptLock holds dpkg's lock as unattended-upgrades does after boot, until AptLock(false) or Reset.
func (f Faults) AptLock(on bool) { f.arm(func(x *faults) { x.apt.locked = on }) }

// AptFetch makes the next n downloads of apt-get fail, of lists or packages and repetitions included; -1 means all.
func (f Faults) AptFetch(n int) { f.arm(func(x *faults) { x.apt.fetch = n }) }

func (x *faults) aptLocked() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.apt.locked
}

func (x *faults) fetchFails() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.apt.fetch > 0 {
		x.apt.fetch--
		return true
	}
	return x.apt.fetch < 0
}

// lockerPID is the process that Faults.AptLock pretends.
const lockerPID = 642

// An apt is one run of apt-get.
type apt struct {
	p       *Process
	conf    aptConf
	flags   map[string]bool
	verb    string
	args    []string
	sources []aptSource
	avail   map[string][]candidate
	pins    []aptPin

	install []Package // dependencies first
	from    map[string]candidate
	remove  []string
	named   map[string]bool // what the command line asked for
	unmet   []string
}

// aptFlags are the options without an argument, by their short letter or the first of their names.
var aptFlags = strings.Fields(`yes assume-yes>yes simulate just-print>simulate dry-run>simulate recon>simulate no-act>simulate download-only
	fix-broken fix-missing ignore-missing>fix-missing show-upgraded verbose-versions no-install-recommends install-recommends no-install-suggests install-suggests
	allow-downgrades allow-change-held-packages allow-remove-essential allow-unauthenticated allow-insecure-repositories allow-releaseinfo-change reinstall purge
	only-upgrade no-upgrade no-remove auto-remove autoremove>auto-remove print-uris no-download trivial-only force-yes with-new-pkgs quiet help version assume-no
	no-list-cleanup list-cleanup`)

var aptShort = map[byte]string{'y': "yes", 's': "simulate", 'd': "download-only", 'f': "fix-broken", 'm': "fix-missing", 'u': "show-upgraded", 'V': "verbose-versions", 'q': "quiet", 'h': "help", 'v': "version"}

// aptOptions reads a command line as APT's programs do. The text is their error.
func (p *Process) aptOptions(c aptConf) (flags map[string]bool, args []string, problem string) {
	flags = map[string]bool{}
	words := p.Args[1:]
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "--":
			return flags, append(args, words[i+1:]...), ""
		case strings.HasPrefix(w, "--"):
			name, value, has := strings.Cut(w[2:], "=")
			switch name {
			case "option", "config-file", "target-release", "default-release", "host-architecture", "error-on":
				if !has {
					if i++; i >= len(words) {
						return nil, nil, "Option " + w + " requires an argument."
					}
					value = words[i]
				}
				if name == "option" {
					k, v, ok := strings.Cut(value, "=")
					if !ok {
						return nil, nil, "Option " + w + ": Configuration item specification must have an =<val>."
					}
					c.set(k, v)
				}
				continue
			}
			found := false
			for _, f := range aptFlags {
				long, is, _ := strings.Cut(f, ">")
				if long == name {
					flags[cmp.Or(is, long)], found = value != "no" && value != "false", true
				}
			}
			if !found {
				return nil, nil, "Command line option " + w + " is not understood in combination with the other options"
			}
		case len(w) > 1 && w[0] == '-':
			for j := 1; j < len(w); j++ {
				switch ch := w[j]; {
				case ch == 'o' || ch == 'c' || ch == 't' || ch == 'a':
					value := w[j+1:]
					if value == "" {
						if i++; i >= len(words) {
							return nil, nil, "Option -" + string(ch) + " requires an argument."
						}
						value = words[i]
					}
					if ch == 'o' {
						k, v, ok := strings.Cut(value, "=")
						if !ok {
							return nil, nil, "Option -o: Configuration item specification must have an =<val>."
						}
						c.set(k, v)
					}
					j = len(w)
				case ch == 'q' && j+1 < len(w) && w[j+1] == '=':
					flags["quiet"] = true
					j = len(w)
				case aptShort[ch] != "":
					flags[aptShort[ch]] = true
				default:
					return nil, nil, fmt.Sprintf("Command line option '%c' [from %s] is not understood in combination with the other options.", ch, w)
				}
			}
		default:
			args = append(args, w)
		}
	}
	return flags, args, ""
}

// fail prints an error and gives APT's exit code.
func (p *Process) aptFail(format string, a ...any) int {
	p.flush()
	p.warn("E: "+format+"\n", a...)
	return 100
}

func cmdAptGet(p *Process) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	flags, args, bad := p.aptOptions(conf)
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	if p.name() == "apt" {
		p.warn("\nWARNING: apt does not have a stable CLI interface. Use with caution in scripts.\n\n")
	}
	if flags["version"] {
		p.printf("apt 2.6.1 (%s)\n", p.m.arch)
		return 0
	}
	if len(args) == 0 || flags["help"] {
		p.printf("apt 2.6.1 (%s)\nUsage: apt-get [options] command\n       apt-get [options] install|remove pkg1 [pkg2 ...]\n       apt-get [options] source pkg1 [pkg2 ...]\n", p.m.arch)
		return btoi(!flags["help"])
	}
	a := &apt{p: p, conf: conf, flags: flags, verb: args[0], args: args[1:], from: map[string]candidate{}, named: map[string]bool{}}
	if v := strings.ToLower(conf.get("APT::Get::Assume-Yes")); isYes(v) {
		flags["yes"] = true
	}
	switch a.verb {
	case "update", "clean", "autoclean", "check", "install", "reinstall", "remove", "purge", "autoremove", "autopurge", "upgrade", "dist-upgrade", "full-upgrade":
	case "source", "build-dep", "download", "changelog", "satisfy", "dselect-upgrade", "indextargets", "list", "show", "search":
		p.warn("E: hosttest: %s %s is not known to this machine\n", p.name(), a.verb)
		return 100
	default:
		return p.aptFail("Invalid operation %s", a.verb)
	}
	if a.sources, bad = p.aptSources(); bad != "" {
		p.flush()
		p.warn("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	switch a.verb {
	case "update":
		return a.update()
	case "clean", "autoclean":
		if code := a.lock("/var/cache/apt/archives/lock", "Unable to lock directory /var/cache/apt/archives/"); code != 0 {
			return code
		}
		if a.verb == "clean" {
			names, _ := p.readDir(debDir)
			for _, n := range names {
				if strings.HasSuffix(n, ".deb") {
					p.unlink(debDir + n)
				}
			}
		}
		return 0
	}
	if !flags["simulate"] && a.verb != "check" {
		if code := a.lock(frontendLock, "Unable to acquire the dpkg frontend lock ("+frontendLock+"), is another process using it?"); code != 0 {
			return code
		}
		names, _ := p.readDir("/var/lib/dpkg/updates")
		if slices.ContainsFunc(names, func(n string) bool { _, ok := parseUint(n); return ok }) {
			return p.aptFail("dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. ")
		}
	}
	p.print("Reading package lists...\nBuilding dependency tree...\nReading state information...\n")
	a.avail, a.pins = p.available(a.sources), p.aptPins()
	if code := a.repair(); code != 0 {
		return code
	}
	switch a.verb {
	case "check":
		return 0
	case "install", "reinstall":
		if code := a.chooseInstall(); code != 0 {
			return code
		}
	case "remove", "purge":
		if code := a.chooseRemove(); code != 0 {
			return code
		}
	case "autoremove", "autopurge":
		a.remove = p.autoremovable(nil)
	case "upgrade", "dist-upgrade", "full-upgrade":
		a.chooseUpgrade()
	}
	if a.flags["auto-remove"] && a.verb != "autoremove" {
		for _, n := range p.autoremovable(a.remove) {
			if !slices.Contains(a.remove, n) {
				a.remove = append(a.remove, n)
			}
		}
	}
	return a.commit()
}

// repair plans to unpack again what an interrupted dpkg left half installed.
func (a *apt) repair() int {
	for _, s := range a.p.m.packages() {
		n := s.get("Package")
		if _, st := a.state(n); st != "half-installed" || (a.verb == "remove" || a.verb == "purge") && slices.Contains(a.args, n) {
			continue
		}
		c, ok := a.candidate(n)
		if at := slices.IndexFunc(a.avail[n], func(c candidate) bool { return c.version == s.get("Version") }); at >= 0 {
			c, ok = a.avail[n][at], true
		}
		if !ok {
			return a.p.aptFail("The package %s needs to be reinstalled, but I can't find an archive for it.", n)
		}
		a.add(n, c)
	}
	return 0
}

// lock takes a lock of APT, and waits for it as DPkg::Lock::Timeout says.
func (a *apt) lock(file, what string) int {
	p := a.p
	seconds, _ := strconv.Atoi(a.conf.get("DPkg::Lock::Timeout"))
	deadline := p.m.now().Add(time.Duration(seconds) * time.Second)
	told := false
	for {
		var holder *Process
		err := error(syscall.EAGAIN)
		by := "It is held by process " + strconv.Itoa(lockerPID) + " (unattended-upgr)"
		if file != frontendLock || !p.m.faults.aptLocked() {
			if holder, err = p.lockPath(file); err == nil {
				return 0
			}
			by = "It is held by process 0"
			if holder != nil {
				by = fmt.Sprintf("It is held by process %d (%s)", holder.PID, holder.comm())
			}
		}
		if err != syscall.EAGAIN {
			what = strings.Replace(what, "is another process using it?", "are you root?", 1)
			p.flush()
			p.warn("E: Could not open lock file %s - open (%s)\nE: %s\n", file, errnoText(err), what)
			return 100
		}
		if file != frontendLock || seconds >= 0 && !p.m.now().Before(deadline) {
			p.flush()
			p.warn("E: Could not get lock %s. %s\nN: Be aware that removing the lock file is not a solution and may break your system.\nE: %s\n", file, by, what)
			return 100
		}
		if !told {
			p.printf("Waiting for cache lock: Could not get lock %s. %s...\n", file, by)
			p.flush()
			told = true
		}
		p.sleep(min(20*time.Millisecond, max(time.Millisecond, deadline.Sub(p.m.now()))))
	}
}

// update fetches the lists of all sources.
func (a *apt) update() int {
	p, m := a.p, a.p.m
	if code := a.lock(listsDir+"lock", "Unable to lock directory "+listsDir); code != 0 {
		if p.uid != 0 {
			p.print("Reading package lists...\n")
		}
		return code
	}
	all := m.everyPackage()
	retries, _ := strconv.Atoi(a.conf.get("Acquire::Retries"))
	var errs, warns []string
	keep := map[string]bool{listsDir + "lock": true, listsDir + "partial": true, listsDir + "auxfiles": true}
	seen := map[string]bool{}
	for n, s := range a.sources {
		at := n + 1
		host := strings.TrimPrefix(strings.TrimPrefix(s.uri, "http://"), "https://")
		host, _, _ = strings.Cut(host, "/")
		url := strings.TrimSuffix(s.uri, "/") + "/dists/" + s.suite + "/InRelease"
		if len(s.components) == 0 {
			url = strings.TrimSuffix(s.uri, "/") + "/" + strings.TrimSuffix(s.suite, "./") + "InRelease"
		}
		problem := ""
		local := strings.HasPrefix(s.uri, "file:") || strings.HasPrefix(s.uri, "copy:")
		for try := 0; try <= retries; try++ {
			switch {
			case s.known(all) && !m.faults.fetchFails():
				problem = ""
			case local:
				problem = "absent"
			default:
				problem = "Temporary failure resolving '" + host + "'"
			}
			if problem == "" || try == retries || local {
				break
			}
			p.printf("Ign:%d %s InRelease\n", at, s.label())
		}
		for _, i := range s.indexes() {
			keep[i.file(m.arch)] = true
		}
		switch {
		case problem == "absent":
			p.printf("Err:%d %s Release\n  File not found - %s/Release (2: No such file or directory)\n", at, s.label(), strings.TrimPrefix(s.uri, "file:"))
			errs = append(errs, "The repository '"+s.label()+" Release' does not have a Release file.")
			continue
		case problem != "":
			p.printf("Err:%d %s InRelease\n  %s\n", at, s.label(), problem)
			warns = append(warns, "Failed to fetch "+url+"  "+problem)
			continue
		case !p.keyed(s):
			p.printf("Get:%d %s InRelease [48.8 kB]\nErr:%d %s InRelease\n  The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8\n", at, s.label(), at, s.label())
			warns = append(warns, "GPG error: "+s.label()+" InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8")
			errs = append(errs, "The repository '"+s.label()+" InRelease' is not signed.")
			continue
		}
		word := "Hit"
		for _, i := range s.indexes() {
			file := i.file(m.arch)
			if seen[file] {
				warns = append(warns, "Target Packages ("+cmp.Or(i.component, s.suite)+"/binary-"+m.arch+"/Packages) is configured multiple times")
			}
			seen[file] = true
			var list []*stanza
			for _, pk := range all {
				if i.provides(pk) {
					list = append(list, pk.stanza(m.arch, ""))
				}
			}
			text := formatStatus(list)
			if old, err := p.readFile(file); err == nil && string(old) == text {
				continue
			}
			word = "Get"
			if err := p.replaceFile(file, []byte(text), 0o644); err != nil {
				errs = append(errs, fmt.Sprintf("Failed to fetch %s  Error writing to file - write (%s)", url, errnoText(err)))
			}
		}
		p.printf("%s:%d %s InRelease\n", word, at, s.label())
	}
	names, _ := p.readDir(strings.TrimSuffix(listsDir, "/"))
	for _, n := range names {
		if !keep[listsDir+n] && len(errs) == 0 {
			p.unlink(listsDir + n)
		}
	}
	p.print("Reading package lists...\n")
	p.flush()
	for _, w := range warns {
		p.warn("W: %s\n", w)
	}
	if len(warns) > 0 && slices.ContainsFunc(warns, func(w string) bool { return strings.HasPrefix(w, "Failed") }) && len(errs) == 0 {
		p.warn("W: Some index files failed to download. They have been ignored, or old ones used instead.\n")
	}
	for _, e := range errs {
		p.warn("E: %s\n", e)
	}
	if len(errs) > 0 {
		return 100
	}
	return 0
}

// An aptPin is a stanza of apt_preferences(5) for one pattern of packages.
type aptPin struct {
	pattern, pin string
	priority     int
}

func (p *Process) aptPins() []aptPin {
	var out []aptPin
	files := []string{"/etc/apt/preferences"}
	names, _ := p.readDir("/etc/apt/preferences.d")
	slices.Sort(names)
	for _, n := range names {
		if ext := path.Ext(n); ext == "" || ext == ".pref" {
			files = append(files, "/etc/apt/preferences.d/"+n)
		}
	}
	for _, f := range files {
		b, err := p.readFile(f)
		if err != nil {
			continue
		}
		for _, s := range parseStatus(string(b)) {
			n, _ := strconv.Atoi(s.get("Pin-Priority"))
			for pattern := range strings.FieldsSeq(s.get("Package")) {
				out = append(out, aptPin{pattern, s.get("Pin"), n})
			}
		}
	}
	return out
}

// candidateOf is the version that would be installed: the one that a pin prefers, else the newest.
func candidateOf(name string, versions []candidate, pins []aptPin) (candidate, bool) {
	best, top := candidate{}, 0
	for _, c := range versions {
		priority := 500
		for _, pin := range pins {
			if pin.pattern != name && !(isGlob(pin.pattern) && match(pin.pattern, name)) {
				continue
			}
			kind, what, _ := strings.Cut(pin.pin, " ")
			hit := false
			switch kind {
			case "version":
				hit = match(strings.TrimSpace(what), c.version)
			case "origin":
				hit = slices.ContainsFunc(c.places, func(i index) bool { return strings.Contains(i.source.uri, strings.Trim(what, `"`)) })
			case "release":
				hit = what == "*" || slices.ContainsFunc(c.places, func(i index) bool {
					return slices.Contains(strings.FieldsFunc(what, func(r rune) bool { return r == ',' || r == ' ' }), "n="+i.source.suite)
				})
			}
			if hit {
				priority = pin.priority
				break
			}
		}
		if priority > top {
			best, top = c, priority
		}
	}
	return best, top > 0
}

func (a *apt) candidate(name string) (candidate, bool) {
	return candidateOf(name, a.avail[name], a.pins)
}

// state is the package in the status file and its status; "" when it has none.
func (a *apt) state(name string) (*stanza, string) {
	s := a.p.m.findPackage(name)
	if s == nil {
		return nil, ""
	}
	_, _, st := s.state()
	if st == "not-installed" || st == "config-files" {
		return s, ""
	}
	return s, st
}

// after is the version that is installed when the plan is done.
func (a *apt) after(name string) (string, bool) {
	for _, pk := range a.install {
		if pk.Name == name {
			return pk.Version, true
		}
	}
	if slices.Contains(a.remove, name) {
		return "", false
	}
	s, st := a.state(name)
	if st == "" {
		return "", false
	}
	return s.get("Version"), true
}

func (a *apt) holds(any []relation) bool {
	return slices.ContainsFunc(any, func(r relation) bool {
		v, ok := a.after(r.name)
		return ok && r.allows(v) || r.op == "" && slices.ContainsFunc(a.providers(r.name), func(n string) bool { _, ok := a.after(n); return ok })
	})
}

// providers are the packages that provide a virtual one.
func (a *apt) providers(name string) []string {
	var out []string
	for _, pk := range a.p.m.everyPackage() {
		for _, any := range parseRelations(pk.Provides) {
			if any[0].name == name && !slices.Contains(out, pk.Name) {
				out = append(out, pk.Name)
			}
		}
	}
	return out
}

// add plans a version and what it needs.
func (a *apt) add(name string, c candidate) {
	m := a.p.m
	if at := slices.IndexFunc(a.install, func(pk Package) bool { return pk.Name == name }); at >= 0 {
		if a.install[at].Version == c.version || !a.named[name] {
			return
		}
		a.install = slices.Delete(a.install, at, at+1) // repair wanted another version than the command line does
	}
	pk, ok := m.archived(name, c.version)
	if !ok {
		pk = Package{Name: name, Version: c.version, Arch: c.arch, Depends: c.depends}
	}
	a.install = append(a.install, pk) // so that a circle of dependencies ends
	a.from[name] = c
	a.remove = slices.DeleteFunc(a.remove, func(n string) bool { return n == name })
	for _, any := range parseRelations(pk.Depends) {
		if a.holds(any) {
			continue
		}
		found := false
		for _, r := range any {
			for _, x := range a.avail[r.name] {
				if best, ok := a.candidate(r.name); r.allows(x.version) && (!ok || best.version == x.version || r.op == "=") {
					a.add(r.name, x)
					found = true
					break
				}
			}
			if found {
				break
			}
			if r.op == "" {
				if list := a.providers(r.name); len(list) > 0 {
					if c, ok := a.candidate(list[0]); ok {
						a.add(list[0], c)
						found = true
						break
					}
				}
			}
		}
		if !found {
			why := "but it is not installable"
			if v, ok := a.after(any[0].name); ok {
				why = "but " + v + " is to be installed"
			} else if c, ok := a.candidate(any[0].name); ok {
				why = "but " + c.version + " is to be installed"
			}
			a.unmet = append(a.unmet, fmt.Sprintf(" %s : Depends: %s %s", name, relationText(any), why))
		}
	}
	// Dependencies come first.
	at := slices.IndexFunc(a.install, func(x Package) bool { return x.Name == name })
	a.install = append(slices.Delete(a.install, at, at+1), pk)
	for _, any := range parseRelations(pk.Conflicts) {
		if _, st := a.state(any[0].name); st != "" {
			a.drop(any[0].name)
		}
	}
	for _, s := range m.packages() {
		n := s.get("Package")
		if _, st := a.state(n); st == "" || n == name {
			continue
		}
		for _, any := range parseRelations(s.get("Conflicts")) {
			if any[0].name == name {
				a.drop(n)
			}
		}
	}
}

// drop plans to remove a package and what needs it.
func (a *apt) drop(name string) {
	if slices.Contains(a.remove, name) {
		return
	}
	a.remove = append(a.remove, name)
	for _, s := range a.p.m.packages() {
		n := s.get("Package")
		if _, st := a.state(n); st == "" || n == name {
			continue
		}
		for _, any := range parseRelations(s.get("Depends")) {
			if slices.ContainsFunc(any, func(r relation) bool { return r.name == name }) && !a.holds(any) {
				a.drop(n)
				// What needs it goes first.
				a.remove = append([]string{n}, slices.DeleteFunc(a.remove, func(x string) bool { return x == n })...)
			}
		}
	}
}

// plain takes the architecture off a name, when it is one of this machine.
func (a *apt) plain(name string) string {
	base, arch, ok := strings.Cut(name, ":")
	if ok && (arch == a.p.m.arch || arch == "any" || arch == "all") {
		return base
	}
	return name
}

func (a *apt) chooseInstall() int {
	p := a.p
	type choice struct {
		name string
		c    candidate
	}
	var chosen []choice
	code := 0
	for _, arg := range a.args {
		if strings.Contains(arg, "/") {
			if !strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, ".") {
				return p.aptFail("Release '%s' for '%s' was not found", arg[strings.IndexByte(arg, '/')+1:], arg[:strings.IndexByte(arg, '/')])
			}
			b, err := p.readFile(arg)
			pk, ok := p.m.packageOf(b)
			if err != nil || !ok {
				return p.aptFail("Unsupported file %s given on commandline", arg)
			}
			p.printf("Note, selecting '%s' instead of '%s'\n", pk.Name, arg)
			chosen = append(chosen, choice{pk.Name, candidate{pk.Version, pk.arch(p.m.arch), pk.Depends, nil}})
			continue
		}
		full, version, has := strings.Cut(arg, "=")
		name := a.plain(full)
		s, st := a.state(name)
		if _, known := a.avail[name]; !known && st == "" {
			if base, ok := strings.CutSuffix(name, "-"); ok {
				if _, st := a.state(base); st != "" {
					a.drop(base)
				}
				continue
			}
			if isGlob(name) {
				for _, n := range sortedKeys(a.avail) {
					if c, ok := a.candidate(n); ok && match(name, n) {
						p.printf("Note, selecting '%s' for glob '%s'\n", n, name)
						chosen = append(chosen, choice{n, c})
					}
				}
				continue
			}
			if list := a.providers(name); len(list) > 0 && !has {
				p.printf("Package %s is a virtual package provided by:\n", name)
				for _, n := range list {
					if c, ok := a.candidate(n); ok {
						p.printf("  %s %s\n", n, c.version)
					}
				}
				p.print("You should explicitly select one to install.\n\n")
				p.flush()
				p.warn("E: Package '%s' has no installation candidate\n", name)
				code = 100
				continue
			}
			p.flush()
			p.warn("E: Unable to locate package %s\n", full)
			if strings.Contains(full, ".") {
				p.warn("E: Couldn't find any package by glob '%s'\n", full)
			}
			code = 100
			continue
		}
		c, ok := a.candidate(name)
		if has {
			at := slices.IndexFunc(a.avail[name], func(c candidate) bool { return c.version == version })
			switch {
			case at >= 0:
				c, ok = a.avail[name][at], true
				p.printf("Selected version '%s' (%s [%s]) for '%s'\n", version, c.release(), c.arch, name)
			case st != "" && s.get("Version") == version:
				c, ok = candidate{version, s.get("Architecture"), s.get("Depends"), nil}, true
			default:
				p.printf("Package %s is not available, but is referred to by another package.\nThis may mean that the package is missing, has been obsoleted, or\nis only available from another source\n\n", name)
				p.flush()
				p.warn("E: Version '%s' for '%s' was not found\n", version, name)
				code = 100
				continue
			}
		}
		if !ok {
			if st == "" {
				p.printf("Package %s is not available, but is referred to by another package.\nThis may mean that the package is missing, has been obsoleted, or\nis only available from another source\n\n", name)
				p.flush()
				p.warn("E: Package '%s' has no installation candidate\n", name)
				code = 100
				continue
			}
			c = candidate{s.get("Version"), s.get("Architecture"), s.get("Depends"), nil}
		}
		// What is installed and newer than the lists stays, unless a version was asked for.
		if !has && st != "" && compareVersions(s.get("Version"), c.version) > 0 {
			c = candidate{s.get("Version"), s.get("Architecture"), s.get("Depends"), nil}
		}
		chosen = append(chosen, choice{name, c})
	}
	if code != 0 {
		return code
	}
	for _, x := range chosen {
		a.named[x.name] = true
		s, st := a.state(x.name)
		same := st != "" && s.get("Version") == x.c.version
		switch {
		case same && st == "half-installed": // repair has planned it
		case same && !a.flags["reinstall"] && a.verb != "reinstall":
			if st == "installed" {
				p.printf("%s is already the newest version (%s).\n", x.name, x.c.version)
			}
			if p.autoMarked(x.name) {
				p.printf("%s set to manually installed.\n", x.name)
				if !a.flags["simulate"] {
					p.markAuto(x.name, false)
				}
			}
			continue
		case same && len(x.c.places) == 0:
			p.printf("Reinstallation of %s is not possible, it cannot be downloaded.\n", x.name)
			continue
		case st == "" && a.flags["only-upgrade"]:
			p.printf("Skipping %s, it is not installed and only upgrades are requested.\n", x.name)
			continue
		case st != "" && a.flags["no-upgrade"]:
			p.printf("Skipping %s, it is already installed and upgrade is not set.\n", x.name)
			continue
		}
		a.add(x.name, x.c)
	}
	return a.checkPlan()
}

// checkPlan says which dependencies would be broken.
func (a *apt) checkPlan() int {
	p := a.p
	for _, s := range p.m.packages() {
		n := s.get("Package")
		if _, st := a.state(n); st == "" || slices.Contains(a.remove, n) || slices.ContainsFunc(a.install, func(pk Package) bool { return pk.Name == n }) {
			continue
		}
		for _, any := range parseRelations(s.get("Depends")) {
			if !a.holds(any) {
				v, ok := a.after(any[0].name)
				why := "but it is not going to be installed"
				if ok {
					why = "but " + v + " is to be installed"
				}
				a.unmet = append(a.unmet, fmt.Sprintf(" %s : Depends: %s %s", n, relationText(any), why))
			}
		}
	}
	for _, pk := range a.install {
		if slices.Contains(a.remove, pk.Name) {
			a.unmet = append(a.unmet, fmt.Sprintf(" %s : Conflicts: with a package that is to be installed too", pk.Name))
		}
	}
	if len(a.unmet) == 0 {
		return 0
	}
	p.print("Some packages could not be installed. This may mean that you have\nrequested an impossible situation or if you are using the unstable\ndistribution that some required packages have not yet been created\nor been moved out of Incoming.\nThe following information may help to resolve the situation:\n\nThe following packages have unmet dependencies:\n")
	for _, u := range a.unmet {
		p.print(u, "\n")
	}
	return p.aptFail("Unable to correct problems, you have held broken packages.")
}

func (a *apt) chooseRemove() int {
	p := a.p
	code := 0
	for _, arg := range a.args {
		name := a.plain(arg)
		s, _ := a.state(name)
		names := []string{name}
		if isGlob(name) && s == nil {
			names = nil
			for _, x := range p.m.packages() {
				if n := x.get("Package"); match(name, n) {
					p.printf("Note, selecting '%s' for glob '%s'\n", n, name)
					names = append(names, n)
				}
			}
		} else if _, known := a.avail[name]; !known && s == nil {
			p.flush()
			p.warn("E: Unable to locate package %s\n", arg)
			code = 100
			continue
		}
		for _, n := range names {
			s, st := a.state(n)
			a.named[n] = true
			switch {
			case st != "":
				a.drop(n)
			case s != nil && a.purging():
				if _, _, w := s.state(); w == "config-files" {
					a.remove = append(a.remove, n)
				}
			default:
				p.printf("Package '%s' is not installed, so not removed\n", n)
			}
		}
	}
	return code
}

func (a *apt) purging() bool {
	return a.flags["purge"] || a.verb == "purge" || a.verb == "autopurge"
}

func (a *apt) chooseUpgrade() {
	var kept []string
	for _, s := range a.p.m.packages() {
		n := s.get("Package")
		want, _, _ := s.state()
		c, ok := a.candidate(n)
		if _, st := a.state(n); st == "" || !ok || compareVersions(c.version, s.get("Version")) <= 0 {
			continue
		}
		if want == "hold" {
			kept = append(kept, n)
			continue
		}
		before, from := slices.Clone(a.install), len(a.unmet)
		removed := len(a.remove)
		a.add(n, c)
		if len(a.unmet) > from || a.verb == "upgrade" && len(a.remove) > removed {
			a.install, a.unmet, a.remove = before, a.unmet[:from], a.remove[:removed]
			kept = append(kept, n)
			continue
		}
		a.named[n] = true
	}
	a.p.print("Calculating upgrade...\n")
	a.p.wrapList("The following packages have been kept back:", kept)
}

// wrapList prints names as APT does, when there are any.
func (p *Process) wrapList(title string, names []string) {
	if len(names) == 0 {
		return
	}
	p.print(title, "\n")
	line := " "
	for _, n := range names {
		if len(line)+1+len(n) > 80 && line != " " {
			p.print(line, "\n")
			line = " "
		}
		line += " " + n
	}
	p.print(line, "\n")
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

const debDir = "/var/cache/apt/archives/"

func (pk Package) debFile(arch string) string {
	return pk.Name + "_" + strings.ReplaceAll(pk.Version, ":", "%3a") + "_" + pk.arch(arch) + ".deb"
}

// commit shows the plan and does it.
func (a *apt) commit() int {
	p, m := a.p, a.p.m
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
		return slices.Contains(a.remove, n) || slices.ContainsFunc(a.install, func(pk Package) bool { return pk.Name == n })
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
				p.printf("%s %s (%s %s [%s])\n", verb, pk.Name, pk.Version, a.from[pk.Name].release(), pk.arch(m.arch))
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
	p, m := a.p, a.p.m
	if len(a.install) == 0 {
		return 0
	}
	retries, _ := strconv.Atoi(a.conf.get("Acquire::Retries"))
	var bad []string
	got := 0
	for n, pk := range a.install {
		file := debDir + pk.debFile(m.arch)
		if old, err := p.readFile(file); err == nil && string(old) == string(pk.Deb()) {
			continue
		}
		where, label := "", "local file"
		if c := a.from[pk.Name]; len(c.places) > 0 {
			i := c.places[0]
			where, label = strings.TrimSuffix(i.source.uri, "/")+"/pool/main/"+pk.Name[:1]+"/"+pk.Name+"/"+pk.debFile(m.arch), i.place(m.arch)
		}
		_, there := m.archived(pk.Name, pk.Version)
		problem := ""
		for try := 0; try <= retries; try++ {
			problem = ""
			switch {
			case !there:
				problem, try = "404  Not Found", retries
			case where != "" && m.faults.fetchFails():
				problem = "Connection timed out"
			}
			if problem == "" {
				break
			}
			word := "Ign"
			if try == retries {
				word = "Err"
			}
			p.printf("%s:%d %s %s %s %s\n  %s\n", word, n+1, label, pk.Name, pk.arch(m.arch), pk.Version, problem)
		}
		if problem != "" {
			bad = append(bad, "Failed to fetch "+where+"  "+problem)
			continue
		}
		p.printf("Get:%d %s %s %s %s [%d kB]\n", n+1, label, pk.Name, pk.arch(m.arch), pk.Version, pk.kilobytes())
		p.flush()
		if err := p.replaceFile(file, pk.Deb(), 0o644); err != nil {
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
	p, m := a.p, a.p.m
	options := a.conf["dpkg::options"]
	if len(a.remove) > 0 {
		verb := "--remove"
		if a.purging() {
			verb = "--purge"
		}
		if code := a.dpkg(append(append([]string{"--force-depends"}, options...), append([]string{verb}, a.remove...)...), func(c *Process) int {
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
			args = append(args, debDir+pk.debFile(m.arch))
		}
		unpacked := 0
		code := a.dpkg(args, func(c *Process) int {
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
					c.warn("dpkg: error processing archive %s (--unpack):\n %s\n", debDir+pk.debFile(m.arch), strerror(err))
					failed = append(failed, debDir+pk.debFile(m.arch))
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
	return a.dpkg(append(append(append([]string{}, options...), "--configure"), pending...), func(c *Process) int { return c.configureAll(pending) })
}

// dpkgErrors says what failed, and gives dpkg's exit code.
func (p *Process) dpkgErrors(failed []string) int {
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
func (a *apt) dpkg(args []string, f func(c *Process) int) int {
	p := a.p
	p.flush()
	c := p.fork(func(c *Process) int {
		c.mu.Lock()
		c.Args, c.exe = append([]string{"dpkg"}, args...), "/usr/bin/dpkg"
		c.mu.Unlock()
		c.Env = setenv(setenv(c.Env, "DPKG_FRONTEND_LOCKED", "true"), "DEBIAN_FRONTEND", cmp.Or(c.Getenv("DEBIAN_FRONTEND"), "noninteractive"))
		c.umask = 0o022
		c.m.counters.command("dpkg")
		if c.m.faults.kills("dpkg") {
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

const extendedStates = "/var/lib/apt/extended_states"

// autoMarked tells whether a package was installed for the sake of another.
func (p *Process) autoMarked(name string) bool {
	b, _ := p.readFile(extendedStates)
	return slices.ContainsFunc(parseStatus(string(b)), func(s *stanza) bool { return s.get("Package") == name && s.get("Auto-Installed") == "1" })
}

func (p *Process) markAuto(name string, auto bool) error {
	b, _ := p.readFile(extendedStates)
	list := parseStatus(string(b))
	at := slices.IndexFunc(list, func(s *stanza) bool { return s.get("Package") == name })
	if (at >= 0 && list[at].get("Auto-Installed") == "1") == auto {
		return nil
	}
	if at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	if auto {
		s := &stanza{fields: map[string]string{}}
		s.set("Package", name)
		s.set("Architecture", p.m.arch)
		s.set("Auto-Installed", "1")
		list = append(list, s)
	}
	return p.replaceFile(extendedStates, []byte(formatStatus(list)), 0o644)
}

// autoremovable are the packages that were installed for the sake of others which are gone.
func (p *Process) autoremovable(gone []string) []string {
	need := map[string]bool{}
	var mark func(name string)
	mark = func(name string) {
		s := p.m.findPackage(name)
		if s == nil || need[name] || slices.Contains(gone, name) {
			return
		}
		need[name] = true
		for _, any := range parseRelations(s.get("Depends")) {
			for _, r := range any {
				mark(r.name)
			}
		}
	}
	b, _ := p.readFile(extendedStates)
	auto := map[string]bool{}
	for _, s := range parseStatus(string(b)) {
		auto[s.get("Package")] = s.get("Auto-Installed") == "1"
	}
	if len(auto) == 0 {
		return nil
	}
	for _, s := range p.m.packages() {
		if n := s.get("Package"); s.installed() && !auto[n] {
			mark(n)
		}
	}
	var out []string
	for _, s := range p.m.packages() {
		if n := s.get("Package"); s.installed() && auto[n] && !need[n] {
			out = append(out, n)
		}
	}
	// What needs others goes first.
	slices.SortStableFunc(out, func(x, y string) int {
		needs := func(a, b string) bool {
			return slices.ContainsFunc(parseRelations(p.m.findPackage(a).get("Depends")), func(any []relation) bool {
				return slices.ContainsFunc(any, func(r relation) bool { return r.name == b })
			})
		}
		return btoi(needs(y, x)) - btoi(needs(x, y))
	})
	return out
}

func cmdAptMark(p *Process) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	_, args, bad := p.aptOptions(conf)
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	if len(args) == 0 {
		p.printf("apt 2.6.1 (%s)\nUsage: apt-mark [options] {auto|manual} pkg1 [pkg2 ...]\n", p.m.arch)
		return 1
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "showhold", "showholds", "showheld", "showauto", "showmanual":
		for _, s := range p.m.packages() {
			n := s.get("Package")
			want, _, _ := s.state()
			show := want == "hold"
			switch verb {
			case "showauto":
				show = s.installed() && p.autoMarked(n)
			case "showmanual":
				show = s.installed() && !p.autoMarked(n)
			}
			if show && (len(args) == 0 || slices.Contains(args, n)) {
				p.print(n, "\n")
			}
		}
		return 0
	case "hold", "unhold", "auto", "manual":
	default:
		return p.aptFail("Invalid operation %s", verb)
	}
	sources, bad := p.aptSources()
	if bad != "" {
		p.warn("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	avail := p.available(sources)
	a := &apt{p: p, avail: avail}
	var names []string
	missing := false
	for _, arg := range args {
		n := a.plain(arg)
		if _, ok := avail[n]; !ok && p.m.findPackage(n) == nil {
			p.warn("E: Unable to locate package %s\n", arg)
			missing = true
			continue
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return p.aptFail("No packages found")
	}
	if missing {
		return 100
	}
	if verb == "auto" || verb == "manual" {
		for _, n := range names {
			word := map[string]string{"auto": "automatically", "manual": "manually"}[verb]
			if s := p.m.findPackage(n); s == nil || !s.installed() {
				p.printf("%s can not be marked as it is not installed.\n", n)
				continue
			}
			if p.autoMarked(n) == (verb == "auto") {
				p.printf("%s was already set to %s installed.\n", n, word)
				continue
			}
			if err := p.markAuto(n, verb == "auto"); err != nil {
				p.flush()
				p.warn("E: Could not create temporary file for %s - mkstemp (%s)\nE: Failed to write temporary StateFile %s\n", extendedStates, errnoText(err), extendedStates)
				return 100
			}
			p.printf("%s set to %s installed.\n", n, word)
		}
		return 0
	}
	for _, n := range names {
		s := p.m.findPackage(n)
		want, flag, st := "unknown", "ok", "not-installed"
		if s != nil {
			want, flag, st = s.state()
		}
		if (want == "hold") == (verb == "hold") {
			p.printf("%s was already %s.\n", n, map[string]string{"hold": "set on hold", "unhold": "not on hold"}[verb])
			continue
		}
		if p.uid != 0 {
			p.flush()
			p.warn("dpkg: error: required read/write access to the dpkg database directory /var/lib/dpkg\nE: Sub-process dpkg --set-selections returned an error code (2)\nE: Executing dpkg failed. Are you root?\n")
			return 100
		}
		want = "hold"
		if verb == "unhold" {
			if want = "install"; st == "not-installed" {
				want = "unknown"
			}
		}
		if err := p.editPackage(n, func(s *stanza) *stanza {
			if s == nil {
				s = &stanza{fields: map[string]string{}}
				s.set("Package", n)
			}
			s.set("Status", want+" "+flag+" "+st)
			return s
		}); err != nil {
			p.flush()
			p.warn("dpkg: error: %s\nE: Sub-process dpkg --set-selections returned an error code (2)\nE: Executing dpkg failed. Are you root?\n", strerror(err))
			return 100
		}
		if verb == "hold" {
			p.printf("%s set on hold.\n", n)
		} else {
			p.printf("Canceled hold on %s.\n", n)
		}
	}
	return 0
}

func cmdAptCache(p *Process) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	_, args, bad := p.aptOptions(conf)
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	if len(args) == 0 {
		p.printf("apt 2.6.1 (%s)\nUsage: apt-cache [options] command\n       apt-cache [options] show pkg1 [pkg2 ...]\n", p.m.arch)
		return 1
	}
	verb, args := args[0], args[1:]
	sources, bad := p.aptSources()
	if bad != "" {
		p.warn("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	avail := p.available(sources)
	a := &apt{p: p, avail: avail, pins: p.aptPins()}
	switch verb {
	case "policy":
		if len(args) == 0 {
			p.print("Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n")
			for _, s := range sources {
				for _, i := range s.indexes() {
					if _, err := p.stat(i.file(p.m.arch)); err == nil {
						p.printf(" 500 %s Packages\n     release n=%s,c=%s,b=%s\n", i.place(p.m.arch), s.suite, i.component, p.m.arch)
					}
				}
			}
			p.print("Pinned packages:\n")
		}
		for _, arg := range args {
			n := a.plain(arg)
			s, st := a.state(n)
			versions := slices.Clone(avail[n])
			if len(versions) == 0 && st == "" {
				continue
			}
			installed, cand := "(none)", "(none)"
			if st != "" {
				installed = s.get("Version")
				if !slices.ContainsFunc(versions, func(c candidate) bool { return c.version == installed }) {
					versions = append(versions, candidate{version: installed})
					slices.SortStableFunc(versions, func(a, b candidate) int { return compareVersions(b.version, a.version) })
				}
				cand = installed
			}
			if c, ok := a.candidate(n); ok && (st == "" || compareVersions(c.version, installed) >= 0) {
				cand = c.version
			}
			p.printf("%s:\n  Installed: %s\n  Candidate: %s\n  Version table:\n", n, installed, cand)
			for _, c := range versions {
				mark, priority := "   ", 500
				if c.version == installed {
					mark = "***"
				}
				if len(c.places) == 0 {
					priority = 100
				}
				p.printf(" %s %s %d\n", mark, c.version, priority)
				for _, i := range c.places {
					p.printf("        500 %s Packages\n", i.place(p.m.arch))
				}
				if c.version == installed {
					p.print("        100 /var/lib/dpkg/status\n")
				}
			}
		}
	case "madison":
		for _, arg := range args {
			n := a.plain(arg)
			for _, c := range avail[n] {
				for _, i := range c.places {
					p.printf("%10s | %10s | %s Packages\n", n, c.version, i.place(p.m.arch))
				}
			}
		}
	case "show":
		found := false
		for _, arg := range args {
			n := a.plain(arg)
			for _, c := range avail[n] {
				if pk, ok := p.m.archived(n, c.version); ok {
					s := pk.stanza(p.m.arch, "")
					for _, k := range s.keys {
						p.print(k, ": ", s.get(k), "\n")
					}
					p.print("\n")
					found = true
				}
			}
		}
		if !found {
			return p.aptFail("No packages found")
		}
	case "pkgnames":
		for _, n := range sortedKeys(avail) {
			if len(args) == 0 || strings.HasPrefix(n, args[0]) {
				p.print(n, "\n")
			}
		}
	case "search", "depends", "rdepends", "showpkg", "showsrc", "stats", "dump", "dumpavail", "unmet", "dotty", "xvcg", "gencaches":
		p.warn("E: hosttest: apt-cache %s is not known to this machine\n", verb)
		return 100
	default:
		return p.aptFail("Invalid operation %s", verb)
	}
	return 0
}

// cmdUnattended is unattended-upgrade: it upgrades what is not held and not in the blacklist.
func cmdUnattended(p *Process) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	o, ok := p.getopt("dv", "dry-run debug>d verbose>v apt-debug minimal-upgrade-steps no-minimal-upgrade-steps download-only")
	if !ok {
		return 2
	}
	if p.uid != 0 {
		p.print("You need to be root to run this application\n")
		return 1
	}
	sources, bad := p.aptSources()
	if bad != "" {
		p.warn("E: %s\n", bad)
		return 1
	}
	a := &apt{p: p, avail: p.available(sources), pins: p.aptPins()}
	var up []string
	for _, s := range p.m.packages() {
		n := s.get("Package")
		want, _, _ := s.state()
		c, ok := a.candidate(n)
		if !ok || !s.installed() || want == "hold" || compareVersions(c.version, s.get("Version")) <= 0 ||
			!slices.ContainsFunc(c.places, func(i index) bool { return i.source.isDebian() }) {
			continue
		}
		if slices.ContainsFunc(conf["unattended-upgrade::package-blacklist"], func(b string) bool {
			re, err := regexp.Compile("^(?:" + b + ")")
			return err == nil && re.MatchString(n)
		}) {
			continue
		}
		up = append(up, n)
	}
	if o.has("dry-run") || len(up) == 0 {
		if o.has("d", "v") {
			p.print("Packages that will be upgraded: ", strings.Join(up, " "), "\n")
		}
		return 0
	}
	p.flush()
	return p.Run(append([]string{"apt-get", "-q", "-y", "install", "--no-install-recommends", "--"}, up...)...)
}
