package systemd

import (
	"cmp"
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
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// Manager is the service manager of one machine, with what it has loaded and runs.
type Manager struct {
	k       *kernel.Kernel
	mu      sync.Mutex
	units   map[string]*unit
	journal []logLine
	gen     int // counts daemon-reloads
}

type logLine struct {
	at   time.Time
	unit string
	tag  string
	pid  int
	text string
}

// A fileStamp tells whether a file changed since it was read.
type fileStamp struct {
	path    string
	ino     uint32
	changes uint32
	mtime   int64
}

// A unit is what systemd knows of a unit that it has loaded.
type unit struct {
	name     string // Id
	names    []string
	load     string // loaded, not-found, masked, bad-setting
	fragment string
	dropIns  []string
	file     *UnitFile
	stamps   []fileStamp

	active, sub, result string
	invocation          string
	stateChange         time.Time
	inactiveExit        time.Time
	activeEnter         time.Time
	activeExit          time.Time
	inactiveEnter       time.Time
	execStart           time.Time
	execExit            time.Time
	execCode            int // CLD_EXITED 1, CLD_KILLED 2
	execStatus          int
	execPID             int
	Restarts            int
	starts              []time.Time // for the start limit
	proc                *kernel.Process
	ready               chan struct{}
	stopping            bool
	next                func() // cancels a pending restart
}

var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/usr/local/lib/systemd/system", "/lib/systemd/system"}

func (s *Manager) read(file string) ([]byte, fileStamp, error) {
	t := s.k.Tree
	t.Lock()
	defer t.Unlock()
	sp, err := t.Must(kernel.RootCred, "/", file, true)
	if err != nil {
		return nil, fileStamp{}, err
	}
	i := sp.At.Inode()
	if i.IsDir() {
		return nil, fileStamp{}, syscall.EISDIR
	}
	return slices.Clip(i.Data), fileStamp{file, i.Num, i.Changes, i.MTime}, nil
}

// parsedFile gives a parsed unit file; those of the images are parsed once for all machines.
func (s *Manager) parsedFile(file string) (*UnitFile, fileStamp, error) {
	t := s.k.Tree
	t.Lock()
	sp, err := t.Must(kernel.RootCred, "/", file, true)
	if err != nil {
		t.Unlock()
		return nil, fileStamp{}, err
	}
	i := sp.At.Inode()
	raw, own := i.Data, i.Owned
	stamp := fileStamp{file, i.Num, i.Changes, i.MTime}
	var text string
	if own {
		text = string(raw)
	}
	t.Unlock()
	if own {
		return ParseUnit(text, file), stamp, nil
	}
	return parseShared(raw, file), stamp, nil
}

func TemplateOf(name string) (template, instance string) {
	at := strings.IndexByte(name, '@')
	dot := strings.LastIndexByte(name, '.')
	if at < 0 || dot < at {
		return "", ""
	}
	return name[:at+1] + name[dot:], name[at+1 : dot]
}

// find gives the fragment of a unit name and, through links, the unit's own name.
func (s *Manager) find(name string) (fragment, id string, masked bool) {
	fs := s.k.FS()
	for _, n := range []string{name, first(TemplateOf(name))} {
		if n == "" {
			continue
		}
		for _, dir := range unitDirs {
			file := dir + "/" + n
			st, err := fs.Lstat(file)
			if err != nil {
				continue
			}
			if st.IsSymlink() {
				if st.Target == "/dev/null" {
					return file, name, true
				}
				to := path.Base(st.Target)
				if to != n && to != "" {
					if _, inst := TemplateOf(name); inst != "" {
						if tmpl, ti := TemplateOf(to); tmpl != "" && ti == "" {
							to = strings.Replace(tmpl, "@.", "@"+inst+".", 1)
						}
					}
					if to != name {
						if f, id, masked := s.find(to); f != "" {
							return f, id, masked
						}
					}
				}
				r, err := fs.Stat(file)
				if err != nil {
					continue
				}
				if r.IsRegular() {
					if strings.HasPrefix(r.Path, "/usr/lib/systemd/system/") {
						return r.Path[len("/usr"):], name, false
					}
					return r.Path, name, false
				}
				continue
			}
			if st.IsRegular() {
				if st.Size == 0 {
					return file, name, true
				}
				return file, name, false
			}
		}
	}
	return "", name, false
}

func first(a, _ string) string { return a }

// loadUnit reads a unit anew, keeping its state.
func (s *Manager) loadUnit(name string) *unit {
	fragment, id, masked := s.find(name)
	u := s.units[id]
	if u == nil {
		u = &unit{name: id, active: "inactive", sub: "dead", result: "success"}
		s.units[id] = u
	}
	if name != id {
		s.units[name] = u
		if !slices.Contains(u.names, name) {
			u.names = append(u.names, name)
		}
	}
	u.fragment, u.dropIns, u.stamps = fragment, nil, nil
	u.file = &UnitFile{settings: map[string][]string{}}
	switch {
	case masked:
		u.load = "masked"
		return u
	case fragment == "":
		u.load = "not-found"
		if where, ok := s.mountedUnit(id); ok {
			u.load = "loaded"
			u.file.settings["Mount.Where"] = []string{where}
		}
		if strings.HasSuffix(id, ".device") || strings.HasSuffix(id, ".slice") || strings.HasSuffix(id, ".scope") {
			u.load = "loaded"
		}
	default:
		f, st, err := s.parsedFile(fragment)
		if err != nil {
			u.load = "error"
			return u
		}
		u.file, u.stamps = f, append(u.stamps, st)
		u.load = "loaded"
	}
	// Drop-ins of the unit, of its template, and of its type.
	seen := map[string]string{}
	dirs := []string{id + ".d"}
	for _, n := range u.names {
		dirs = append(dirs, n+".d")
	}
	if t, _ := TemplateOf(id); t != "" {
		dirs = append(dirs, t+".d")
	}
	dirs = append(dirs, strings.TrimPrefix(path.Ext(id), ".")+".d")
	fs := s.k.FS()
	for _, base := range unitDirs {
		for _, d := range dirs {
			names, err := fs.ReadDir(base + "/" + d)
			if err != nil {
				continue
			}
			for _, n := range names {
				if strings.HasSuffix(n, ".conf") && seen[n] == "" {
					seen[n] = base + "/" + d + "/" + n
				}
			}
		}
	}
	if u.load != "not-found" {
		for _, n := range slices.Sorted(maps.Keys(seen)) {
			b, st, err := s.read(seen[n])
			if err != nil {
				continue
			}
			if l, e := fs.Lstat(seen[n]); e == nil && l.IsSymlink() && l.Target == "/dev/null" {
				continue
			}
			u.file = u.file.merge(string(b), seen[n])
			u.dropIns = append(u.dropIns, seen[n])
			u.stamps = append(u.stamps, st)
		}
	}
	if u.load == "loaded" && strings.HasSuffix(id, ".service") {
		if u.file.bad != "" {
			u.load = u.file.bad
		} else if len(u.file.all("Service.ExecStart")) == 0 && u.file.get("Service.Type") != "oneshot" && fragment != "" && !s.isDone(u) {
			u.load = "bad-setting"
		} else if n := len(u.file.all("Service.ExecStart")); n > 1 && u.file.get("Service.Type") != "oneshot" {
			u.load = "bad-setting"
		}
	}
	return u
}

// isDone: a service without ExecStart= is allowed when it has ExecStop= and RemainAfterExit=yes, or a success action.
func (s *Manager) isDone(u *unit) bool {
	return u.file.get("Unit.SuccessAction") != "" || len(u.file.all("Service.ExecStop")) > 0 && IsYes(u.file.get("Service.RemainAfterExit")) || u.name == "systemd-reboot.service"
}

func IsYes(v string) bool { return v == "yes" || v == "true" || v == "1" || v == "on" }

// Unit gives a loaded unit, loading it when it is not in memory.
func (s *Manager) Unit(name string) *unit {
	if u := s.units[name]; u != nil {
		// What is not running is not kept: systemd reads it again.
		if u.load == "not-found" || u.active == "inactive" && u.load != "masked" && len(u.stamps) > 0 && s.stale(u) && u.proc == nil && s.gone(u) {
			return s.loadUnit(name)
		}
		return u
	}
	return s.loadUnit(name)
}

// gone tells that a unit's file was removed, so that an inactive unit is forgotten.
func (s *Manager) gone(u *unit) bool {
	f, _, _ := s.find(u.name)
	return f != u.fragment
}

// stale is NeedDaemonReload: a file of the unit, or the set of its drop-ins, has changed since it was loaded.
func (s *Manager) stale(u *unit) bool {
	for _, st := range u.stamps {
		if _, now, err := s.read(st.path); err != nil || now != st {
			return true
		}
	}
	fresh := &Manager{k: s.k, units: map[string]*unit{}}
	f := fresh.loadUnit(u.name)
	return f.fragment != u.fragment || !slices.Equal(f.dropIns, u.dropIns) || (f.load == "masked") != (u.load == "masked")
}

// Start is boot: generators, then everything that the default target wants.
func Start(k *kernel.Kernel) {
	s := &Manager{k: k, units: map[string]*unit{}}
	b := kernel.Local[managers](k)
	b.mu.Lock()
	b.now = s
	b.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generate()
	fs := k.FS()
	seen := map[string]bool{}
	var want func(name string)
	var order []string
	want = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		u := s.loadUnit(name)
		for _, d := range append(u.file.Words("Unit.Requires"), u.file.Words("Unit.Wants")...) {
			want(d)
		}
		for _, kind := range []string{".wants", ".requires"} {
			for _, dir := range unitDirs {
				names, err := fs.ReadDir(dir + "/" + u.name + kind)
				if err != nil {
					continue
				}
				slices.Sort(names)
				for _, n := range names {
					want(n)
				}
			}
		}
		order = append(order, name)
	}
	want("default.target")
	for _, n := range order {
		u := s.Unit(n)
		if u.load == "loaded" {
			s.startLocked(u, true)
		}
	}
	for _, f := range libc.Fstab(k) {
		if f.MountAt == "/" || slices.Contains(f.Options, "noauto") || f.FSType == "swap" || f.MountAt == "none" {
			continue
		}
		if u := s.Unit(mountUnitName(f.MountAt)); u.load == "loaded" && u.active != "active" {
			s.startLocked(u, true)
		}
	}
}

