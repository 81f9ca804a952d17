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

// ConfFiles lists the .conf files of a configuration directory of /etc, /run and /usr/lib in the order in which they are
// read: by name, where /etc hides /run and /run hides /usr/lib.
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
		out = append(out, SysctlLine{strings.ReplaceAll(strings.TrimPrefix(k, "-"), "/", "."), strings.TrimSpace(v), opt})
	}
	return out
}

// ApplySysctl sets the kernel's parameters as systemd-sysctl does at boot. The last file counts, but a line that repeats
// the value of its name keeps the place of the first. Patterns set what no line names.
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

func cmdSysctl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aAbeFhNnp::qr:wX", "all>a binary>b ignore>e names>N values>n load[=>p quiet>q write>w system pattern=>r")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "b", "F", "r", "X") {
		return 1
	}
	code := 0
	file := func(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }
	show := func(key, value string) {
		switch {
		case o.Has("q"):
		case o.Has("n"):
			p.Print(value, "\n")
		case o.Has("N"):
			p.Print(key, "\n")
		default:
			p.Print(key, " = ", value, "\n")
		}
	}
	write := func(key, value string, optional bool) {
		key = strings.ReplaceAll(key, "/", ".")
		d, err := p.Open(file(key), os.O_WRONLY, 0)
		if err == nil {
			_, err = d.Write(p, []byte(value))
			d.Release()
			p.Check()
		}
		if err != nil {
			switch {
			case err == syscall.ENOENT && (o.Has("e") || optional):
				return
			case err == syscall.ENOENT:
				p.Errorf("cannot stat %s: No such file or directory", file(key))
			case err == syscall.EACCES:
				p.Errorf("permission denied on key \"%s\"", key)
				if optional {
					return
				}
			default:
				p.Errorf("setting key \"%s\": %s", key, kernel.Strerror(err))
				if optional {
					return
				}
			}
			code = 1
			return
		}
		show(key, value)
	}
	load := func(f string) {
		b, err := p.ReadFile(f)
		if err != nil {
			p.Errorf("cannot open \"%s\": %s", f, kernel.Strerror(err))
			code = 1
			return
		}
		for n, l := range strings.Split(string(b), "\n") {
			if l = StripComments(l); l != "" && !strings.Contains(l, "=") {
				p.Errorf("%s(%d): invalid syntax, continuing...", f, n+1)
				code = 1
			}
		}
		for _, kv := range ParseSysctl(string(b)) {
			write(kv.Key, kv.Value, kv.optional)
		}
	}
	switch {
	case o.Has("system"):
		files := append(ConfFiles(p.Kernel.FS(), "sysctl.d"), "/etc/sysctl.conf")
		for _, f := range files {
			if !o.Has("q") {
				p.Print("* Applying ", f, " ...\n")
			}
			load(f)
		}
		return code
	case o.Has("p"):
		files := o.Args
		if v := o.Get("p"); v != "" {
			files = append([]string{v}, files...)
		}
		if len(files) == 0 {
			files = []string{"/etc/sysctl.conf"}
		}
		for _, f := range files {
			load(f)
		}
		return code
	case o.Has("a", "A"):
		libc.Walk(p, "/proc/sys", true, func(name string, st kernel.Stat) error {
			if st.IsRegular() {
				b, err := p.ReadFile(name)
				if err == nil {
					show(strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", "."), strings.TrimSpace(string(b)))
				}
			}
			return nil
		})
		return 0
	}
	if len(o.Args) == 0 {
		p.Warnf("\nUsage:\n sysctl [options] [variable[=value] ...]\n")
		return 1
	}
	for _, a := range o.Args {
		key, value, has := strings.Cut(a, "=")
		if has {
			write(strings.TrimSpace(key), strings.TrimSpace(value), false)
			continue
		}
		if o.Has("w") {
			p.Errorf("command line(0): invalid syntax, continuing...")
			code = 1
			continue
		}
		key = strings.ReplaceAll(key, "/", ".")
		b, err := p.ReadFile(file(key))
		if err != nil {
			if !o.Has("e") {
				p.Flush()
				if err == syscall.ENOENT {
					p.Errorf("cannot stat %s: No such file or directory", file(key))
				} else {
					p.Errorf("permission denied on key '%s'", key)
				}
				code = 1
			}
			continue
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
			show(key, l)
		}
	}
	return code
}
