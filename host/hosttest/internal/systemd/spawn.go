package systemd

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
	file, err := libc.LookPath(p, args[0], servicePath)
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