// generate is what the fstab generator does at boot and at each daemon-reload.
func (s *Manager) generate() {
	t := s.k.Tree
	t.Quietly(func() error {
		t.RemoveAll("/run/systemd/generator")
		t.MkdirAll("/run/systemd/generator")
		return nil
	})
	for _, f := range libc.Fstab(s.k) {
		if !strings.HasPrefix(f.MountAt, "/") || f.MountAt == "/proc" {
			continue
		}
		text := "# Automatically generated by systemd-fstab-generator\n\n[Unit]\nSourcePath=/etc/fstab\nDocumentation=man:fstab(5) man:systemd-fstab-generator(8)\n\n[Mount]\nWhat=" + f.Spec + "\nWhere=" + f.MountAt + "\nType=" + f.FSType + "\nOptions=" + strings.Join(f.Options, ",") + "\n"
		t.Quietly(func() error {
			return t.Put("/run/systemd/generator/"+mountUnitName(f.MountAt), 0o644, []byte(text))
		})
	}
}

// mountUnitName escapes a path as systemd-escape -p does.
func mountUnitName(where string) string { return escapeUnitPath(where) + ".mount" }

func escapeUnitPath(p string) string {
	p = strings.Trim(path.Clean(p), "/")
	if p == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(p) {
		c := p[i]
		switch {
		case c == '/':
			b.WriteByte('-')
		case c == '_' || c == ':' || c == '.' && i > 0 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

func unescapeUnitPath(s string) string {
	if s == "-" {
		return "/"
	}
	var b strings.Builder
	b.WriteByte('/')
	for i := 0; i < len(s); i++ {
		if s[i] == '-' {
			b.WriteByte('/')
			continue
		}
		if strings.HasPrefix(s[i:], `\x`) && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountedUnit tells whether a .mount unit stands for something mounted.
func (s *Manager) mountedUnit(name string) (string, bool) {
	base, ok := strings.CutSuffix(name, ".mount")
	if !ok {
		return "", false
	}
	where := unescapeUnitPath(base)
	for _, mt := range s.k.Mounts() {
		if mt.Target == where {
			return where, true
		}
	}
	return where, false
}

func (s *Manager) setState(u *unit, active, sub string) {
	now := s.k.Now()
	if u.active != active {
		u.stateChange = now
		if u.active == "inactive" || u.active == "failed" {
			u.inactiveExit = now
		}
		if u.active == "active" {
			u.activeExit = now
		}
		switch active {
		case "active":
			u.activeEnter = now
		case "inactive", "failed":
			u.inactiveEnter = now
		}
	}
	u.active, u.sub = active, sub
}

func (s *Manager) log(u *unit, tag string, pid int, format string, a ...any) {
	s.journal = append(s.journal, logLine{s.k.Now(), u.name, tag, pid, fmt.Sprintf(format, a...)})
	if len(s.journal) > 4096 {
		s.journal = slices.Delete(s.journal, 0, 1024)
	}
}

var errDependency = errors.New("dependency")

// startLocked starts a unit and what it requires. At boot nothing is counted. The error is for the job.
func (s *Manager) startLocked(u *unit, boot bool) error {
	if u.active == "active" || u.active == "activating" {
		if !strings.HasSuffix(u.name, ".mount") {
			return nil
		}
	}
	if u.load != "loaded" {
		return fmt.Errorf("Unit %s not found.", u.name)
	}
	for _, c := range u.file.Words("Unit.Conflicts") {
		if x := s.units[c]; x != nil && x.active == "active" && c != "shutdown.target" {
			s.stopLocked(x)
		}
	}
	for _, dep := range slices.Concat(u.file.Words("Unit.Requires"), u.file.Words("Unit.BindsTo"), s.mountDeps(u)) {
		d := s.Unit(dep)
		if d == u {
			continue
		}
		if d.load == "not-found" && !strings.HasSuffix(dep, ".mount") && !strings.HasSuffix(dep, ".device") {
			return fmt.Errorf("Unit %s not found.", dep)
		}
		if d.load == "masked" {
			return fmt.Errorf("Unit %s is masked.", dep)
		}
		if d.load == "loaded" && d.active != "active" {
			if s.startLocked(d, boot) != nil {
				s.log(u, "systemd", 1, "Dependency failed for %s.", s.describe(u))
				return errDependency
			}
		}
	}
	for _, dep := range u.file.Words("Unit.Wants") {
		if d := s.Unit(dep); d.load == "loaded" && d.active != "active" && d != u {
			s.startLocked(d, boot)
		}
	}
	if !boot {
		if err := s.k.Mutate(nil); err != nil {
			return err
		}
	}
	for k, vals := range u.file.settings {
		kind, _ := strings.CutPrefix(k, "Unit.")
		assert := strings.HasPrefix(kind, "Assert")
		if !strings.HasPrefix(kind, "Condition") && !assert {
			continue
		}
		for _, v := range vals {
			if !s.condition(strings.TrimPrefix(strings.TrimPrefix(kind, "Condition"), "Assert"), v) {
				s.log(u, "systemd", 1, "%s was skipped because of an unmet condition check (%s=%s).", s.describe(u), kind, v)
				if assert {
					return fmt.Errorf("Assertion failed on job for %s.", u.name)
				}
				return nil
			}
		}
	}
	u.invocation = strings.ReplaceAll(kernel.NewUUID(), "-", "")
	switch path.Ext(u.name) {
	case ".service":
		return s.startService(u, boot)
	case ".mount":
		where := cmp.Or(u.file.get("Mount.Where"), unescapeUnitPath(strings.TrimSuffix(u.name, ".mount")))
		if _, ok := s.mountedUnit(u.name); !ok {
			if err := libc.Mount(s.k, u.file.get("Mount.What"), where, u.file.get("Mount.Type"), strings.Split(u.file.get("Mount.Options"), ",")); err != nil {
				u.result = "exit-code"
				s.setState(u, "failed", "failed")
				s.log(u, "systemd", 1, "%s: Mount process exited, code=exited, status=32/n/a", u.name)
				return errors.New("exit-code")
			}
		}
		u.result = "success"
		s.setState(u, "active", "mounted")
	case ".timer":
		s.setState(u, "active", "waiting")
	case ".socket", ".path":
		s.setState(u, "active", map[string]string{".socket": "listening", ".path": "waiting"}[path.Ext(u.name)])
	case ".device":
		s.setState(u, "active", "plugged")
	default:
		s.setState(u, "active", "active")
		if !boot {
			for _, kind := range []string{".wants", ".requires"} {
				for _, dir := range unitDirs {
					names, _ := s.k.FS().ReadDir(dir + "/" + u.name + kind)
					for _, n := range names {
						if d := s.Unit(n); d.load == "loaded" && d.active != "active" {
							s.startLocked(d, boot)
						}
					}
				}
			}
		}
	}
	return nil
}

// mountDeps gives the mount units that RequiresMountsFor= stands for: those of fstab on the way to the paths.
func (s *Manager) mountDeps(u *unit) []string {
	var out []string
	for _, p := range u.file.Words("Unit.RequiresMountsFor") {
		for dir := path.Clean(p); dir != "/" && dir != "."; dir = path.Dir(dir) {
			name := mountUnitName(dir)
			if d := s.Unit(name); d.load == "loaded" {
				out = append(out, name)
			}
		}
	}
	return out
}

func (s *Manager) describe(u *unit) string {
	if d := u.file.get("Unit.Description"); d != "" {
		return u.name + " - " + s.specifiers(u, d)
	}
	return u.name
}

func (s *Manager) condition(kind, v string) bool {
	v = strings.TrimPrefix(v, "|")
	not := strings.HasPrefix(v, "!")
	v = strings.TrimPrefix(v, "!")
	fs := s.k.FS()
	st, err := fs.Stat(v)
	ok := true
	switch kind {
	case "PathExists":
		ok = err == nil
	case "PathIsDirectory":
		ok = err == nil && st.IsDir()
	case "PathIsMountPoint":
		ok = slices.ContainsFunc(s.k.Mounts(), func(m kernel.Mount) bool { return m.Target == path.Clean(v) })
	case "FileNotEmpty":
		ok = err == nil && st.IsRegular() && st.Size > 0
	case "FileIsExecutable":
		ok = err == nil && st.IsRegular() && st.Mode&0o111 != 0
	case "DirectoryNotEmpty":
		names, err := fs.ReadDir(v)
		ok = err == nil && len(names) > 0
	case "PathExistsGlob":
		names, _ := fs.ReadDir(path.Dir(v))
		ok = slices.ContainsFunc(names, func(n string) bool { return libc.Fnmatch(path.Base(v), n) })
	case "Virtualization":
		ok = false
		if v == "no" {
			ok = true
		}
	case "Architecture":
		ok = v == s.k.Config.Arch || v == map[string]string{"amd64": "x86-64"}[s.k.Config.Arch]
	case "Host":
		ok = v == s.k.Hostname()
	}
	return ok != not
}

// specifiers expands %i, %n and the like.
func (s *Manager) specifiers(u *unit, v string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	tmpl, inst := TemplateOf(u.name)
	prefix := strings.TrimSuffix(u.name, path.Ext(u.name))
	if tmpl != "" {
		prefix, _, _ = strings.Cut(u.name, "@")
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '%' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		i++
		switch v[i] {
		case 'i':
			b.WriteString(inst)
		case 'I':
			b.WriteString(strings.TrimPrefix(unescapeUnitPath(inst), "/"))
		case 'n':
			b.WriteString(u.name)
		case 'N':
			b.WriteString(strings.TrimSuffix(u.name, path.Ext(u.name)))
		case 'p', 'P':
			b.WriteString(prefix)
		case 'f':
			b.WriteString(unescapeUnitPath(cmp.Or(inst, prefix)))
		case 't':
			b.WriteString("/run")
		case 'S':
			b.WriteString("/var/lib")
		case 'C':
			b.WriteString("/var/cache")
		case 'L':
			b.WriteString("/var/log")
		case 'E':
			b.WriteString("/etc")
		case 'h':
			b.WriteString("/root")
		case 'u':
			b.WriteString("root")
		case 'U':
			b.WriteString("0")
		case 'H':
			b.WriteString(s.k.Hostname())
		case 'm':
			id, _ := s.k.FS().ReadFile("/etc/machine-id")
			b.WriteString(strings.TrimSpace(string(id)))
		case 'b':
			b.WriteString(strings.ReplaceAll(s.k.BootID(), "-", ""))
		case '%':
			b.WriteByte('%')
		default:
			b.WriteString(v[i-1 : i+1])
		}
	}
	return b.String()
}

// splitCommand reads an Exec line: words with quotes and C escapes.
func splitCommand(line string) []string {
	var out []string
	var cur []byte
	have := false
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			have = true
			if j := strings.IndexByte(`abfnrtvs`, line[i]); j >= 0 {
				cur = append(cur, "\a\b\f\n\r\t\v "[j])
			} else {
				cur = append(cur, line[i])
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			cur = append(cur, c)
		case (c == '"' || c == '\'') && !have:
			quote, have = c, true
		case c == ' ' || c == '\t':
			if have {
				out = append(out, string(cur))
				cur, have = nil, false
			}
		default:
			cur = append(cur, c)
			have = true
		}
	}
	if have {
		out = append(out, string(cur))
	}
	return out
}

// command prepares an Exec line. ignore tells that its failure does not count.
func (s *Manager) command(u *unit, line string, env []string) (args []string, ignore bool) {
	for line != "" && strings.IndexByte("@-:+!", line[0]) >= 0 {
		if line[0] == '-' {
			ignore = true
		}
		line = line[1:]
	}
	lookup := func(n string) string {
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, n+"="); ok {
				return v
			}
		}
		return ""
	}
	for _, w := range splitCommand(s.specifiers(u, line)) {
		if n, ok := strings.CutPrefix(w, "$"); ok && libc.IsName(n) {
			args = append(args, strings.Fields(lookup(n))...)
			continue
		}
		for {
			i := strings.Index(w, "${")
			if i < 0 {
				break
			}
			j := strings.IndexByte(w[i:], '}')
			if j < 0 || !libc.IsName(w[i+2:i+j]) {
				break
			}
			w = w[:i] + lookup(w[i+2:i+j]) + w[i+j+1:]
		}
		args = append(args, strings.ReplaceAll(w, "$$", "$"))
	}
	return args, ignore
}

// environment gives what a service's processes get. The error is systemd's result word.
func (s *Manager) environment(u *unit) ([]string, error) {
	env := []string{"LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "INVOCATION_ID=" + u.invocation}
	set := func(kv string) {
		if n, v, ok := strings.Cut(kv, "="); ok {
			env = libc.Setenv(env, n, v)
		}
	}
	for _, line := range u.file.all("Service.Environment") {
		for _, w := range splitCommand(quoteInside(s.specifiers(u, line))) {
			set(w)
		}
	}
	for _, f := range u.file.all("Service.EnvironmentFile") {
		opt := strings.HasPrefix(f, "-")
		file := s.specifiers(u, strings.TrimPrefix(f, "-"))
		b, err := s.k.FS().ReadFile(file)
		if err != nil {
			if opt {
				continue
			}
			s.log(u, "systemd", 1, "%s: Failed to load environment files: %s", u.name, kernel.Strerror(err))
			return nil, errors.New("resources")
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' || line[0] == ';' {
				continue
			}
			if n, v, ok := strings.Cut(line, "="); ok {
				v = strings.TrimSpace(v)
				if len(v) > 1 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
					q := v[0]
					v = v[1 : len(v)-1]
					if q == '"' {
						v = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, `$`, "\\`", "`").Replace(v)
					}
				}
				set(strings.TrimSpace(n) + "=" + v)
			}
		}
	}
	return env, nil
}

