package apt

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

// An Package package is one version of a Debian package in the archive that a machine's apt-get fetches from.
type Package struct {
	Name    string
	Version string
	Arch    string // empty means the machine's; "all"
	Depends string // as in a control file: "a, b (>= 1.0) | c"
	// Conflicts names packages, separated by commas, that cannot be installed beside this one.
	Conflicts string
	Provides  string // virtual packages, separated by commas
	// Source is a part of the URI of the sources that provide the package, such as "download.docker.com". Empty means
	// Debian's own.
	Source string

	Files     map[string]string // content by absolute path; a path that ends in a slash is a directory
	Conffiles map[string]string // configuration files, which dpkg does not replace once they were changed
	// Units are unit files by name. A unit with an [Install] section is enabled and started when the package is installed
	// for the first time, and restarted by an upgrade, unless Disabled names it.
	Units    map[string]string
	Disabled []string
	// Commands are executables by absolute path, or by name for /usr/bin. A nil program stands for a program that only
	// Machine.Handle can give.
	Commands map[string]kernel.Program
	Users    []string // system users, each with its group
	Groups   []string // system groups
	Postinst string   // a shell script run as root when the package is configured, with the arguments of Debian Policy 6.5
	Prerm    string   // and before it is removed
}

// archive is what the sources of a machine offer.
type archive struct {
	mu       sync.Mutex
	debian   []Package // what every machine's archive holds
	packages []Package
}

// SetArchive gives a machine the packages that every machine's archive holds. They are shared, and not changed.
func SetArchive(k *kernel.Kernel, packages []Package) {
	a := kernel.Local[archive](k)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.debian = packages
}

// Add puts a version of a package into the archive, in place of the same version that is there.
func Add(k *kernel.Kernel, pk Package) {
	a := kernel.Local[archive](k)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.packages = slices.DeleteFunc(slices.Clone(a.packages), func(x Package) bool { return x.Name == pk.Name && x.Version == pk.Version })
	a.packages = append(a.packages, pk)
}

// everyPackage lists the archive: what was added hides the same version of what every machine's archive holds.
func everyPackage(k *kernel.Kernel) []Package {
	a := kernel.Local[archive](k)
	a.mu.Lock()
	added, debian := a.packages, a.debian
	a.mu.Unlock()
	have := map[[2]string]bool{}
	for _, pk := range added {
		have[[2]string{pk.Name, pk.Version}] = true
	}
	out := slices.Clone(added)
	for _, pk := range debian {
		if !have[[2]string{pk.Name, pk.Version}] {
			out = append(out, pk)
		}
	}
	return out
}

func inArchive(k *kernel.Kernel, name, version string) (Package, bool) {
	for _, pk := range everyPackage(k) {
		if pk.Name == name && pk.Version == version {
			return pk, true
		}
	}
	return Package{}, false
}

const debMagic = "!<arch>\nhosttest "

// Deb is a .deb file, which dpkg and apt-get can install when the package is in the machine's archive.
func Deb(name, version string) []byte { return []byte(debMagic + name + " " + version + "\n") }

// packageOf reads a .deb file.
func packageOf(k *kernel.Kernel, deb []byte) (Package, bool) {
	f := strings.Fields(strings.TrimPrefix(string(deb), debMagic))
	if !strings.HasPrefix(string(deb), debMagic) || len(f) != 2 {
		return Package{}, false
	}
	return inArchive(k, f[0], f[1])
}

func (pk Package) arch(machine string) string { return cmp.Or(pk.Arch, machine) }

// stanza is the package in dpkg's status file, or in a list of packages when status is empty.
func (pk Package) stanza(arch, status string) *stanza {
	s := &stanza{fields: map[string]string{}}
	s.set("Package", pk.Name)
	if status != "" {
		s.set("Status", status)
	}
	s.set("Priority", "optional")
	s.set("Section", "misc")
	s.set("Installed-Size", strconv.Itoa(pk.kilobytes()))
	s.set("Maintainer", "Debian Developers <debian-devel@lists.debian.org>")
	s.set("Architecture", pk.arch(arch))
	s.set("Version", pk.Version)
	if pk.Depends != "" {
		s.set("Depends", pk.Depends)
	}
	if pk.Conflicts != "" {
		s.set("Conflicts", pk.Conflicts)
	}
	if pk.Provides != "" {
		s.set("Provides", pk.Provides)
	}
	s.set("Description", "the package "+pk.Name)
	return s
}

func (pk Package) kilobytes() int {
	n := 16
	for _, f := range []map[string]string{pk.Files, pk.Conffiles, pk.Units} {
		for _, s := range f {
			n += 1 + len(s)>>10
		}
	}
	return n + 64*len(pk.Commands)
}

