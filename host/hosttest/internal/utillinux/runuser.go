package utillinux

import (
	"path"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdRunuser(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+c:lmpPs:u:g:G:w:f",
		"command=>c login>l preserve-environment>m shell=>s user=>u group=>g session-command=>c")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "g", "G", "w", "P", "p") {
		return 1
	}
	args := o.Args
	if len(args) > 0 && args[0] == "-" {
		o.Set["l"] = []string{""}
		args = args[1:]
	}
	name := "root"
	direct := o.Has("u")
	if direct {
		name = o.Get("u")
	} else if len(args) > 0 {
		name = args[0]
		args = args[1:]
	}
	u := libc.UserByName(p.Kernel, name)
	if u == nil {
		p.Errorf("user %s does not exist or the user entry does not contain all the required fields", name)
		return 1
	}
	if p.RUID != 0 && !allowUser(p, name) {
		return 1
	}
	libc.BecomeUser(p, u)
	env := userEnv(p, u, o.Has("m"), o.Has("l"))
	p.SetEnv(env)
	if direct {
		if len(args) == 0 {
			p.Errorf("no command was specified")
			return 1
		}
		return p.WaitFor(libc.Spawn(p, args, env, nil)).ExitCode()
	}
	shell := u.Shell
	if o.Has("s") {
		shell = o.Get("s")
	}
	if shell == "" {
		shell = "/bin/sh"
	}
	argv := []string{shell}
	if o.Has("l") {
		argv[0] = "-" + path.Base(shell)
	}
	if o.Has("c") {
		argv = append(argv, "-c", o.Get("c"))
	}
	argv = append(argv, args...)
	c := p.Fork(func(c *kernel.Process) int {
		code, err := c.Exec(shell, argv, env)
		if err != nil {
			c.Warnf("%s: failed to execute %s: %s\n", p.Name(), shell, kernel.Strerror(err))
			return 127
		}
		return code
	})
	return p.WaitFor(c).ExitCode()
}

// allowUser asks one who is not root for the password of the user, as su does.
func allowUser(p *kernel.Process, name string) bool {
	if p.Name() == "runuser" {
		p.Errorf("may not be used by non-root users")
		return false
	}
	p.Warnf("Password: ")
	pw, err := libc.ReadLine(p)
	if err != nil || !libc.CheckPassword(p.Kernel, name, pw) {
		p.Warnf("\nsu: Authentication failure\n")
		return false
	}
	return true
}

// userEnv is the environment that the user's command gets; a login also begins in the home directory.
func userEnv(p *kernel.Process, u *libc.User, keep, login bool) []string {
	env := p.Env
	if keep {
		return env
	}
	env = libc.Setenv(libc.Setenv(env, "HOME", u.Home), "SHELL", u.Shell)
	if u.UID != 0 {
		env = libc.Setenv(libc.Setenv(env, "USER", u.Name), "LOGNAME", u.Name)
	}
	if login {
		env = []string{"HOME=" + u.Home, "SHELL=" + u.Shell, "USER=" + u.Name, "LOGNAME=" + u.Name,
			"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"}
		if u.UID == 0 {
			env[4] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		}
		p.Chdir(u.Home)
	}
	return env
}