// quoteInside turns A="b c" into "A=b c", which is the same to systemd.
func quoteInside(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] != ' ' && s[j] != '"' && s[j] != '\'' {
			j++
		}
		if j > i && j < len(s) && s[j] != ' ' && s[j-1] == '=' {
			if k := strings.IndexByte(s[j+1:], s[j]); k >= 0 {
				b.WriteByte(s[j])
				b.WriteString(s[i:j])
				b.WriteString(s[j+1 : j+2+k])
				i = j + 2 + k
				continue
			}
		}
		if j < len(s) {
			if s[j] != ' ' {
				if k := strings.IndexByte(s[j+1:], s[j]); k >= 0 {
					b.WriteString(s[i : j+2+k])
					i = j + 2 + k
					continue
				}
			}
			b.WriteString(s[i : j+1])
			i = j + 1
			continue
		}
		b.WriteString(s[i:])
		break
	}
	return b.String()
}

// journalStream takes the standard output of a service.
type journalStream struct {
	s    *Manager
	u    *unit
	tag  string
	mu   sync.Mutex
	rest []byte
}

func (j *journalStream) Read(*kernel.Process, []byte) (int, error) { return 0, syscall.EBADF }

func (j *journalStream) Write(p *kernel.Process, b []byte) (int, error) {
	j.mu.Lock()
	j.rest = append(j.rest, b...)
	var lines []string
	for {
		i := strings.IndexByte(string(j.rest), '\n')
		if i < 0 {
			break
		}
		lines = append(lines, string(j.rest[:i]))
		j.rest = j.rest[i+1:]
	}
	j.mu.Unlock()
	pid := 0
	if p != nil {
		pid = p.PID
	}
	j.s.logLines(j.u, j.tag, pid, lines)
	return len(b), nil
}