// content gives all that dpkg unpacks but the configuration files.
func (pk Package) content() map[string]string {
	out := maps.Clone(pk.Files)
	if out == nil {
		out = map[string]string{}
	}
	for name, text := range pk.Units {
		out["/lib/systemd/system/"+name] = text
	}
	for name := range pk.Commands {
		out[commandPath(name)] = string(kernel.Binary(path.Base(name)))
	}
	return out
}

func commandPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "/usr/bin/" + name
}

// A relation is one alternative of a dependency.
type relation struct{ name, op, version string }

func (r relation) String() string {
	if r.op == "" {
		return r.name
	}
	return r.name + " (" + r.op + " " + r.version + ")"
}

func (r relation) allows(version string) bool {
	c := compareVersions(version, r.version)
	switch r.op {
	case "":
		return true
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">>":
		return c > 0
	case "<<":
		return c < 0
	}
	return c == 0
}

// parseRelations reads a field such as Depends: all of them are needed, each by one of its alternatives.
func parseRelations(s string) [][]relation {
	var out [][]relation
	for group := range strings.SplitSeq(s, ",") {
		var any []relation
		for alt := range strings.SplitSeq(group, "|") {
			name, cond, _ := strings.Cut(strings.TrimSpace(alt), "(")
			name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
			if name == "" {
				continue
			}
			r := relation{name: name}
			if f := strings.Fields(strings.TrimSuffix(strings.TrimSpace(cond), ")")); len(f) == 2 {
				r.op, r.version = f[0], f[1]
			}
			any = append(any, r)
		}
		if len(any) > 0 {
			out = append(out, any)
		}
	}
	return out
}

func relationText(any []relation) string {
	var s []string
	for _, r := range any {
		s = append(s, r.String())
	}
	return strings.Join(s, " | ")
}

// unmet names what a package depends on and is not installed.
func unmet(k *kernel.Kernel, pk Package) []string {
	return unmetField(k, pk.Depends, func(st string) bool { return st == "installed" })
}

func unmetField(k *kernel.Kernel, depends string, good func(status string) bool) []string {
	var out []string
	for _, any := range parseRelations(depends) {
		if !slices.ContainsFunc(any, func(r relation) bool {
			s := findPackage(k, r.name)
			if s == nil {
				return false
			}
			_, _, st := s.state()
			return good(st) && r.allows(s.get("Version"))
		}) {
			out = append(out, relationText(any))
		}
	}
	return out
}

// lockPath takes a lock file for as long as the process lives. It says who holds it when somebody does.
func lockPath(p *kernel.Process, name string) (holder *kernel.Process, err error) {
	d, err := p.Open(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if p.Kernel.Tree.Flock(d, true) {
		p.Hold(d)
		return nil, nil
	}
	d.Release()
	for _, q := range p.Kernel.Processes() {
		if q.HoldsLock(name) {
			return q, syscall.EAGAIN
		}
	}
	return nil, syscall.EAGAIN
}

const (
	frontendLock = "/var/lib/dpkg/lock-frontend"
	databaseLock = "/var/lib/dpkg/lock"
)

// lockDpkg takes dpkg's locks until the process ends. The text says why it could not.
func lockDpkg(p *kernel.Process) (release func(), busy string) {
	release = func() {}
	if FaultsOf(p.Kernel).locked() {
		return release, "dpkg frontend lock was locked by another process with pid " + strconv.Itoa(lockerPID) + lockAdvice
	}
	locks := []string{frontendLock, databaseLock}
	what := []string{"dpkg frontend lock", "dpkg database lock"}
	if p.Getenv("DPKG_FRONTEND_LOCKED") != "" {
		locks, what = locks[1:], what[1:]
	}
	for i, name := range locks {
		switch holder, err := lockPath(p, name); {
		case err == nil:
		case holder != nil:
			return release, fmt.Sprintf("%s was locked by another process with pid %d%s", what[i], holder.PID, lockAdvice)
		default:
			return release, fmt.Sprintf("unable to lock %s: %s", what[i], kernel.Strerror(err))
		}
	}
	return release, ""
}

const lockAdvice = "\nNote: removing the lock file is always wrong, can damage the locked area\nand the entire system. See <https://wiki.debian.org/Teams/Dpkg/FAQ#db-lock>."

// journalFile is what a dpkg that is interrupted leaves behind: apt-get refuses to work until dpkg --configure -a.
const journalFile = "/var/lib/dpkg/updates/0000"

// journaled runs a change of dpkg's database, whose steps are notes.
func journaled(p *kernel.Process, f func() int) int {
	code := f()
	if err := p.Unlink(journalFile); err != nil && err != syscall.ENOENT {
		p.Flush()
		p.Warnf("dpkg: error: failed to remove incorporated update file %s: %s\n", journalFile, kernel.Strerror(err))
		return 2
	}
	return code
}

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
	d.Write(p, fmt.Appendf(nil, p.Kernel.Now().In(libc.Location(p.Kernel)).Format("2006-01-02 15:04:05 ")+format+"\n", a...))
}

