package hosttest

import (
	"os"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// setenv replaces a variable of an environment.
func setenv(env []string, name, value string) []string {
	out := make([]string, 0, len(env)+1)
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			out = append(out, e)
		}
	}
	return append(out, name+"="+value)
}

// replaceFile writes as careful programs do: a new file, synced, renamed over the old one, whose owner and mode it keeps.
func replaceFile(p *kernel.Process, name string, b []byte, perm uint32) error {
	st, err := p.Stat(name)
	keep := err == nil
	if keep {
		perm = st.Perm()
	}
	tmp := name + ".dpkg-hosttest"
	d, err := p.Open(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		_, err = d.Write(p, b)
	}
	d.Sync()
	d.Release()
	if err == nil && keep && (st.UID != p.UID || st.GID != p.GID) {
		err = p.Chown(tmp, int64(st.UID), int64(st.GID), true)
	}
	if err == nil {
		err = p.Chmod(tmp, perm)
	}
	if err == nil {
		err = p.Rename(tmp, name)
	}
	if err != nil {
		p.Unlink(tmp)
	}
	return err
}

// lookPath finds an executable as execvp(3) does. The error is ENOENT or EACCES.
func lookPath(p *kernel.Process, name string, pathVar string) (string, error) {
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
	return p.WaitFor(start(p, args, p.Env, nil)).ExitCode()
}

// start runs a program found on PATH in a child. setup runs in the child before the program.
func start(p *kernel.Process, args, env []string, setup func(c *kernel.Process)) *kernel.Process {
	return p.Fork(func(c *kernel.Process) int {
		if setup != nil {
			setup(c)
		}
		return execvp(c, args, env)
	})
}

// execvp finds and executes, and says what is wrong as programs such as env and xargs do.
func execvp(p *kernel.Process, args, env []string) int {
	pathVar := p.Getenv("PATH")
	if pathVar == "" {
		pathVar = defaultPath
	}
	self := p.Name()
	file, err := lookPath(p, args[0], pathVar)
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