func (j *journalStream) Close() {}

// logLines is called by running services, which never hold the manager's lock.
func (s *Manager) logLines(u *unit, tag string, pid int, lines []string) {
	if len(lines) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.log(u, tag, pid, "%s", l)
	}
}

// spawn starts a command of a service as a process of init.
func (s *Manager) spawn(u *unit, args []string, env []string, stub bool) (_ *kernel.Process, err error) {
	k := s.k
	defer func() {
		// The machine goes down meanwhile.
		if r := recover(); r != nil {
			if _, ok := r.(kernel.Exit); !ok {
				panic(r)
			}
			err = errors.New("203/EXEC")
		}
	}()
	p := k.NewProcess(nil)
	p.SetUnit(u.name)
	p.SetArgs(args)
	p.SetEnv(env)
	fail := func(err error) (*kernel.Process, error) {
		p.Die(kernel.SigKILL)
		return nil, err
	}
	if name := u.file.get("Service.User"); name != "" && name != "root" && !IsYes(u.file.get("Service.DynamicUser")) {
		acc := libc.UserByName(k, name)
		if acc == nil {
			return fail(fmt.Errorf("217/USER"))
		}
		libc.BecomeUser(p, acc)
		p.SetEnv(libc.Setenv(libc.Setenv(libc.Setenv(env, "USER", acc.Name), "LOGNAME", acc.Name), "HOME", acc.Home))
	}
	if g := u.file.get("Service.Group"); g != "" {
		gr := libc.GroupByName(k, g)
		if gr == nil {
			return fail(fmt.Errorf("216/GROUP"))
		}
		p.SetGroup(gr.GID)
	}
	if d := u.file.get("Service.WorkingDirectory"); d != "" {
		opt := strings.HasPrefix(d, "-")
		d = s.specifiers(u, strings.TrimPrefix(d, "-"))
		st, err := k.FS().Stat(d)
		switch {
		case err == nil && st.IsDir():
			p.Chdir(st.Path)
		case !opt:
			return fail(fmt.Errorf("200/CHDIR"))
		}
	}
	file, err := libc.LookPath(p, args[0], "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if err != nil {
		return fail(fmt.Errorf("203/EXEC"))
	}
	exe := file
	if st, err := k.FS().Stat(file); err == nil {
		exe = st.Path
	}
	p.SetProgram(args, exe)
	if stub && isStub(k, p, file, args) {
		p.Stub = true
		return p, nil
	}
	tag := path.Base(args[0])
	out := kernel.NewStream(&journalStream{s: s, u: u, tag: tag}, os.O_WRONLY)
	p.Give(kernel.NewStream(kernel.Device("null"), os.O_RDONLY), out, out.Ref())
	p.Go(func(p *kernel.Process) int {
		code, err := p.Exec(file, args, p.Env)
		if err == syscall.ENOEXEC {
			return 203
		}
		if err != nil {
			return 203
		}
		return code
	})
	return p, nil
}