// place puts a file where the package wants it, as dpkg does: under another name, synced, renamed.
func place(p *kernel.Process, file, content string, perm uint32) error {
	if dir, ok := strings.CutSuffix(file, "/"); ok {
		return libc.MkdirOne(p, dir, true, nil, false)
	}
	if err := libc.MkdirOne(p, path.Dir(file), true, nil, false); err != nil {
		return err
	}
	return placeAs(p, file+".dpkg-new", file, content, perm)
}

func placeAs(p *kernel.Process, tmp, file, content string, perm uint32) error {
	if err := writeSynced(p, tmp, content, perm); err != nil {
		p.Unlink(tmp)
		return fmt.Errorf("cannot copy extracted data for '.%s' to '%s': failed to write (%s)", file, tmp, kernel.Strerror(err))
	}
	if err := p.Rename(tmp, file); err != nil {
		p.Unlink(tmp)
		return fmt.Errorf("unable to install new version of '%s': %s", file, kernel.Strerror(err))
	}
	return nil
}

func writeSynced(p *kernel.Process, file, content string, perm uint32) error {
	d, err := p.Open(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if content != "" {
		_, err = d.Write(p, []byte(content))
	}
	d.Sync()
	d.Release()
	return err
}

// listText is the content of a package's .list file.
func (pk Package) listText() string {
	seen := map[string]bool{"/.": true}
	add := func(file string) {
		for f := strings.TrimSuffix(file, "/"); f != "/" && f != "."; f = path.Dir(f) {
			seen[f] = true
		}
	}
	for f := range pk.content() {
		add(f)
	}
	for f := range pk.Conffiles {
		add(f)
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), "\n") + "\n"
}

