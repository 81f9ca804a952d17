package host

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// observationParser builds an Observation from the frames of [Query.script].
type observationParser struct {
	q       *Query
	o       *Observation
	kind    string // of the current frame
	arg     string // the rest of its header
	buf     bytes.Buffer
	sums    bytes.Buffer // the lines of all "sums" frames
	early   string       // what a probe printed before its script was read
	ended   bool
	size    int64
	problem error
}

// maxObservation limits the memory of one observation, in bytes. 200 edited files of 1 MiB fit.
const maxObservation = 256 << 20

func newObservationParser(q *Query) *observationParser {
	return &observationParser{q: q, o: &Observation{
		paths: map[string]Stat{}, sums: map[string]string{}, shown: map[string][]byte{}, contents: map[string][]byte{},
		links: map[string]string{}, packages: map[string]PackageState{}, units: map[string]UnitState{},
		users: map[string]UserState{}, groups: map[string]GroupState{}, sysctls: map[string]string{},
		modules: map[string]bool{}, builtin: map[string]bool{}, resolved: map[string]string{},
		settings: map[string][]string{}, probes: map[string]ProbeResult{}, outlook: newOutlook(nil, false),
	}}
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

// flush parses the frame that has ended.
func (p *observationParser) flush() {
	b := bytes.Clone(p.buf.Bytes())
	p.buf.Reset()
	switch p.kind {
	case "facts":
		p.o.Facts, p.o.now = readFacts(string(b))
	case "paths":
		p.readPaths(b)
	case "sums":
		p.sums.Write(b)
	case "shown", "content", "link":
		p.readNamed(b)
	case "packages":
		p.readPackages(string(b))
	case "units":
		p.readUnits(string(b))
	case "installs":
		p.readInstalls(string(b))
	case "boots":
		p.readBoots(string(b))
	case "files":
		for _, f := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
			p.o.settings[f] = nil
		}
	case "settings":
		p.readSettings(string(b))
	case "users":
		p.readUsers(string(b))
	case "shadow":
		p.readShadow(string(b))
	case "groups":
		p.readGroups(string(b))
	case "gshadow":
		p.readGroupShadow(string(b))
	case "sysctls":
		p.readSysctls(string(b))
	case "modules":
		for _, m := range strings.Fields(string(b)) {
			p.o.modules[m] = true
		}
	case "builtin":
		for _, line := range strings.Fields(string(b)) {
			name, _, _ := strings.Cut(path.Base(line), ".ko")
			p.o.modules[name], p.o.builtin[name] = true, true
		}
	case "mounts":
		p.o.mounts = readMountinfo(string(b))
	case "swaps":
		p.o.swaps = readSwaps(string(b))
	case "resolved":
		p.readResolved(string(b))
	case "leftovers":
		if len(b) > 0 {
			p.o.leftovers = append(p.o.leftovers, strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")...)
		}
	case "probe":
		p.early = string(b)
	case "read":
		if name, ok := p.probe(p.arg); ok {
			p.o.probes[name] = ProbeResult{Output: b}
		}
	case "exit":
		p.readExit()
	}
	p.kind = ""
}

// readNamed parses a path, ended by a NUL, and the content of its file or the target of its link.
func (p *observationParser) readNamed(b []byte) {
	name, rest, _ := bytes.Cut(b, []byte{0})
	switch path := string(name); {
	case p.kind == "content":
		p.o.contents[path] = rest
	case p.kind == "link":
		p.o.links[path] = string(rest)
	case len(rest) <= maxShown:
		p.o.shown[path] = rest
	}
}

// probe returns the name of the probe with the index.
func (p *observationParser) probe(index string) (string, bool) {
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n >= len(p.q.probes.list) {
		return "", false
	}
	return p.q.probes.list[n], true
}

// readExit parses the header of the frame that ends a probe: its index and exit status.
func (p *observationParser) readExit() {
	f := strings.Fields(p.arg)
	if len(f) != 2 {
		return
	}
	name, ok := p.probe(f[0])
	if !ok {
		return
	}
	r, read := p.o.probes[name]
	if !read && p.problem == nil {
		p.problem = fmt.Errorf("%w: the machine's sh cannot parse the script of %s: %s",
			lab.ErrInvalid, lab.Printable(name), lastLine(p.early))
	}
	r.Exit, _ = strconv.Atoi(f[1])
	p.o.probes[name] = r
}

// lastLine returns the last line of text that is not empty, made printable. Of a shell's syntax
// error it names the place.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return lab.Printable(strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:]))
}

