package utillinux

import (
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// ConfFiles lists the .conf files of a configuration directory of /etc, /run and /usr/lib in the order in which they
// are read: by name, where /etc hides /run and /run hides /usr/lib.
func ConfFiles(fs kernel.FS, dir string) []string {
	found := map[string]string{}
	for _, root := range []string{"/usr/lib/", "/usr/local/lib/", "/run/", "/etc/"} {
		names, err := fs.ReadDir(root + dir)
		if err != nil {
			continue
		}
		for _, n := range names {
			if strings.HasSuffix(n, ".conf") {
				found[n] = root + dir + "/" + n
			}
		}
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[n])
	}
	return out
}

func StripComments(s string) string {
	var b strings.Builder
	for l := range strings.SplitSeq(s, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' || l[0] == ';' {
			continue
		}
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.String()
}

type SysctlLine struct {
	Key, Value string
	optional   bool // the line starts with a dash
}

func ParseSysctl(s string) []SysctlLine {
	var out []SysctlLine
	for l := range strings.SplitSeq(StripComments(s), "\n") {
		k, v, ok := strings.Cut(l, "=")
		if !ok {
			continue
		}
		k = strings.TrimSpace(k)
		opt := strings.HasPrefix(k, "-")
		key := strings.ReplaceAll(strings.TrimPrefix(k, "-"), "/", ".")
		out = append(out, SysctlLine{key, strings.TrimSpace(v), opt})
	}
	return out
}

// ApplySysctl sets the kernel's parameters as systemd-sysctl does at boot. The last file counts, but a line that
// repeats the value of its name keeps the place of the first. Patterns set what no line names.
func ApplySysctl(k *kernel.Kernel) {
	var made []SysctlLine
	for _, f := range ConfFiles(k.FS(), "sysctl.d") {
		b, _ := k.FS().ReadFile(f)
		for _, l := range ParseSysctl(string(b)) {
			at := slices.IndexFunc(made, func(m SysctlLine) bool { return m.Key == l.Key })
			if at >= 0 && made[at].Value == l.Value {
				continue
			}
			if at >= 0 {
				made = slices.Delete(made, at, at+1)
			}
			made = append(made, l)
		}
	}
	for _, l := range made {
		key := strings.ReplaceAll(l.Key, ".", "/")
		if !strings.Contains(key, "*") {
			k.SetSysctl(key, l.Value)
		}
	}
}

// cmdSystemdSysctl is what systemd-sysctl.service runs.
func cmdSystemdSysctl(p *kernel.Process) int {
	ApplySysctl(p.Kernel)
	return 0
}

const sysctlLong = "all>a binary>b ignore>e names>N values>n load[=>p quiet>q write>w system pattern=>r"

// sysctl is one run of it.
type sysctl struct {
	p    *kernel.Process
	o    *libc.Options
	code int // the exit code
}

func cmdSysctl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aAbeFhNnp::qr:wX", sysctlLong)
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "b", "F", "r", "X") {
		return 1
	}
	s := &sysctl{p: p, o: o}
	switch {
	case o.Has("system"):
		s.loadSystem()
	case o.Has("p"):
		s.loadFiles()
	case o.Has("a", "A"):
		s.showAll()
	case len(o.Args) == 0:
		p.Warnf("\nUsage:\n sysctl [options] [variable[=value] ...]\n")
		return 1
	default:
		for _, a := range o.Args {
			s.operand(a)
		}
	}
	return s.code
}

// sysctlFile is the file of a parameter.
func sysctlFile(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }

// show prints a parameter as the options say.
func (s *sysctl) show(key, value string) {
	switch {
	case s.o.Has("q"):
	case s.o.Has("n"):
		s.p.Print(value, "\n")
	case s.o.Has("N"):
		s.p.Print(key, "\n")
	default:
		s.p.Print(key, " = ", value, "\n")
	}
}

// fail says what is wrong; sysctl goes on, and fails in the end.
func (s *sysctl) fail(format string, a ...any) {
	s.p.Errorf(format, a...)
	s.code = 1
}

// write sets a parameter. One that is optional may fail, and may be missing.
func (s *sysctl) write(key, value string, optional bool) {
	key = strings.ReplaceAll(key, "/", ".")
	d, err := s.p.Open(sysctlFile(key), os.O_WRONLY, 0)
	if err == nil {
		_, err = d.Write(s.p, []byte(value))
		d.Release()
		s.p.Check()
	}
	switch {
	case err == nil:
		s.show(key, value)
		return
	case err == syscall.ENOENT && (s.o.Has("e") || optional):
		return
	case err == syscall.ENOENT:
		s.p.Errorf("cannot stat %s: No such file or directory", sysctlFile(key))
	case err == syscall.EACCES:
		s.p.Errorf("permission denied on key \"%s\"", key)
	default:
		s.p.Errorf("setting key \"%s\": %s", key, kernel.Strerror(err))
	}
	if !optional {
		s.code = 1
	}
}

// load sets the parameters of a file.
func (s *sysctl) load(file string) {
	b, err := s.p.ReadFile(file)
	if err != nil {
		s.fail("cannot open \"%s\": %s", file, kernel.Strerror(err))
		return
	}
	for n, l := range strings.Split(string(b), "\n") {
		if l = StripComments(l); l != "" && !strings.Contains(l, "=") {
			s.fail("%s(%d): invalid syntax, continuing...", file, n+1)
		}
	}
	for _, l := range ParseSysctl(string(b)) {
		s.write(l.Key, l.Value, l.optional)
	}
}

// loadSystem is sysctl --system.
func (s *sysctl) loadSystem() {
	for _, f := range append(ConfFiles(s.p.Kernel.FS(), "sysctl.d"), "/etc/sysctl.conf") {
		if !s.o.Has("q") {
			s.p.Print("* Applying ", f, " ...\n")
		}
		s.load(f)
	}
}

// loadFiles is sysctl -p: the files that are named, or /etc/sysctl.conf.
func (s *sysctl) loadFiles() {
	files := s.o.Args
	if v := s.o.Get("p"); v != "" {
		files = append([]string{v}, files...)
	}
	if len(files) == 0 {
		files = []string{"/etc/sysctl.conf"}
	}
	for _, f := range files {
		s.load(f)
	}
}

// showAll is sysctl -a.
func (s *sysctl) showAll() {
	libc.Walk(s.p, "/proc/sys", true, func(name string, st kernel.Stat) error {
		if !st.IsRegular() {
			return nil
		}
		if b, err := s.p.ReadFile(name); err == nil {
			key := strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
			s.show(key, strings.TrimSpace(string(b)))
		}
		return nil
	})
}

// operand sets KEY=VALUE, or shows KEY.
func (s *sysctl) operand(text string) {
	key, value, set := strings.Cut(text, "=")
	switch {
	case set:
		s.write(strings.TrimSpace(key), strings.TrimSpace(value), false)
		return
	case s.o.Has("w"):
		s.fail("command line(0): invalid syntax, continuing...")
		return
	}
	key = strings.ReplaceAll(key, "/", ".")
	b, err := s.p.ReadFile(sysctlFile(key))
	switch {
	case err == nil:
		for l := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
			s.show(key, l)
		}
	case s.o.Has("e"):
	case err == syscall.ENOENT:
		s.p.Flush()
		s.fail("cannot stat %s: No such file or directory", sysctlFile(key))
	default:
		s.p.Flush()
		s.fail("permission denied on key '%s'", key)
	}
}
