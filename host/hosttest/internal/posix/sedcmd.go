package posix

import (
	"bytes"
	"errors"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	sedShort = "nrEe:f:i::l:suz"
	sedLong  = "quiet>n silent>n regexp-extended>E expression=>e file=>f in-place[=>i separate>s null-data>z " +
		"unbuffered>u " +
		"follow-symlinks posix debug"
	sedUsage = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n"
)

// A sedProgram is a command line of sed.
type sedProgram struct {
	p      *kernel.Process
	o      *libc.Options
	script string
	sep    byte // what ends a line
	code   int  // the exit code so far
}

func cmdSed(p *kernel.Process) int {
	o, ok := libc.Getopt(p, sedShort, sedLong)
	if !ok {
		p.Warnf(sedUsage)
		return 1
	}
	if libc.Unsupported(p, o, "l", "follow-symlinks", "posix", "debug") {
		return 1
	}
	sed := &sedProgram{p: p, o: o, sep: '\n'}
	if o.Has("z") {
		sed.sep = 0
	}
	files, ok := sed.readScript()
	if !ok {
		return 1
	}
	if _, err := sed.parse(); err != nil {
		p.Errorf("%v", err)
		if errors.Is(err, errNoLabel) {
			return 4
		}
		return 1
	}
	if o.Has("i") {
		return sed.editFiles(files)
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	if o.Has("s") {
		return sed.separately(files)
	}
	return sed.together(files)
}

// readScript puts the script together, and gives the files that are left of the operands.
func (sed *sedProgram) readScript() (files []string, ok bool) {
	p := sed.p
	files = sed.o.Args
	var parts []string
	for _, x := range sed.o.Order {
		switch x.Name {
		case "e":
			parts = append(parts, x.Value)
		case "f":
			d, err := libc.OpenInput(p, x.Value)
			if err != nil {
				p.Errorf("couldn't open file %s: %s", x.Value, kernel.Strerror(err))
				return nil, false
			}
			b, _ := p.ReadAll(d)
			d.Release()
			parts = append(parts, strings.TrimSuffix(string(b), "\n"))
		}
	}
	if len(parts) == 0 {
		if len(files) == 0 {
			p.Warnf(sedUsage)
			return nil, false
		}
		parts, files = files[:1], files[1:]
	}
	sed.script = strings.Join(parts, "\n")
	return files, true
}

// parse reads the script. Each run needs commands of its own, for they hold the state of their ranges.
func (sed *sedProgram) parse() ([]*sedCommand, error) {
	s := &sedParser{s: sed.script, ext: sed.o.Has("E", "r")}
	cmds := s.commands(false)
	if s.err == nil {
		s.err = checkLabels(cmds, cmds)
	}
	return cmds, s.err
}

// read gives the content of a file; one that cannot be read is named, and the run goes on.
func (sed *sedProgram) read(name string) ([]byte, bool) {
	d, err := libc.OpenInput(sed.p, name)
	var b []byte
	if err == nil {
		b, err = sed.p.ReadAll(d)
		d.Release()
	}
	if err == nil {
		return b, true
	}
	sed.code = max(sed.code, 2)
	switch {
	case err.Error() != kernel.ErrIsDir.Error():
		sed.p.Errorf("can't read %s: %s", name, kernel.Strerror(err))
	case sed.o.Has("i"):
		sed.p.Errorf("couldn't edit %s: not a regular file", name)
		sed.code = 4
	default:
		sed.p.Errorf("read error on %s: Is a directory", name)
		sed.code = 4
	}
	return nil, false
}

// run runs the script over data.
func (sed *sedProgram) run(data []byte) (string, *sedRun) {
	cmds, _ := sed.parse()
	var out strings.Builder
	lines, ended := libc.Lines(data, sed.sep)
	r := &sedRun{p: sed.p, lines: lines, ended: ended, quiet: sed.o.Has("n"), sep: string(rune(sed.sep)), out: &out}
	r.stream(cmds)
	return out.String(), r
}

// together runs the script over the files as one stream.
func (sed *sedProgram) together(files []string) int {
	var all bytes.Buffer
	for i, f := range files {
		b, ok := sed.read(f)
		if !ok {
			continue
		}
		all.Write(b)
		if i < len(files)-1 && len(b) > 0 && b[len(b)-1] != sed.sep {
			all.WriteByte(sed.sep)
		}
	}
	out, r := sed.run(all.Bytes())
	sed.p.Print(out)
	if r.code != 0 {
		return r.code
	}
	return sed.code
}

// separately runs the script over each file (-s).
func (sed *sedProgram) separately(files []string) int {
	for _, f := range files {
		b, ok := sed.read(f)
		if !ok {
			continue
		}
		out, r := sed.run(b)
		sed.p.Print(out)
		if r.quit {
			return r.code
		}
	}
	return sed.code
}

// editFiles runs the script over each file and puts the result in its place (-i).
func (sed *sedProgram) editFiles(files []string) int {
	if len(files) == 0 {
		sed.p.Errorf("no input files")
		return 4
	}
	for _, f := range files {
		data, ok := sed.read(f)
		if !ok {
			continue
		}
		out, r := sed.run(data)
		if r.code != 0 {
			sed.code = r.code
		}
		if !sed.replace(f, out) {
			return 4
		}
	}
	return sed.code
}

// replace puts a new file in the place of f: another inode, and nothing is synced.
func (sed *sedProgram) replace(f, content string) bool {
	p := sed.p
	st, err := p.Stat(f)
	if err == nil {
		tmp := path.Dir(f) + "/sed" + libc.RandomName(6)
		if err := p.WriteFile(tmp, []byte(content), 0o600); err != nil {
			p.Errorf("couldn't open temporary file %s: %s", tmp, kernel.Strerror(err))
			return false
		}
		p.Chown(tmp, int64(st.UID), int64(st.GID), true)
		p.Chmod(tmp, st.Perm())
		if suffix := sed.o.Get("i"); suffix != "" {
			backup := f + suffix
			if strings.Contains(suffix, "*") {
				backup = path.Dir(f) + "/" + strings.ReplaceAll(suffix, "*", path.Base(f))
			}
			err = p.Rename(f, backup)
		}
		if err == nil {
			err = p.Rename(tmp, f)
		}
	}
	if err != nil {
		p.Errorf("cannot rename %s: %s", f, kernel.Strerror(err))
		return false
	}
	return true
}