// isStub tells whether an executable is a daemon without a program: a process stands for it, without a goroutine.
func isStub(k *kernel.Kernel, p *kernel.Process, file string, args []string) bool {
	if path.Base(file) == "sshd" && slices.Contains(args, "-D") {
		return true // the server is this package
	}
	_, _, _, err := p.Load(file, args, 0)
	return err == kernel.ErrNoProgram
}

// startService runs a service. The manager's lock is held, and released while commands run.
func (s *Manager) startService(u *unit, boot bool) error {
	limit := s.k.Now().Add(-10 * time.Second)
	u.starts = slices.DeleteFunc(u.starts, func(t time.Time) bool { return t.Before(limit) })
	burst := 5
	if v := u.file.get("Unit.StartLimitBurst"); v != "" {
		burst, _ = strconv.Atoi(v)
	}
	if v := cmp.Or(u.file.get("Unit.StartLimitIntervalSec"), u.file.get("Unit.StartLimitInterval"), u.file.get("Service.StartLimitInterval")); v == "0" {
		burst = 1 << 30
	}
	if len(u.starts) >= burst && burst > 0 {
		u.result = "start-limit-hit"
		s.setState(u, "failed", "failed")
		s.log(u, "systemd", 1, "%s: Start request repeated too quickly.", u.name)
		return errors.New("start-limit-hit")
	}
	u.starts = append(u.starts, s.k.Now())
	if u.next != nil {
		u.next()
		u.next = nil
	}
	u.stopping = false
	typ := u.file.get("Service.Type")
	if typ == "" {
		typ = "simple"
		if len(u.file.all("Service.ExecStart")) == 0 {
			typ = "oneshot"
		}
	}
	fail := func(result string, code, status int) error {
		u.result, u.execCode, u.execStatus = result, code, status
		s.setState(u, "failed", "failed")
		s.log(u, "systemd", 1, "%s: Failed with result '%s'.", u.name, result)
		if !boot {
			s.log(u, "systemd", 1, "Failed to start %s.", s.describe(u))
		}
		return errors.New(result)
	}
	env, err := s.environment(u)
	if err != nil {
		return fail(err.Error(), 0, 0)
	}
	s.setState(u, "activating", "start")
	for _, key := range []string{"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory"} {
		root := map[string]string{"RuntimeDirectory": "/run/", "StateDirectory": "/var/lib/", "CacheDirectory": "/var/cache/", "LogsDirectory": "/var/log/"}[key]
		for _, d := range u.file.Words("Service." + key) {
			s.k.FS().MkdirAll(root + d)
		}
	}
	// run executes a control command and waits for it.
	run := func(line string) error {
		args, ignore := s.command(u, line, env)
		if len(args) == 0 {
			return nil
		}
		p, err := s.spawn(u, args, env, true)
		if err != nil {
			if ignore {
				return nil
			}
			status, _ := strconv.Atoi(strings.SplitN(err.Error(), "/", 2)[0])
			return fail("exit-code", 1, status)
		}
		if p.Stub { // a daemon of the base: it does nothing, well
			p.Finish(kernel.WaitStatus{})
			return nil
		}
		s.mu.Unlock()
		<-p.Done
		s.mu.Lock()
		st := p.Status
		if (st.Code != 0 || st.Signal != 0) && !ignore {
			if st.Signal != 0 {
				return fail("signal", 2, st.Signal)
			}
			return fail("exit-code", 1, st.Code)
		}
		return nil
	}
	for _, l := range append(u.file.all("Service.ExecCondition"), u.file.all("Service.ExecStartPre")...) {
		if boot {
			continue
		}
		if err := run(l); err != nil {
			return err
		}
	}
	if typ == "oneshot" {
		for _, l := range u.file.all("Service.ExecStart") {
			u.execStart = s.k.Now()
			if err := run(l); err != nil {
				s.scheduleRestart(u)
				return err
			}
			u.execExit, u.execCode, u.execStatus = s.k.Now(), 1, 0
		}
	} else {
		args, ignore := s.command(u, u.file.get("Service.ExecStart"), env)
		if len(args) == 0 {
			return fail("resources", 0, 0)
		}
		p, err := s.spawn(u, args, env, true)
		if err != nil {
			status, _ := strconv.Atoi(strings.SplitN(err.Error(), "/", 2)[0])
			u.execStart = s.k.Now()
			// Type=simple is started as soon as it is forked: what comes after is a failure of the running service.
			err := fail("exit-code", 1, status)
			s.scheduleRestart(u)
			if typ == "simple" || typ == "idle" || ignore {
				return nil
			}
			return err
		}
		u.proc, u.execPID, u.execStart = p, p.PID, s.k.Now()
		u.execExit, u.execCode, u.execStatus = time.Time{}, 0, 0
		ready := make(chan struct{})
		u.ready = ready
		stub := p.Stub
		gone := p.AtExit(func(st kernel.WaitStatus) { s.exited(u, p, st) })
		if gone && !stub {
			go s.exited(u, p, p.Status)
		}
		if (typ == "notify" || typ == "forking" || typ == "dbus" || typ == "notify-reload") && !stub {
			// The start job waits for readiness, or for the end of the process.
			s.mu.Unlock()
			timeout := make(chan struct{})
			stop := s.k.After(90*time.Second, func() { close(timeout) })
			select {
			case <-ready:
			case <-p.Done:
			case <-timeout:
				p.Die(kernel.SigKILL)
			}
			stop()
			s.mu.Lock()
			select {
			case <-ready:
			default:
				if typ == "forking" && p.Status == (kernel.WaitStatus{}) {
					u.proc = nil
					break
				}
				for u.proc == p && !s.k.Off() { // exited will tell, unless the machine goes down
					s.mu.Unlock()
					time.Sleep(time.Millisecond)
					s.mu.Lock()
				}
				return errors.New(u.result)
			}
		}
	}
	for _, l := range u.file.all("Service.ExecStartPost") {
		if boot {
			continue
		}
		if err := run(l); err != nil {
			s.killService(u)
			return err
		}
	}
	u.result = "success"
	switch {
	case typ == "oneshot" && !IsYes(u.file.get("Service.RemainAfterExit")):
		s.setState(u, "inactive", "dead")
	case typ == "oneshot":
		s.setState(u, "active", "exited")
	case u.active == "activating":
		s.setState(u, "active", "running")
	}
	if !boot {
		s.log(u, "systemd", 1, "Started %s.", s.describe(u))
	}
	return nil
}

