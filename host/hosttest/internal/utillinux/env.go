package utillinux

import (
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdEnv(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+iu:0C:S:v", "ignore-environment>i unset=>u null>0 chdir=>C split-string=>S")
	if !ok {
		return libc.Usage(p, 125)
	}
	if libc.Unsupported(p, o, "v") {
		return 125
	}
	env := p.Env
	args := o.Args
	if o.Has("S") {
		args = append(strings.Fields(o.Get("S")), args...)
	}
	if len(args) > 0 && args[0] == "-" {
		o.Set["i"] = nil
		args = args[1:]
	}
	if o.Has("i") {
		env = nil
	}
	for _, u := range o.All("u") {
		env = slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, u+"=") })
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		n, v, _ := strings.Cut(args[0], "=")
		env = libc.Setenv(env, n, v)
		args = args[1:]
	}
	if len(args) == 0 {
		end := "\n"
		if o.Has("0") {
			end = "\x00"
		}
		for _, e := range env {
			p.Print(e, end)
		}
		return 0
	}
	if o.Has("C") {
		st, err := p.Stat(o.Get("C"))
		if err == nil && !st.IsDir() {
			err = syscall.ENOTDIR
		}
		if err != nil {
			p.Errorf("cannot change directory to %s: %s", libc.Quote(o.Get("C")), kernel.Strerror(err))
			return 125
		}
		p.Chdir(st.Path)
	}
	p.SetEnv(env)
	return libc.Execvp(p, args, env)
}
