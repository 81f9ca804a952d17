package host

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Observation is what a machine answered. While a plan is made it is also what the machine will be: a planned change that others build on,
// such as an edit of a file that is edited again, is written into it.
type Observation struct {
	Facts Facts

	paths     map[string]Stat
	sums      map[string]string // hex
	shown     map[string][]byte
	contents  map[string][]byte
	links     map[string]string
	packages  map[string]PackageState
	units     map[string]UnitState
	users     map[string]UserState
	groups    map[string]GroupState
	sysctls   map[string]string
	modules   map[string]bool
	mounts    []MountState
	swaps     []string
	probes    map[string]ProbeResult
	now       time.Time
	projected map[string]bool   // contents that are planned, not read
	pending   map[string]bool   // IDs of resources with a change in this plan
	prints    map[string]string // fingerprints of resources, see [fingerprinter]
	late      bool              // this is the second look, after the first round of changes
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
func (o *Observation) Stat(path string) Stat { return o.paths[path] }

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
	b, ok := o.contents[path]
	return b, ok
}

// project records that a file will have this content once the change that is being planned is made.
func (o *Observation) project(path string, content []byte, s Stat) {
	o.contents[path] = content
	o.paths[path] = s
	o.projected[path] = true
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

// observationParser builds an Observation of the frames of [Query.script].
type observationParser struct {
	q       *Query
	o       *Observation
	kind    string
	arg     string
	buf     bytes.Buffer
	sums    bytes.Buffer // the lines of all "sums" frames
	early   string       // what was printed of a probe before it ran
	ended   bool
	size    int64
	problem error
}

// maxObservation bounds the memory of one observation. 200 edited files of 1 MiB would pass it.
const maxObservation = 256 << 20

func newObservationParser(q *Query) *observationParser {
	return &observationParser{q: q, o: &Observation{
		paths: map[string]Stat{}, sums: map[string]string{}, shown: map[string][]byte{}, contents: map[string][]byte{},
		links: map[string]string{}, packages: map[string]PackageState{}, units: map[string]UnitState{}, users: map[string]UserState{},
		groups: map[string]GroupState{}, sysctls: map[string]string{}, modules: map[string]bool{}, probes: map[string]ProbeResult{}, projected: map[string]bool{}}}
}

func (p *observationParser) header(h string) {
	p.flush()
	p.kind, p.arg, _ = strings.Cut(h, " ")
	p.ended = p.ended || p.kind == "end"
}

func (p *observationParser) data(b []byte) {
	if p.size += int64(len(b)); p.size > maxObservation {
		p.problem = fmt.Errorf("the machine answered more than %d MiB", maxObservation>>20)
		return
	}
	p.buf.Write(b)
}

// finish returns the observation. The output must have ended.
func (p *observationParser) finish() (*Observation, error) {
	p.flush()
	if p.problem == nil && !p.ended {
		p.problem = fmt.Errorf("the answer ends early")
	}
	p.readSums()
	return p.o, p.problem
}

// flush reads the frame that has ended.
func (p *observationParser) flush() {
	b := bytes.Clone(p.buf.Bytes())
	p.buf.Reset()
	text := string(b)
	named := func() (string, []byte) {
		name, rest, _ := bytes.Cut(b, []byte{0})
		return string(name), rest
	}
	switch p.kind {
	case "facts":
		p.o.Facts, p.o.now = readFacts(text)
	case "paths":
		p.readPaths(b)
	case "sums":
		p.sums.Write(b)
	case "shown":
		if name, rest := named(); len(rest) <= maxShown {
			p.o.shown[name] = rest
		}
	case "content":
		name, rest := named()
		p.o.contents[name] = rest
	case "link":
		name, rest := named()
		p.o.links[name] = string(rest)
	case "packages":
		p.readPackages(text)
	case "units":
		p.readUnits(text)
	case "installs":
		for line := range strings.Lines(text) {
			name := strings.TrimSuffix(line, "\n")
			if u, ok := p.o.units[name]; ok {
				u.install = true
				p.o.units[name] = u
			}
		}
	case "users":
		p.readUsers(text)
	case "shadow":
		for line := range strings.Lines(text) {
			if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) > 2 {
				if u, ok := p.o.users[f[0]]; ok {
					u.PasswordHash, u.HasShadow = lab.NewSecret(f[1]), true
					p.o.users[f[0]] = u
				}
			}
		}
	case "groups":
		for line := range strings.Lines(text) {
			if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 4 {
				g := GroupState{GID: int(parseUint(f[2], 10))}
				if f[3] != "" {
					g.Members = strings.Split(f[3], ",")
				}
				p.o.groups[f[0]] = g
			}
		}
	case "sysctls":
		p.readSysctls(text)
	case "modules":
		for _, m := range strings.Fields(text) {
			p.o.modules[m] = true
		}
	case "mounts":
		p.o.mounts = readMountinfo(text)
	case "swaps":
		for i, line := range strings.Split(text, "\n") {
			if f := strings.Fields(line); i > 0 && len(f) > 0 {
				p.o.swaps = append(p.o.swaps, unescapeMount(f[0]))
			}
		}
	case "probe":
		p.early = text
	case "read":
		if n, err := strconv.Atoi(p.arg); err == nil && n < len(p.q.probes.list) {
			p.o.probes[p.q.probes.list[n]] = ProbeResult{Output: b}
		}
	case "exit":
		f := strings.Fields(p.arg)
		if len(f) == 2 {
			if n, err := strconv.Atoi(f[0]); err == nil && n < len(p.q.probes.list) {
				name := p.q.probes.list[n]
				r, read := p.o.probes[name]
				if !read && p.problem == nil {
					p.problem = fmt.Errorf("%w: the machine's sh cannot read the script of %s: %s", lab.ErrInvalid, lab.Printable(name), lastLine(p.early))
				}
				r.Exit, _ = strconv.Atoi(f[1])
				p.o.probes[name] = r
			}
		}
	}
	p.kind = ""
}