// Ready tells the service manager that a service of Type=notify is up, as sd_notify(3) READY=1 does. Until then
// "systemctl start" waits.
func Ready(p *kernel.Process) {
	s := Of(p.Kernel)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[p.Unit]
	if u == nil || u.ready == nil {
		return
	}
	select {
	case <-u.ready:
	default:
		close(u.ready)
	}
}

// managers holds the service manager of this boot.
type managers struct {
	mu  sync.Mutex
	now *Manager
}

// Of is the service manager that runs.
func Of(k *kernel.Kernel) *Manager {
	b := kernel.Local[managers](k)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// exited is told when a main process has ended.
func (s *Manager) exited(u *unit, p *kernel.Process, st kernel.WaitStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.k.Off() || u.proc != p {
		return
	}
	u.proc = nil
	u.execExit = s.k.Now()
	u.execCode, u.execStatus = 1, st.Code
	if st.Signal != 0 {
		u.execCode, u.execStatus = 2, st.Signal
	}
	clean := st.Code == 0 && st.Signal == 0 || st.Signal == kernel.SigTERM || st.Signal == kernel.SigINT || st.Signal == kernel.SigHUP || st.Signal == kernel.SigPIPE ||
		slices.Contains(u.file.Words("Service.SuccessExitStatus"), strconv.Itoa(st.Code)) && st.Signal == 0
	if u.stopping {
		return // stopLocked goes on
	}
	s.log(u, "systemd", 1, "%s: Main process exited, code=%s, status=%d", u.name, map[int]string{1: "exited", 2: "killed"}[u.execCode], u.execStatus)
	if clean {
		u.result = "success"
		if IsYes(u.file.get("Service.RemainAfterExit")) {
			s.setState(u, "active", "exited")
		} else {
			s.setState(u, "inactive", "dead")
		}
	} else {
		u.result = "exit-code"
		if st.Signal != 0 {
			u.result = "signal"
		}
		s.setState(u, "failed", "failed")
		s.log(u, "systemd", 1, "%s: Failed with result '%s'.", u.name, u.result)
	}
	s.scheduleRestart(u)
}

// scheduleRestart follows Restart= after a service has ended by itself.
func (s *Manager) scheduleRestart(u *unit) {
	bad := u.result != "success"
	again := false
	switch u.file.get("Service.Restart") {
	case "always":
		again = true
	case "on-failure":
		again = bad
	case "on-abnormal", "on-abort":
		again = u.result == "signal"
	case "on-success":
		again = !bad
	}
	if slices.Contains(u.file.Words("Service.RestartPreventExitStatus"), strconv.Itoa(u.execStatus)) && u.execCode == 1 {
		again = false
	}
	if !again || u.stopping || u.result == "start-limit-hit" {
		return
	}
	d := 100 * time.Millisecond
	if v := u.file.get("Service.RestartSec"); v != "" {
		if x, ok := timespan(v); ok {
			d = x
		}
	}
	u.active, u.sub = "activating", "auto-restart"
	u.next = s.k.After(d, func() { s.Restart(u) })
}

// Restart starts a service again whose pause is over, unless the machine goes down, or was started anew, meanwhile.
func (s *Manager) Restart(u *unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if Of(s.k) != s || s.k.Off() || u.sub != "auto-restart" {
		return
	}
	u.next = nil
	u.active = "inactive"
	u.Restarts++
	s.startService(u, false)
}

// timespan reads systemd.time(7) spans.
func timespan(v string) (time.Duration, bool) {
	if f, err := strconv.ParseFloat(v, 64); err == nil {
		return time.Duration(f * float64(time.Second)), true
	}
	var total time.Duration
	units := map[string]time.Duration{"us": time.Microsecond, "usec": time.Microsecond, "ms": time.Millisecond, "msec": time.Millisecond, "s": time.Second, "sec": time.Second, "second": time.Second,
		"seconds": time.Second, "m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute, "h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
		"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour, "w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour}
	s := strings.ReplaceAll(v, " ", "")
	for s != "" {
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
			i++
		}
		j := i
		for j < len(s) && s[j]|0x20 >= 'a' && s[j]|0x20 <= 'z' {
			j++
		}
		f, err := strconv.ParseFloat(s[:i], 64)
		u, ok := units[s[i:j]]
		if err != nil || !ok {
			return 0, false
		}
		total += time.Duration(f * float64(u))
		s = s[j:]
	}
	return total, v != ""
}

