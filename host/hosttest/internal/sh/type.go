package sh

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func biCommand(sh *shell, args []string) int {
	i := 1
	var verify, verbose, std bool
	for ; i < len(args) && len(args[i]) > 1 && args[i][0] == '-'; i++ {
		if args[i] == "--" {
			i++
			break
		}
		for _, c := range args[i][1:] {
			switch c {
			case 'v':
				verify = true
			case 'V':
				verbose = true
			case 'p':
				std = true
			default:
				sh.warnf("command: Illegal option -%c", c)
				return 2
			}
		}
	}
	args = args[i:]
	if len(args) == 0 {
		return 0
	}
	if verify || verbose {
		return sh.describe(args[0], verbose, "command")
	}
	if b := builtin(args[0]); b != nil {
		return b(sh, args)
	}
	if std {
		old, _ := sh.get("PATH")
		sh.assign("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
		defer sh.assign("PATH", old)
	}
	sh.environ(nil)
	child := sh.p.Kernel.NewProcess(sh.p)
	x := *sh
	x.p = child
	child.Go(func(*kernel.Process) int { return x.execute(args, nil, "") })
	sh.await(child)
	return sh.status
}

// describe is command -v, command -V and type.
func (sh *shell) describe(name string, verbose bool, who string) int {
	say := func(short, long string) int {
		if verbose {
			short = name + long
		}
		return sh.output([]byte(short+"\n"), who)
	}
	switch name {
	case "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while":
		return say(name, " is a shell keyword")
	}
	if sh.funcs[name] != nil && !isSpecial(name) {
		return say(name, " is a shell function")
	}
	if builtin(name) != nil {
		if isSpecial(name) {
			return say(name, " is a special shell builtin")
		}
		return say(name, " is a shell builtin")
	}
	pathVar, _ := sh.get("PATH")
	if strings.Contains(name, "/") {
		if _, err := sh.p.Stat(name); err == nil {
			return say(name, " is "+name)
		}
	} else if file, err := libc.LookPath(sh.p, name, pathVar); err == nil {
		return say(file, " is "+file)
	}
	if verbose {
		sh.output([]byte(name+": not found\n"), who)
	}
	return 127
}

func biType(sh *shell, args []string) int {
	code := 0
	for _, a := range args[1:] {
		if sh.describe(a, true, "type") != 0 {
			code = 127
		}
	}
	return code
}
