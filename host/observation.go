package host

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Observation is what a machine answered, and, while a plan is made, what the changes before a resource will have made of it. Nothing that
// looks at it writes to it.
type Observation struct {
	Facts Facts

	paths    map[string]Stat
	sums     map[string]string // hex
	shown    map[string][]byte
	contents map[string][]byte
	links    map[string]string
	packages map[string]PackageState
	units    map[string]UnitState
	users    map[string]UserState
	groups   map[string]GroupState
	sysctls  map[string]string
	modules  map[string]bool
	mounts   []MountState
	swaps    []string
	probes   map[string]ProbeResult
	now      time.Time

	*outlook
}

// outlook is what is known of a plan while it is made: the changes so far. Only [wanted.diff] writes to it.
type outlook struct {
	files   map[string]ExpectedFile // as the changes so far leave them
	pending map[string]bool         // IDs of resources and sets with a change so far
	tokens  map[string]string       // what the changed resources provide -> the ID of the first that does
	prints  map[string]string       // fingerprints by ID, see [Fingerprinter]
	final   bool                    // changes were made already: what is still missing does not come by waiting
}

func newOutlook(prints map[string]string, final bool) *outlook {
	return &outlook{files: map[string]ExpectedFile{}, pending: map[string]bool{}, tokens: map[string]string{}, prints: prints, final: final}
}

// Pending reports whether the resource, or the set, with the ID is changed earlier in the plan.
func (o *Observation) Pending(id string) bool { return o.pending[id] }

// PendingToken returns the ID of the first resource that is changed earlier in the plan and provides the token, see [Provider]; "" when there
// is none.
func (o *Observation) PendingToken(token string) string { return o.tokens[token] }

// Fingerprint returns the fingerprint of the resource, or the set, with the ID, see [Fingerprinter]; "" when it has none.
func (o *Observation) Fingerprint(id string) string { return o.prints[id] }

// CanDefer reports whether what a resource misses may still come: changes are planned before it and none has been made yet. Its op is then
// [Op.Deferred].
func (o *Observation) CanDefer() bool { return !o.final && len(o.pending) > 0 }

// Expected returns the file as the changes before leave it, see [Op.Expected]; false when none of them says.
func (o *Observation) Expected(path string) (ExpectedFile, bool) {
	f, ok := o.files[path]
	return f, ok
}

// FileType is the type of a file.
type FileType string

// The types of files, "" for none.
const (
	NoFile      FileType = ""
	RegularFile FileType = "file"
	DirFile     FileType = "directory"
	LinkFile    FileType = "link"
	OtherFile   FileType = "special file" // a device, a pipe, a socket
)

// Stat is what stat(1) says of a path, links not followed.
type Stat struct {
	Type        FileType // NoFile when there is nothing
	Mode        Mode     // permission bits with setuid, setgid and sticky
	UID, GID    int
	User, Group string // names; "UNKNOWN" when there is none for the id
	Size        int64
	Modified    time.Time // whole seconds
	Changed     time.Time // of the inode; whole seconds
}

// PackageState is what dpkg says of a package.
type PackageState struct {
	Installed bool   // installed and configured
	Held      bool   // marked to be kept as it is
	Status    string // dpkg's abbreviation, "ii", "hi", "rc", "iF"; empty when dpkg does not know it
	Version   string // empty when not installed
}

// UnitState is what systemd says of a unit.
type UnitState struct {
	Load         string // "loaded", "not-found", "masked", "bad-setting", "error"
	Active       string // "active", "inactive", "failed", "activating", ...
	Sub          string
	File         string // "enabled", "disabled", "static", "masked", "enabled-runtime", "indirect", ... or empty
	NeedReload   bool   // the unit's files changed since systemd read them
	InvocationID string // of the run that is active; empty when it never ran
	Fragment     string // the unit's file
	Result       string
	Entered      time.Duration // when it became active, on the monotonic clock; 0 when it is not

	install bool // its file is a link in /etc/systemd/system, to one that says what enabling it means
}

// UserState is an account of passwd(5) and shadow(5).
type UserState struct {
	UID, GID     int
	Comment      string
	Home, Shell  string
	PasswordHash lab.Secret // as in shadow(5); empty when there is none, or when it could not be read
	HasShadow    bool       // shadow(5) has a line of it
}

// GroupState is a group of group(5).
type GroupState struct {
	GID     int
	Members []string
}

// MountState is a line of /proc/self/mountinfo (proc(5)).
type MountState struct {
	Source, Target, FSType string
	Options                []string // of the mount and of its file system
}

// ProbeResult is what a probe printed, on both its outputs, and how it ended.
type ProbeResult struct {
	Output []byte
	Exit   int
}

// Stat returns what is at the path; its Type is [NoFile] when nothing is. The path must have been asked for by [Query.Path].
func (o *Observation) Stat(path string) Stat {
	if f, ok := o.Expected(path); ok {
		return f.Stat
	}
	return o.paths[path]
}

// Sum returns the SHA-256 in hex of the regular file at the path, "" when there is none or it could not be read.
func (o *Observation) Sum(path string) string {
	return o.sums[path]
}

// Shown returns the content of a file whose sum was not wanted, for a diff; false when it is not known.
func (o *Observation) Shown(path string) ([]byte, bool) {
	b, ok := o.shown[path]
	return b, ok
}

// Content returns the content of the regular file at the path; false when there is none.
func (o *Observation) Content(path string) ([]byte, bool) {
	if f, ok := o.Expected(path); ok {
		return f.Content, true
	}
	b, ok := o.contents[path]
	return b, ok
}

// Link returns where the symbolic link at the path points, "" when there is no link.
func (o *Observation) Link(path string) string { return o.links[path] }

// Package returns the state of a package.
func (o *Observation) Package(name string) PackageState { return o.packages[name] }

// Unit returns the state of a unit.
func (o *Observation) Unit(name string) UnitState { return o.units[name] }

// User returns an account; false when there is none.
func (o *Observation) User(name string) (UserState, bool) {
	u, ok := o.users[name]
	return u, ok
}

// Group returns a group; false when there is none.
func (o *Observation) Group(name string) (GroupState, bool) {
	g, ok := o.groups[name]
	return g, ok
}

// Sysctl returns a kernel parameter with its white space folded; false when the kernel has none of this name.
func (o *Observation) Sysctl(key string) (string, bool) {
	v, ok := o.sysctls[sysctlPath(key)]
	return v, ok
}

// Module reports whether the kernel module is loaded or built in.
func (o *Observation) Module(name string) bool { return o.modules[name] }

// Mounts returns the table of mounts.
func (o *Observation) Mounts() []MountState { return o.mounts }

// Swaps returns the active swap areas.
func (o *Observation) Swaps() []string { return o.swaps }

// Now returns the machine's time, when [Query.Clock] asked for it.
func (o *Observation) Now() time.Time { return o.now }

// Probe returns what a probe printed.
func (o *Observation) Probe(name string) ProbeResult { return o.probes[name] }

// Expected is what an op leaves behind, as far as other resources look at it. The zero value says nothing.
type Expected struct {
	Files    []ExpectedFile
	Hostname string // the name of the machine; empty means that it stays
}

// ExpectedFile is a file as an op leaves it.
type ExpectedFile struct {
	Path    string
	Content []byte
	Stat    Stat
}