// killService ends every process of a service.
func (s *Manager) killService(u *unit) {
	u.stopping = true
	p := u.proc
	u.proc = nil
	if p != nil {
		p.AtExit(nil)
	}
	for _, q := range s.k.Processes() {
		if q.InUnit(u.name) && (q == p || u.file.get("Service.KillMode") != "process") {
			q.Signal(kernel.SigTERM)
			if !q.IsDead() {
				q.Die(kernel.SigKILL) // after TimeoutStopSec, which is not waited for
			}
		}
	}
}

func (s *Manager) stopLocked(u *unit) error {
	if u.next != nil {
		u.next()
		u.next = nil
	}
	if u.active != "active" && u.active != "activating" && u.active != "reloading" {
		return nil
	}
	if err := s.k.Mutate(nil); err != nil {
		return err
	}
	// What requires this unit is stopped too.
	for _, x := range s.unitList() {
		if x != u && x.active == "active" && (slices.Contains(x.file.Words("Unit.Requires"), u.name) || slices.Contains(x.file.Words("Unit.BindsTo"), u.name) ||
			slices.Contains(x.file.Words("Unit.PartOf"), u.name) || slices.Contains(s.mountDeps(x), u.name)) {
			s.stopLocked(x)
		}
	}
	switch path.Ext(u.name) {
	case ".service":
		env, err := s.environment(u)
		if err == nil {
			if u.proc != nil {
				env = libc.Setenv(env, "MAINPID", strconv.Itoa(u.proc.PID))
			}
			u.stopping = true
			for _, l := range u.file.all("Service.ExecStop") {
				args, _ := s.command(u, l, env)
				if len(args) == 0 {
					continue
				}
				if p, err := s.spawn(u, args, env, true); err == nil {
					if p.Stub {
						p.Finish(kernel.WaitStatus{})
						continue
					}
					s.mu.Unlock()
					<-p.Done
					s.mu.Lock()
				}
			}
		}
		s.killService(u)
		if u.execExit.Before(u.execStart) {
			u.execExit, u.execCode, u.execStatus = s.k.Now(), 2, kernel.SigTERM
		}
		s.log(u, "systemd", 1, "Stopped %s.", s.describe(u))
	case ".mount":
		where := cmp.Or(u.file.get("Mount.Where"), unescapeUnitPath(strings.TrimSuffix(u.name, ".mount")))
		if err := libc.Unmount(s.k, where, false); err != nil {
			return err
		}
	}
	u.result = "success"
	s.setState(u, "inactive", "dead")
	return nil
}

