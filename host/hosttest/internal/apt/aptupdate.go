package apt

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// listUpdate is one run of apt-get update.
type listUpdate struct {
	*apt
	all         []Package       // what every archive has
	keep        map[string]bool // what stays in the directory of the lists
	seen        map[string]bool // the lists that were read
	warns, errs []string
}

// update fetches the lists of all sources.
func (a *apt) update() int {
	p := a.p
	if code := a.lock(listsDir+"lock", "Unable to lock directory "+listsDir); code != 0 {
		if p.UID != 0 {
			p.Print("Reading package lists...\n")
		}
		return code
	}
	u := &listUpdate{
		apt:  a,
		all:  everyPackage(p.Kernel),
		keep: map[string]bool{listsDir + "lock": true, listsDir + "partial": true, listsDir + "auxfiles": true},
		seen: map[string]bool{},
	}
	for n, s := range a.sources {
		u.source(n+1, s)
	}
	names, _ := p.ReadDir(strings.TrimSuffix(listsDir, "/"))
	for _, n := range names {
		if !u.keep[listsDir+n] && len(u.errs) == 0 {
			p.Unlink(listsDir + n)
		}
	}
	return u.report()
}

// source fetches the lists of the source with this number, counted from 1.
func (u *listUpdate) source(n int, s aptSource) {
	p, label := u.p, s.label()
	for _, i := range s.indexes() {
		u.keep[i.file(p.Kernel.Config.Arch)] = true
	}
	problem, absent := u.reach(n, s)
	switch {
	case absent:
		p.Printf("Err:%d %s Release\n  File not found - %s/Release (2: No such file or directory)\n",
			n, label, strings.TrimPrefix(s.uri, "file:"))
		u.errs = append(u.errs, "The repository '"+label+" Release' does not have a Release file.")
		return
	case problem != "":
		p.Printf("Err:%d %s InRelease\n  %s\n", n, label, problem)
		u.warns = append(u.warns, "Failed to fetch "+s.inRelease()+"  "+problem)
		return
	case !keyed(p, s):
		const why = "The following signatures couldn't be verified because the public key is not available: " +
			"NO_PUBKEY 7EA0A9C3F273FCD8"
		p.Printf("Get:%d %s InRelease [48.8 kB]\nErr:%d %s InRelease\n  %s\n", n, label, n, label, why)
		u.warns = append(u.warns, "GPG error: "+label+" InRelease: "+why)
		u.errs = append(u.errs, "The repository '"+label+" InRelease' is not signed.")
		return
	}
	word := "Hit"
	for _, i := range s.indexes() {
		if u.list(i) {
			word = "Get"
		}
	}
	p.Printf("%s:%d %s InRelease\n", word, n, label)
}

// inRelease is the URL of the source's signed list of lists.
func (s aptSource) inRelease() string {
	uri := strings.TrimSuffix(s.uri, "/")
	if len(s.components) == 0 {
		return uri + "/" + strings.TrimSuffix(s.suite, "./") + "InRelease"
	}
	return uri + "/dists/" + s.suite + "/InRelease"
}

// reach tries to reach a source, again as often as Acquire::Retries says. The text is why it cannot be reached; absent
// is a directory that is not there.
func (u *listUpdate) reach(n int, s aptSource) (problem string, absent bool) {
	host := strings.TrimPrefix(strings.TrimPrefix(s.uri, "http://"), "https://")
	host, _, _ = strings.Cut(host, "/")
	local := strings.HasPrefix(s.uri, "file:") || strings.HasPrefix(s.uri, "copy:")
	retries, _ := strconv.Atoi(u.conf.get("Acquire::Retries"))
	for try := 0; try <= retries; try++ {
		if s.known(u.all) && !FaultsOf(u.p.Kernel).failsFetch() {
			return "", false
		}
		if local {
			return "", true
		}
		problem = "Temporary failure resolving '" + host + "'"
		if try < retries {
			u.p.Printf("Ign:%d %s InRelease\n", n, s.label())
		}
	}
	return problem, false
}

// list fetches one list, and tells whether it is another than the one that is there.
func (u *listUpdate) list(i index) (changed bool) {
	p, arch := u.p, u.p.Kernel.Config.Arch
	file := i.file(arch)
	if u.seen[file] {
		u.warns = append(u.warns, "Target Packages ("+cmp.Or(i.component, i.source.suite)+"/binary-"+arch+
			"/Packages) is configured multiple times")
	}
	u.seen[file] = true
	var list []*stanza
	for _, pk := range u.all {
		if i.provides(pk) {
			list = append(list, pk.stanza(arch, ""))
		}
	}
	text := formatStatus(list)
	if old, err := p.ReadFile(file); err == nil && string(old) == text {
		return false
	}
	if err := libc.ReplaceFile(p, file, []byte(text), 0o644); err != nil {
		u.errs = append(u.errs, fmt.Sprintf("Failed to fetch %s  Error writing to file - write (%s)",
			i.source.inRelease(), errnoText(err)))
	}
	return true
}

// report prints the warnings and errors, and returns the exit code.
func (u *listUpdate) report() int {
	p := u.p
	p.Print("Reading package lists...\n")
	p.Flush()
	for _, w := range u.warns {
		p.Warnf("W: %s\n", w)
	}
	failed := slices.ContainsFunc(u.warns, func(w string) bool { return strings.HasPrefix(w, "Failed") })
	if failed && len(u.errs) == 0 {
		p.Warnf("W: Some index files failed to download. They have been ignored, or old ones used instead.\n")
	}
	for _, e := range u.errs {
		p.Warnf("E: %s\n", e)
	}
	if len(u.errs) > 0 {
		return 100
	}
	return 0
}