// readPaths parses pairs of a name and "mode uid gid user group size mtime ctime", each ended by a
// NUL.
func (p *observationParser) readPaths(b []byte) {
	parts := bytes.Split(b, []byte{0})
	for i := 0; i+1 < len(parts); i += 2 {
		f := strings.Split(string(parts[i+1]), " ")
		if len(f) != 8 {
			continue
		}
		mode := parseUint(f[0], 16)
		s := Stat{
			Mode: Mode(mode & 0o7777), UID: int(parseUint(f[1], 10)), GID: int(parseUint(f[2], 10)), User: f[3], Group: f[4],
			Size:     int64(parseUint(f[5], 10)),
			Modified: time.Unix(int64(parseUint(f[6], 10)), 0), Changed: time.Unix(int64(parseUint(f[7], 10)), 0),
		}
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

// readSums parses the lines of sha256sum: "hash  name". A line with an escaped name starts with a
// backslash.
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

// readPackages parses lines of dpkg-query: status in three letters, name, architecture and version. The
// architecture of dpkg is that of the machine; packages of architecture all count as packages of it.
func (p *observationParser) readPackages(text string) {
	found := map[string]PackageState{} // by name and architecture
	for line := range strings.Lines(text) {
		left, version, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || len(left) < 4 {
			continue
		}
		s := PackageState{Status: strings.TrimRight(left[:3], " ")}
		s.Installed, s.Held = s.Status[1:] == "i", s.Status[0] == 'h'
		if s.Installed {
			s.Version = version
		}
		found[left[3:]] = s
		if arch, ok := strings.CutPrefix(left[3:], "dpkg:"); ok && s.Installed {
			p.o.dpkgArch = arch
		}
	}
	for _, name := range p.q.packages.list {
		full := p.o.fullName(name)
		s, ok := found[full]
		if base, own := strings.CutSuffix(full, ":"+p.o.dpkgArch); !ok && own {
			s = found[base+":all"]
		}
		p.o.packages[name] = s
	}
}

// readUnits parses the output of systemctl show: one block for each unit, in the order of the query,
// separated by empty lines.
func (p *observationParser) readUnits(text string) {
	blocks := strings.Split(strings.Trim(text, "\n"), "\n\n")
	if len(blocks) != len(p.q.units.list) {
		if p.problem == nil {
			p.problem = fmt.Errorf("systemctl reported %d units, %d were asked for", len(blocks), len(p.q.units.list))
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
		p.o.units[p.q.units.list[i]] = UnitState{
			Load: v["LoadState"], Active: v["ActiveState"], Sub: v["SubState"], File: v["UnitFileState"],
			NeedReload: v["NeedDaemonReload"] == "yes", InvocationID: v["InvocationID"],
			Fragment: v["FragmentPath"], Result: v["Result"],
			Entered: time.Duration(parseUint(v["ActiveEnterTimestampMonotonic"], 10)) * time.Microsecond,

			id: v["Id"], source: v["SourcePath"], wantedBy: strings.TrimSpace(v["WantedBy"] + " " + v["RequiredBy"]),
			oneshot: v["Type"] == "oneshot" && v["RemainAfterExit"] != "yes",
			exited:  parseUint(v["ExecMainExitTimestampMonotonic"], 10) > 0,
			unmet:   v["ConditionResult"] == "no" && parseUint(v["ConditionTimestampMonotonic"], 10) > 0,
		}
	}
}

// readInstalls parses the names of linked units that have an [Install] section.
func (p *observationParser) readInstalls(text string) {
	for line := range strings.Lines(text) {
		name := strings.TrimSuffix(line, "\n")
		if u, ok := p.o.units[name]; ok {
			u.install = true
			p.o.units[name] = u
		}
	}
}

// readBoots parses lines of the ID of a unit and whether it is on at boot; an ID may be that of several names.
func (p *observationParser) readBoots(text string) {
	for line := range strings.Lines(text) {
		id, boot, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		for name, u := range p.o.units {
			if u.id == id {
				u.boot = boot
				p.o.units[name] = u
			}
		}
	}
}

// readSettings parses lines of "path:text" of configuration files.
func (p *observationParser) readSettings(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for i := range len(line) {
			if line[i] != ':' {
				continue
			}
			if lines, ok := p.o.settings[line[:i]]; ok {
				p.o.settings[line[:i]] = append(lines, line[i+1:])
				break
			}
		}
	}
}

// readSysctls parses lines of "path:value" of files of /proc/sys. A path may contain a colon, that of
// an interface alias. Only the first line of a file counts.
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

// readUsers parses lines of passwd(5).
func (p *observationParser) readUsers(text string) {
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 7 {
			p.o.users[f[0]] = UserState{
				UID: int(parseUint(f[2], 10)), GID: int(parseUint(f[3], 10)), Comment: f[4], Home: f[5], Shell: f[6],
				shadowed: f[1] == "x",
			}
		}
	}
}

// readShadow parses lines of shadow(5).
func (p *observationParser) readShadow(text string) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 3 {
			continue
		}
		if u, ok := p.o.users[f[0]]; ok {
			u.PasswordHash, u.HasShadow = lab.NewSecret(f[1]), true
			p.o.users[f[0]] = u
		}
	}
}

