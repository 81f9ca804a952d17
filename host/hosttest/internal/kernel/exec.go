package kernel

import (
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"
)

func (p *Process) Executable(name string) error {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if i.IsDir() || !i.IsReg() || !p.Cred().may(i, MayExec) || slices.Contains(s.At.Mnt.Opts, "noexec") {
		return syscall.EACCES
	}
	return nil
}

// Exec replaces the program of this process and returns its exit code. The error is that of execve(2).
func (p *Process) Exec(file string, args, env []string) (int, error) {
	p.Check()
	prog, args, st, err := p.Load(file, args, 0)
	if err == ErrNoProgram {
		p.Warnf("hosttest: %s: the file is there, but this machine has no program for it: register one with "+
			"Machine.Handle\n", file)
		return 126, nil
	}
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	p.Args, p.Env, p.Exe = args, env, st.Path
	p.caught, p.pending = nil, nil
	p.mu.Unlock()
	if st.Mode&ModeSetUID != 0 && !slices.Contains(st.At.Mnt.Opts, "nosuid") {
		p.mu.Lock()
		p.UID = st.UID
		p.mu.Unlock()
	}
	if p.Kernel.Config.Exec(path.Base(args[0])) {
		p.Die(SigKILL)
		p.Check()
	}
	return p.closeStdout(prog(p)), nil
}

// binary gives the content of the executable of a program.
func Binary(name string) []byte { return []byte(BinaryMagic + name + "\n") }

const BinaryMagic = "\x7fELF\x02\x01\x01\x00hosttest:"

// Load finds what an executable file does.
func (p *Process) Load(file string, args []string, depth int) (Program, []string, Stat, error) {
	if depth > 4 {
		return nil, nil, Stat{}, syscall.ELOOP
	}
	if err := p.Executable(file); err != nil {
		return nil, nil, Stat{}, err
	}
	st, err := p.Stat(file)
	if err != nil {
		return nil, nil, Stat{}, err
	}
	t := p.Kernel.Tree
	t.mu.Lock()
	var head []byte
	if i := st.At.Inode(); i != nil {
		head = i.Data[:min(len(i.Data), 256)]
	}
	t.mu.Unlock()
	base := path.Base(file)
	if name, ok := strings.CutPrefix(string(head), BinaryMagic); ok {
		name, _, _ = strings.Cut(name, "\n")
		if c := p.Kernel.Handled(name); c != nil {
			return c, args, st, nil
		}
		if f := p.Kernel.Config.Programs[name]; f != nil {
			return f, args, st, nil
		}
		return nil, args, st, ErrNoProgram
	}
	if c := p.Kernel.Handled(base); c != nil {
		return c, args, st, nil
	}
	if line, ok := strings.CutPrefix(string(head), "#!"); ok {
		line, _, _ = strings.Cut(line, "\n")
		interp, arg, has := strings.Cut(strings.Trim(line, " \t"), " ")
		nargs := []string{interp}
		if has {
			nargs = append(nargs, strings.TrimSpace(arg))
		}
		nargs = append(append(nargs, file), args[1:]...)
		prog, nargs, _, err := p.Load(interp, nargs, depth+1)
		return prog, nargs, st, err
	}
	return nil, nil, st, syscall.ENOEXEC
}

// ErrNoProgram is load's error for an executable that stands for a program which nobody gave.
var ErrNoProgram = errors.New("no program")