// unpack installs a package whose dependencies are there. unconfigured leaves it unpacked.
func unpack(p *kernel.Process, pk Package, unconfigured bool) error {
	k := p.Kernel
	old := findPackage(k, pk.Name)
	was := "not-installed"
	if old != nil {
		_, _, was = old.state()
	}
	fresh := was == "not-installed" || was == "config-files"
	for _, any := range parseRelations(pk.Conflicts) {
		if c := findPackage(k, any[0].name); c != nil && c.get("Package") != pk.Name {
			if _, _, st := c.state(); st != "not-installed" && st != "config-files" {
				return fmt.Errorf("conflicting packages - not installing %s", pk.Name)
			}
		}
	}
	p.Printf("Preparing to unpack .../%s ...\n", pk.debFile(k.Config.Arch))
	if fresh {
		p.Printf("Unpacking %s (%s) ...\n", pk.Name, pk.Version)
		dpkgLog(p, "install %s:%s <none> %s", pk.Name, pk.arch(k.Config.Arch), pk.Version)
	} else {
		p.Printf("Unpacking %s (%s) over (%s) ...\n", pk.Name, pk.Version, old.get("Version"))
		dpkgLog(p, "upgrade %s:%s %s %s", pk.Name, pk.arch(k.Config.Arch), old.get("Version"), pk.Version)
	}
	p.Flush()
	if err := note(p, pk.Name, func(s *stanza) *stanza {
		if s == nil {
			return pk.stanza(k.Config.Arch, "install reinstreq half-installed")
		}
		want, _, _ := s.state()
		if want != "hold" {
			want = "install"
		}
		s.set("Status", want+" reinstreq half-installed")
		return s
	}); err != nil {
		return err
	}

	content := pk.content()
	var oldFiles []string
	if old != nil && !fresh {
		b, _ := p.ReadFile(listFile(k, old))
		oldFiles = strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	var done []string
	fail := func(err error) error {
		// As dpkg does, as far as it can: what was new goes away again, and the package is what it was.
		if fresh {
			for _, f := range done {
				p.Unlink(f)
			}
			if note(p, pk.Name, func(*stanza) *stanza { return old }) != nil {
				return err
			}
		}
		return err
	}
	for _, f := range slices.Sorted(maps.Keys(content)) {
		perm := uint32(0o644)
		if strings.HasPrefix(content[f], kernel.BinaryMagic) || strings.HasPrefix(content[f], "#!") {
			perm = 0o755
		}
		if err := place(p, f, content[f], perm); err != nil {
			return fail(err)
		}
		if !strings.HasSuffix(f, "/") && !slices.Contains(oldFiles, f) {
			done = append(done, f)
		}
	}
	var conffiles strings.Builder
	for _, f := range slices.Sorted(maps.Keys(pk.Conffiles)) {
		if err := libc.MkdirOne(p, path.Dir(f), true, nil, false); err != nil {
			return fail(err)
		}
		if err := writeSynced(p, f+".dpkg-new", pk.Conffiles[f], 0o644); err != nil {
			return fail(fmt.Errorf("cannot copy extracted data for '.%s' to '%s.dpkg-new': failed to write (%s)", f, f, kernel.Strerror(err)))
		}
		done = append(done, f+".dpkg-new")
		conffiles.WriteString(f + "\n")
	}
	for _, f := range oldFiles {
		if _, kept := content[f]; kept || slices.Contains(strings.Split(pk.listText(), "\n"), f) || conffileHash(old, f) != "" {
			continue
		}
		if st, err := p.Lstat(f); err == nil && !st.IsDir() {
			if err := p.Unlink(f); err != nil {
				return fail(err)
			}
		}
	}
	info := "/var/lib/dpkg/info/" + pk.Name
	for _, x := range [][2]string{{".conffiles", conffiles.String()}, {".postinst", pk.Postinst}, {".prerm", pk.Prerm}} {
		if x[1] != "" {
			perm := uint32(0o755)
			text := x[1]
			if x[0] == ".conffiles" {
				perm = 0o644
			} else if !strings.HasPrefix(text, "#!") {
				text = "#!/bin/sh\nset -e\n" + text + "\n"
			}
			if err := placeAs(p, info+x[0]+".dpkg-new", info+x[0], text, perm); err != nil {
				return fail(err)
			}
		} else if err := p.Unlink(info + x[0]); err != nil && err != syscall.ENOENT {
			return fail(err)
		}
	}
	if err := placeAs(p, info+".list-new", info+".list", pk.listText(), 0o644); err != nil {
		return fail(err)
	}
	for name, c := range pk.Commands {
		if c != nil {
			k.Handle(path.Base(name), c)
		}
	}
	if err := note(p, pk.Name, func(s *stanza) *stanza {
		want, _, _ := s.state()
		n := pk.stanza(k.Config.Arch, want+" ok unpacked")
		if !fresh && was != "half-installed" {
			n.set("Config-Version", cmp.Or(s.get("Config-Version"), old.get("Version")))
		} else if v := s.get("Config-Version"); v != "" {
			n.set("Config-Version", v)
		}
		// The digests of the configuration files as the last configured version had them.
		text := ""
		for _, f := range slices.Sorted(maps.Keys(pk.Conffiles)) {
			text += "\n " + f + " " + cmp.Or(conffileHash(s, f), "newconffile")
		}
		if text != "" {
			n.set("Conffiles", text)
		}
		return n
	}); err != nil {
		return err
	}
	p.Flush()
	if unconfigured {
		return nil
	}
	return configure(p, pk.Name)
}

// conffileHash is the digest of a configuration file in its package's last configured version; "" when there was none.
func conffileHash(s *stanza, file string) string {
	if s == nil {
		return ""
	}
	for line := range strings.SplitSeq(s.get("Conffiles"), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == file {
			return f[1]
		}
	}
	return ""
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

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
	for progress := true; progress && len(names) > 0; {
		progress = false
		var rest []string
		for _, n := range names {
			s := findPackage(p.Kernel, n)
			if s == nil {
				p.Flush()
				p.Warnf("dpkg: error processing package %[1]s (--configure):\n no package named '%[1]s' is installed, cannot configure\n", n)
				failed = append(failed, n)
				continue
			}
			if s.installed() {
				continue
			}
			if len(unmetField(p.Kernel, s.get("Depends"), func(st string) bool { return st == "installed" })) > 0 {
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
		for _, d := range unmetField(p.Kernel, findPackage(p.Kernel, n).get("Depends"), func(st string) bool { return st == "installed" }) {
			name, _, _ := strings.Cut(d, " ")
			why := "is not installed"
			if s := findPackage(p.Kernel, name); s != nil {
				why = "is not configured yet"
			}
			p.Warnf(" %s depends on %s; however:\n  archived %s %s.\n", n, d, name, why)
		}
		p.Warnf("\ndpkg: error processing package %s (--configure):\n dependency problems - leaving unconfigured\n", n)
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
		if code := quietRun(p, true, "/var/lib/dpkg/info/"+name+".postinst", "configure", s.get("Config-Version")); code != 0 {
			return fmt.Errorf("installed %s package post-installation script subprocess returned error exit status %d", name, code)
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

// conffile decides between a configuration file and its new version as dpkg does (deb-conffiles(5), dpkg(1) --force-conf*).
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
		p.Print(" ==> File on system created by you or by a script.\n ==> File also in package provided by package maintainer.\n")
	case !there:
		p.Print(" ==> Deleted (by you or by a script) since installation.\n ==> archived distributor has shipped an updated version.\n")
	default:
		p.Print(" ==> Modified (by you or by a script) since installation.\n ==> archived distributor has shipped an updated version.\n")
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
	p.Print("   What would you like to do about it ?  Your options are:\n    Y or I  : install the package maintainer's version\n    N or O  : keep your currently-installed version\n      D     : show the differences between the versions\n      Z     : start a shell to examine the situation\n The default action is to keep your current version.\n")
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

const helperState = "/var/lib/systemd/deb-systemd-helper-enabled/"

// setUpUnits does what Debian's maintainer scripts do through deb-systemd-helper and deb-systemd-invoke: units are
// enabled at the first installation and keep what the administrator made of them later.
func setUpUnits(p *kernel.Process, pk Package, fresh bool) {
	if len(pk.Units) == 0 {
		return
	}
	booted := quietRun(p, false, "test", "-d", "/run/systemd/system") == 0
	var start []string
	for _, n := range slices.Sorted(maps.Keys(pk.Units)) {
		if tmpl, inst := systemd.TemplateOf(n); tmpl != "" && inst == "" || slices.Contains(pk.Disabled, n) {
			continue
		}
		f := systemd.ParseUnit(pk.Units[n], n)
		if len(f.Words("Install.WantedBy"))+len(f.Words("Install.RequiredBy"))+len(f.Words("Install.Alias")) > 0 {
			if _, err := p.Lstat(helperState + n + ".dsh-also"); err != nil {
				if st, err := p.Lstat("/etc/systemd/system/" + n); err != nil || st.Target != "/dev/null" {
					quietRun(p, true, "systemctl", "--no-reload", "enable", n)
				}
				if libc.MkdirOne(p, path.Clean(helperState), true, nil, false) == nil {
					p.WriteFile(helperState+n+".dsh-also", nil, 0o644)
				}
			}
			start = append(start, n)
		}
	}
	if !booted {
		return
	}
	quietRun(p, false, "systemctl", "--system", "daemon-reload")
	verb := "restart"
	if fresh {
		verb = "start"
	}
	for _, n := range start {
		if quietRun(p, false, "systemctl", "is-enabled", "--quiet", n) == 0 || !fresh {
			if fresh || quietRun(p, false, "systemctl", "is-active", "--quiet", n) == 0 {
				quietRun(p, false, "systemctl", verb, n)
			}
		}
	}
}

// addSystemAccounts makes the users and groups that a package's maintainer script would.
func addSystemAccounts(p *kernel.Process, pk Package) error {
	for _, g := range pk.Groups {
		if libc.GroupByName(p.Kernel, g) == nil {
			if err := addSystemGroup(p, g); err != nil {
				return err
			}
		}
	}
	for _, u := range pk.Users {
		if libc.UserByName(p.Kernel, u) != nil {
			continue
		}
		if libc.GroupByName(p.Kernel, u) == nil {
			if err := addSystemGroup(p, u); err != nil {
				return err
			}
		}
		uid := uint32(103)
		for libc.UserByID(p.Kernel, uid) != nil {
			uid++
		}
		if err := appendLine(p, "/etc/passwd", fmt.Sprintf("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin", u, uid, libc.GroupByName(p.Kernel, u).GID)); err != nil {
			return err
		}
		if err := appendLine(p, "/etc/shadow", u+":!:20221::::::"); err != nil {
			return err
		}
	}
	return nil
}

func addSystemGroup(p *kernel.Process, name string) error {
	gid := uint32(106)
	for libc.GroupByID(p.Kernel, gid) != nil {
		gid++
	}
	if err := appendLine(p, "/etc/group", fmt.Sprintf("%s:x:%d:", name, gid)); err != nil {
		return err
	}
	return appendLine(p, "/etc/gshadow", name+":!::")
}

func appendLine(p *kernel.Process, file, line string) error {
	b, err := p.ReadFile(file)
	if err != nil {
		return err
	}
	return libc.ReplaceFile(p, file, append(slices.Clip(b), line+"\n"...), 0o644)
}

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