// lastLine returns the last line of text that is not empty, fit for a terminal: of what a shell could not read it names the place.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return lab.Printable(strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:]))
}

// readPaths reads pairs of a name and "mode uid gid user group size mtime ctime", each ended by a NUL.
func (p *observationParser) readPaths(b []byte) {
	parts := bytes.Split(b, []byte{0})
	for i := 0; i+1 < len(parts); i += 2 {
		f := strings.Split(string(parts[i+1]), " ")
		if len(f) != 8 {
			continue
		}
		mode := parseUint(f[0], 16)
		s := Stat{Mode: Mode(mode & 0o7777), UID: int(parseUint(f[1], 10)), GID: int(parseUint(f[2], 10)), User: f[3], Group: f[4],
			Size: int64(parseUint(f[5], 10)), Modified: time.Unix(int64(parseUint(f[6], 10)), 0), Changed: time.Unix(int64(parseUint(f[7], 10)), 0)}
		switch mode & 0o170000 { // stat(2)
		case 0o100000:
			s.Type = RegularFile
		case 0o040000:
			s.Type = DirFile
		case 0o120000:
			s.Type = LinkFile
		default:
			s.Type = OtherFile
		}
		p.o.paths[string(parts[i])] = s
	}
}

// readSums reads sha256sum's lines: "hash  name". A name with a newline or a backslash is escaped, and a backslash leads the line.
func (p *observationParser) readSums() {
	for line := range strings.Lines(p.sums.String()) {
		hash, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok {
			continue
		}
		if h, escaped := strings.CutPrefix(hash, `\`); escaped {
			hash, name = h, strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
		}
		if b, err := hex.DecodeString(hash); err == nil && len(b) == 32 {
			p.o.sums[name] = hash
		}
	}
}

func (p *observationParser) readPackages(text string) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		s := PackageState{Status: strings.TrimRight(f[2], " ")}
		if len(s.Status) >= 2 {
			s.Installed, s.Held = s.Status[1] == 'i' && len(s.Status) == 2, s.Status[0] == 'h'
		}
		if s.Installed {
			s.Version = f[3]
		}
		// a package of several architectures counts as installed when one of them is
		for _, name := range []string{f[0], f[0] + ":" + f[1]} {
			if !p.o.packages[name].Installed {
				p.o.packages[name] = s
			}
		}
	}
}

// readUnits reads systemctl's blocks, one a unit in the order in which they were asked for, separated by empty lines.
func (p *observationParser) readUnits(text string) {
	blocks := strings.Split(strings.Trim(text, "\n"), "\n\n")
	if len(blocks) != len(p.q.units.list) {
		if p.problem == nil {
			p.problem = fmt.Errorf("systemctl answered of %d units, asked of %d", len(blocks), len(p.q.units.list))
		}
		return
	}
	for i, block := range blocks {
		v := map[string]string{}
		for line := range strings.Lines(block) {
			if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
				v[key] = value
			}
		}
		p.o.units[p.q.units.list[i]] = UnitState{Load: v["LoadState"], Active: v["ActiveState"], Sub: v["SubState"], File: v["UnitFileState"],
			NeedReload: v["NeedDaemonReload"] == "yes", InvocationID: v["InvocationID"], Fragment: v["FragmentPath"], Result: v["Result"],
			Entered: time.Duration(parseUint(v["ActiveEnterTimestampMonotonic"], 10)) * time.Microsecond}
	}
}

// readSysctls reads "path:value" of files of /proc/sys; a path may hold a colon, that of an interface's alias. Of several lines the first is taken.
func (p *observationParser) readSysctls(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for i := range len(line) {
			if line[i] != ':' || !p.q.sysctls.has[line[:i]] {
				continue
			}
			if _, ok := p.o.sysctls[line[:i]]; !ok {
				p.o.sysctls[line[:i]] = strings.Join(strings.Fields(line[i+1:]), " ")
			}
			break
		}
	}
}

func (p *observationParser) readUsers(text string) {
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 7 {
			p.o.users[f[0]] = UserState{UID: int(parseUint(f[2], 10)), GID: int(parseUint(f[3], 10)), Comment: f[4], Home: f[5], Shell: f[6]}
		}
	}
}

// readMountinfo reads /proc/self/mountinfo (proc(5)): a hyphen separates the mount's fields from its file system's.
func readMountinfo(text string) (ms []MountState) {
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		ms = append(ms, MountState{Source: unescapeMount(r[1]), Target: unescapeMount(l[4]), FSType: r[0],
			Options: append(strings.Split(l[5], ","), strings.Split(r[2], ",")...)})
	}
	return ms
}

// unescapeMount undoes the octal escapes of a space, a tab, a newline and a backslash in the mount tables.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// parseSeconds reads seconds with a fraction.
func parseSeconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}
