package libc

import (
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// System runs a shell script as root.
func System(k *kernel.Kernel, script string, stdin []byte) (stdout, stderr string, code int) {
	p := k.NewProcess(nil)
	p.SetEnv(rootEnv())
	p.Chdir("/root")
	inR, inW := kernel.NewPipe(0).Descriptions()
	inW.Write(nil, stdin)
	inW.Release()
	outR, outW := kernel.NewPipe(0).Descriptions()
	errR, errW := kernel.NewPipe(0).Descriptions()
	p.Give(inR, outW, errW)
	p.Go(func(p *kernel.Process) int {
		code, err := p.Exec("/bin/sh", []string{"sh", "-c", script}, p.Env)
		if err != nil {
			p.Warnf("sh: %s\n", kernel.Strerror(err))
			return 127
		}
		return code
	})
	<-p.Done
	drain := func(d *kernel.File) string {
		defer d.Release()
		return string(d.Stream.(kernel.PipeReader).Unread())
	}
	return drain(outR), drain(errR), p.Status.ExitCode()
}

func rootEnv() []string {
	return []string{
		"HOME=/root", "LOGNAME=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SHELL=/bin/bash", "USER=root",
	}
}

// Setenv replaces a variable of an environment.
func Setenv(env []string, name, value string) []string {
	out := make([]string, 0, len(env)+1)
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			out = append(out, e)
		}
	}
	return append(out, name+"="+value)
}

// LookPath finds an executable as execvp(3) does. The error is ENOENT or EACCES.
func LookPath(p *kernel.Process, name string, pathVar string) (string, error) {
	if strings.Contains(name, "/") {
		return name, p.Executable(name)
	}
	fail := error(syscall.ENOENT)
	for dir := range strings.SplitSeq(pathVar, ":") {
		if dir == "" {
			dir = "."
		}
		full := dir + "/" + name
		switch err := p.Executable(full); err {
		case nil:
			return full, nil
		case syscall.EACCES:
			fail = err
		}
	}
	return name, fail
}

// defaultPath is what execvp(3) searches when PATH is unset.
const defaultPath = "/bin:/usr/bin"

// Run runs another program of the machine as a child and waits for it, with this process's descriptors and environment.
// The exit code is 127 when there is no such program, 126 when it cannot be executed, and 128 plus the signal's number
// when it was killed.
func Run(p *kernel.Process, args ...string) int {
	p.Flush()
	return p.WaitFor(Spawn(p, args, p.Env, nil)).ExitCode()
}

// Spawn runs a program found on PATH in a child. setup runs in the child before the program.
func Spawn(p *kernel.Process, args, env []string, setup func(c *kernel.Process)) *kernel.Process {
	return p.Fork(func(c *kernel.Process) int {
		if setup != nil {
			setup(c)
		}
		return Execvp(c, args, env)
	})
}

// Execvp finds and executes, and says what is wrong as programs such as env and xargs do.
func Execvp(p *kernel.Process, args, env []string) int {
	pathVar := p.Getenv("PATH")
	if pathVar == "" {
		pathVar = defaultPath
	}
	self := p.Name()
	file, err := LookPath(p, args[0], pathVar)
	if err == nil {
		var code int
		code, err = p.Exec(file, args, env)
		if err == syscall.ENOEXEC {
			code, err = p.Exec("/bin/sh", append([]string{"sh", file}, args[1:]...), env)
		}
		if err == nil {
			return code
		}
	}
	switch self {
	case "xargs", "sudo":
		p.Warnf("%s: %s: %s\n", self, args[0], kernel.Strerror(err))
	case "setsid", "flock", "runuser", "su":
		p.Warnf("%s: failed to execute %s: %s\n", self, args[0], kernel.Strerror(err))
	case "timeout", "nohup":
		p.Warnf("%s: failed to run command '%s': %s\n", self, args[0], kernel.Strerror(err))
	default:
		p.Warnf("%s: '%s': %s\n", self, args[0], kernel.Strerror(err))
	}
	if self == "flock" {
		return 69
	}
	if err == syscall.ENOENT {
		return 127
	}
	return 126
}