// unitList gives each loaded unit once, by name.
func (s *Manager) unitList() []*unit {
	var out []*unit
	for _, k := range slices.Sorted(maps.Keys(s.units)) {
		if u := s.units[k]; u.name == k {
			out = append(out, u)
		}
	}
	return out
}

func (s *Manager) reloadLocked(u *unit) error {
	lines := u.file.all("Service.ExecReload")
	if len(lines) == 0 {
		return fmt.Errorf("Job type reload is not applicable for unit %s.", u.name)
	}
	if u.active != "active" {
		return fmt.Errorf("%s is not active, cannot reload.", u.name)
	}
	if err := s.k.Mutate(nil); err != nil {
		return err
	}
	env, err := s.environment(u)
	if err != nil {
		return err
	}
	if u.proc != nil {
		env = libc.Setenv(env, "MAINPID", strconv.Itoa(u.proc.PID))
	}
	for _, l := range lines {
		args, ignore := s.command(u, l, env)
		if len(args) == 0 || path.Base(args[0]) == "kill" && u.proc != nil && u.proc.Stub {
			continue // a daemon without a program takes any HUP well
		}
		p, err := s.spawn(u, args, env, true)
		if err != nil {
			return errors.New("exit-code")
		}
		if p.Stub {
			p.Finish(kernel.WaitStatus{})
			continue
		}
		s.mu.Unlock()
		<-p.Done
		s.mu.Lock()
		if p.Status != (kernel.WaitStatus{}) && !ignore {
			return errors.New("exit-code")
		}
	}
	return nil
}

// daemonReload reads every unit again.
func (s *Manager) daemonReload() error {
	if err := s.k.Mutate(nil); err != nil {
		return err
	}
	s.gen++
	s.generate()
	for _, u := range s.unitList() {
		if u.active == "inactive" || u.active == "failed" && u.load == "not-found" {
			for n, x := range s.units {
				if x == u {
					delete(s.units, n)
				}
			}
			if u.active == "inactive" && u.inactiveEnter.IsZero() {
				continue
			}
		}
		names := u.names
		s.units[u.name] = u
		u.names = nil
		for _, n := range names {
			if _, id, _ := s.find(n); id == u.name {
				u.names = append(u.names, n)
				s.units[n] = u
			} else {
				delete(s.units, n)
			}
		}
		s.loadUnit(u.name)
	}
	return nil
}
