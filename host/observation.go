package host

import (
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Observation is a machine's answers to a [Query] and, while a plan is made, the expected effect of
// the changes planned so far. A resource's Plan must not write to it.
type Observation struct {
	Facts Facts

	paths    map[string]Stat
	sums     map[string]string // hex
	shown    map[string][]byte
	contents map[string][]byte
	links    map[string]string
	packages map[string]PackageState
	dpkgArch string // the architecture of packages, as dpkg names it; empty if no package was asked for
	units    map[string]UnitState
	users    map[string]UserState
	groups   map[string]GroupState
	sysctls  map[string]string
	modules  map[string]bool
	builtin  map[string]bool // modules of the kernel itself
	mounts   []MountState
	resolved map[string]string   // path -> the same without symbolic links, of mount points
	settings map[string][]string // configuration file that is read at boot -> the lines that were asked for
	swaps    []string
	probes   map[string]ProbeResult
	now      time.Time

	leftovers []string // temporary files of runs that were cut off

	*outlook
}

// outlook is what is known of the changes planned so far. Only [wanted.diff] writes to it.
type outlook struct {
	files   map[string]ExpectedFile // files after the changes so far
	pending map[string]bool         // IDs of resources and sets with a change so far
	tokens  map[string]string       // token -> ID of the first changed resource that provides it
	prints  map[string]string       // fingerprints by ID, see [Fingerprinter]
	final   bool                    // changes have been made: nothing that is still missing can be deferred
}

func newOutlook(prints map[string]string, final bool) *outlook {
	return &outlook{
		files: map[string]ExpectedFile{}, pending: map[string]bool{}, tokens: map[string]string{},
		prints: prints, final: final,
	}
}

// Pending reports whether the resource or set with the ID is changed earlier in the plan.
func (o *Observation) Pending(id string) bool { return o.pending[id] }

// PendingToken returns the ID of the first resource that is changed earlier in the plan and provides
// the token, see [Relations]; "" if there is none.
func (o *Observation) PendingToken(token string) string { return o.tokens[token] }

// Fingerprint returns the fingerprint of the resource or set with the ID, see [Fingerprinter]; "" if
// it has none.
func (o *Observation) Fingerprint(id string) string { return o.prints[id] }

// CanDefer reports whether something that a resource lacks may still be provided by a change before
// it, so that its op can be [Op.Deferred]: changes are planned, and none has been made yet.
func (o *Observation) CanDefer() bool { return !o.final && len(o.pending) > 0 }

// Expected returns the file as earlier changes of the plan leave it, see [Op.Expected]; false if
// none of them describes it.
func (o *Observation) Expected(path string) (ExpectedFile, bool) {
	f, ok := o.files[path]
	return f, ok
}

// FileType is the type of a file.
type FileType string

// The types of files.
const (
	NoFile      FileType = "" // nothing is there
	RegularFile FileType = "file"
	DirFile     FileType = "directory"
	LinkFile    FileType = "link"
	OtherFile   FileType = "special file" // a device, a pipe, a socket
)

// Stat is what stat(1) reports of a path, without following links.
type Stat struct {
	Type        FileType // NoFile if nothing is there
	Mode        Mode     // permission bits with setuid, setgid and sticky
	UID, GID    int
	User, Group string // names; "UNKNOWN" if the id has none
	Size        int64
	Modified    time.Time // whole seconds
	Changed     time.Time // ctime, of the inode; whole seconds
}

// fullName returns the name of a package with its architecture, that of the machine unless it names one.
func (o *Observation) fullName(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return name + ":" + o.dpkgArch
}

// shortName returns the name of a package as apt prints it: with its architecture only if it is not that of
// the machine.
func (o *Observation) shortName(name string) string {
	return strings.TrimSuffix(name, ":"+o.dpkgArch)
}

// PackageState is what dpkg reports of a package.
type PackageState struct {
	Installed bool   // installed and configured
	Held      bool   // marked to be kept at its version
	Status    string // dpkg's abbreviation: "ii", "hi", "rc", "iF"; empty if dpkg does not know the package
	Version   string // empty if not installed
}

// UnitState is what systemd reports of a unit.
type UnitState struct {
	Load         string // "loaded", "not-found", "masked", "bad-setting", "error"
	Active       string // "active", "inactive", "failed", "activating", ...
	Sub          string
	File         string // "enabled", "disabled", "static", "masked", "enabled-runtime", "indirect", ... or empty
	NeedReload   bool   // the unit's files changed since systemd read them
	InvocationID string // of the current run; empty if it never ran
	Fragment     string // path of the unit's file
	Result       string
	Entered      time.Duration // when it became active, on the monotonic clock; 0 if it is not

	install  bool   // its file is a link in /etc/systemd/system to one with an [Install] section
	id       string // its own name; the name that was asked for may be an alias
	source   string // the file that it was generated from
	wantedBy string // names of units that start it
	boot     string // "on", "off", "part" or, if File says it already, empty: whether it is started at boot
	oneshot  bool   // it ends by itself, and does not count as active afterwards
	exited   bool   // its main process has ended since the boot
	unmet    bool   // a condition in its file kept it from being started the last time
}

// UserState is an account of passwd(5) and shadow(5).
type UserState struct {
	UID, GID     int
	Comment      string
	Home, Shell  string
	PasswordHash lab.Secret // as in shadow(5); empty if there is none or it could not be read
	HasShadow    bool       // shadow(5) has an entry for it

	shadowed bool // its entry says that the password is in shadow(5)
}

// GroupState is a group of group(5).
type GroupState struct {
	GID     int
	Members []string

	shadowed, hasShadow bool // its entry says that it has one in gshadow(5); it has
}

// MountState is a line of /proc/self/mountinfo (proc(5)).
type MountState struct {
	Source, Target, FSType string
	Options                []string // of the mount and of its file system

	id, parent string
	device     string   // "8:1"
	super      []string // the options of the file system alone
}

// ProbeResult is what a probe printed, on standard output and standard error, and its exit status.
type ProbeResult struct {
	Output []byte
	Exit   int
}

// Stat returns what is at the path; its Type is [NoFile] if nothing is. The path must have been
// asked for with [Query.Path] or another method of Query that takes a path.
func (o *Observation) Stat(path string) Stat {
	if f, ok := o.Expected(path); ok {
		return f.Stat
	}
	return o.paths[path]
}

// Sum returns the SHA-256, in hex, of the regular file at the path; "" if there is none or it could
// not be read.
func (o *Observation) Sum(path string) string {
	return o.sums[path]
}

// Shown returns the content, for a diff, of a file whose sum differs from that given to [Query.Sum];
// false if it is not known.
func (o *Observation) Shown(path string) ([]byte, bool) {
	b, ok := o.shown[path]
	return b, ok
}

// Content returns the content of the regular file at the path; false if there is none.
func (o *Observation) Content(path string) ([]byte, bool) {
	if f, ok := o.Expected(path); ok {
		return f.Content, true
	}
	b, ok := o.contents[path]
	return b, ok
}

// Link returns the target of the symbolic link at the path; "" if there is no link.
func (o *Observation) Link(path string) string { return o.links[path] }

// Package returns the state of a package, of the machine's architecture unless the name ends in another.
func (o *Observation) Package(name string) PackageState { return o.packages[name] }

// Unit returns the state of a unit.
func (o *Observation) Unit(name string) UnitState { return o.units[name] }

// User returns an account; false if there is none.
func (o *Observation) User(name string) (UserState, bool) {
	u, ok := o.users[name]
	return u, ok
}

// Group returns a group; false if there is none.
func (o *Observation) Group(name string) (GroupState, bool) {
	g, ok := o.groups[name]
	return g, ok
}

// userWith returns the name of the account with the UID, which [Query.User] must have asked for as a
// number; false if there is none.
func (o *Observation) userWith(uid int) (name string, ok bool) {
	for _, name := range sortedKeys(o.users) {
		if o.users[name].UID == uid {
			return name, true
		}
	}
	return "", false
}

// groupWith is userWith for a group.
func (o *Observation) groupWith(gid int) (name string, ok bool) {
	for _, name := range sortedKeys(o.groups) {
		if o.groups[name].GID == gid {
			return name, true
		}
	}
	return "", false
}

// Sysctl returns a kernel parameter with runs of white space replaced by one space; false if the
// kernel has none of this name.
func (o *Observation) Sysctl(key string) (string, bool) {
	v, ok := o.sysctls[sysctlPath(key)]
	return v, ok
}

// Module reports whether the kernel module is loaded or built in.
func (o *Observation) Module(name string) bool { return o.modules[name] }

// Mounts returns the mount table.
func (o *Observation) Mounts() []MountState { return o.mounts }

// Swaps returns the active swap areas.
func (o *Observation) Swaps() []string { return o.swaps }

// Now returns the machine's time if [Query.Clock] asked for it, the zero time otherwise.
func (o *Observation) Now() time.Time { return o.now }

// Probe returns the result of a probe.
func (o *Observation) Probe(name string) ProbeResult { return o.probes[name] }

// Expected describes the machine after an op, as far as other resources look at it. The zero value
// describes nothing.
type Expected struct {
	Files    []ExpectedFile
	Hostname string // the name of the machine; empty means unchanged
}

// ExpectedFile is a file after an op.
type ExpectedFile struct {
	Path    string
	Content []byte
	Stat    Stat
}
