package stepcatest

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// options are those of a command, by name, and its arguments.
type options struct {
	values map[string][]string
	args   []string
}

// parse reads options with values, and flags without. Any other is an error.
func parse(words []string, values, flags string) (o options, err error) {
	o.values = map[string][]string{}
	for len(words) > 0 {
		name, ok := strings.CutPrefix(words[0], "--")
		switch {
		case !ok:
			o.args = append(o.args, words[0])
		case slices.Contains(strings.Fields(flags), name):
			o.values[name] = []string{"true"}
		case slices.Contains(strings.Fields(values), name) && len(words) > 1:
			o.values[name] = append(o.values[name], words[1])
			words = words[1:]
		default:
			return o, fmt.Errorf("flag provided but not defined: -%s", name)
		}
		words = words[1:]
	}
	return o, nil
}

func (o options) get(name string) string {
	if v := o.values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// require returns an error unless the options are there: without a terminal, the real program cannot
// ask for them.
func (o options) require(names ...string) error {
	for _, n := range names {
		if o.get(n) == "" {
			return fmt.Errorf("error allocating terminal: open /dev/tty: no such device or address (it would ask for --%s)", n)
		}
	}
	return nil
}

// read reads a file as the process may.
func read(p *hosttest.Process, name string) ([]byte, error) {
	if !path.IsAbs(name) {
		name = path.Join(p.Dir, name)
	}
	fs := p.Machine().FS()
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		st, err := fs.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("open %s failed: no such file or directory", name)
		}
		if !allowed(p, st, 1) {
			return nil, &syscallError{name}
		}
		if dir == "/" {
			break
		}
	}
	st, err := fs.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open %s failed: no such file or directory", name)
	}
	if !allowed(p, st, 4) {
		return nil, &syscallError{name}
	}
	return fs.ReadFile(name)
}

type syscallError struct{ name string }

func (e *syscallError) Error() string { return "open " + e.name + " failed: permission denied" }
func (e *syscallError) Unwrap() error { return syscall.EACCES }

// allowed reports whether the process has the permission, 4 to read and 1 to search.
func allowed(p *hosttest.Process, st hosttest.Stat, bit uint32) bool {
	switch {
	case p.UID() == 0:
		return true
	case int(st.UID) == p.UID():
		return st.Mode&(bit<<6) != 0
	case int(st.GID) == p.GID():
		return st.Mode&(bit<<3) != 0
	}
	return st.Mode&bit != 0
}

// password reads a file with a password as step does: without what ends its line.
func password(p *hosttest.Process, name string) (string, error) {
	b, err := read(p, name)
	if err != nil {
		return "", err
	}
	if text := strings.TrimRight(string(b), " \t\r\n"); text != "" {
		return text, nil
	}
	return "", fmt.Errorf("password file %s is empty", name)
}

// write writes a file of the process, mode 0600, like one that exists keeps its mode.
func write(p *hosttest.Process, name string, b []byte) error {
	fs := p.Machine().FS()
	_, err := fs.Stat(name)
	exists := err == nil
	if err := fs.WriteFile(name, b); err != nil || exists {
		return err
	}
	if err := fs.Chmod(name, 0o600); err != nil {
		return err
	}
	return fs.Chown(name, p.UID(), p.GID())
}