// readGroups parses lines of group(5).
func (p *observationParser) readGroups(text string) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 4 {
			continue
		}
		g := GroupState{GID: int(parseUint(f[2], 10)), shadowed: f[1] == "x"}
		if f[3] != "" {
			g.Members = strings.Split(f[3], ",")
		}
		p.o.groups[f[0]] = g
	}
}

// readGroupShadow parses lines of gshadow(5).
func (p *observationParser) readGroupShadow(text string) {
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, ":")
		if g, ok := p.o.groups[name]; ok {
			g.hasShadow = true
			p.o.groups[name] = g
		}
	}
}

// readMountinfo parses /proc/self/mountinfo (proc(5)), in which a hyphen separates the fields of the
// mount from those of its file system.
func readMountinfo(text string) (ms []MountState) {
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		super := strings.Split(r[2], ",")
		ms = append(ms, MountState{
			Source: unescapeMount(r[1]), Target: unescapeMount(l[4]), FSType: r[0],
			Options: append(strings.Split(l[5], ","), super...),
			id:      l[0], parent: l[1], device: l[2], super: super,
		})
	}
	return ms
}

// readSwaps returns the areas in /proc/swaps (proc(5)), whose first line is a heading.
func readSwaps(text string) (areas []string) {
	for i, line := range strings.Split(text, "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 {
			areas = append(areas, unescapeMount(f[0]))
		}
	}
	return areas
}

// readResolved parses paths, and after them the same paths without symbolic links, each ended by a NUL. If
// one could not be resolved, none counts.
func (p *observationParser) readResolved(text string) {
	names := strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
	half := len(names) / 2
	for i := 0; i < half && len(names) == 2*half; i++ {
		p.o.resolved[names[i]] = names[half+i]
	}
}

// escapedByte matches an octal escape of a mount table: of a blank, a backslash or a number sign, or, in
// fstab, of any byte.
var escapedByte = regexp.MustCompile(`\\[0-3][0-7][0-7]`)

// unescapeMount decodes the escapes of a mount table.
func unescapeMount(s string) string {
	return escapedByte.ReplaceAllStringFunc(s, func(e string) string {
		return string([]byte{byte(parseUint(e[1:], 8))})
	})
}
