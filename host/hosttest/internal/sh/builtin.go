package sh

import (
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A builtinFunc is a command that runs within the shell itself.
type builtinFunc func(sh *shell, args []string) int

// isSpecial tells the special built-ins, whose errors end a shell that is not interactive.
func isSpecial(name string) bool {
	switch name {
	case ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times",
		"trap", "unset":
		return true
	}
	return false
}

// builtin gives dash's built-in of that name, or nil.
func builtin(name string) builtinFunc {
	switch name {
	case ":", "true":
		return func(*shell, []string) int { return 0 }
	case "false":
		return func(*shell, []string) int { return 1 }
	case ".":
		return biDot
	case "[", "test":
		return biTest
	case "break", "continue":
		return biBreak
	case "cd", "chdir":
		return biCd
	case "command":
		return biCommand
	case "echo":
		return biEcho
	case "eval":
		return biEval
	case "exec":
		return biExec
	case "exit":
		return biExit
	case "export", "readonly":
		return biExport
	case "getopts":
		return biGetopts
	case "hash":
		return biHash
	case "jobs":
		return func(*shell, []string) int { return 0 }
	case "kill":
		return biKill
	case "local":
		return biLocal
	case "printf":
		return biPrintf
	case "pwd":
		return biPwd
	case "read":
		return biRead
	case "return":
		return biReturn
	case "set":
		return biSet
	case "shift":
		return biShift
	case "times":
		return func(sh *shell, _ []string) int {
			return sh.output([]byte("0m0.000000s 0m0.000000s\n0m0.000000s 0m0.000000s\n"), "times")
		}
	case "trap":
		return biTrap
	case "type":
		return biType
	case "ulimit":
		return biUlimit
	case "umask":
		return biUmask
	case "unset":
		return biUnset
	case "wait":
		return biWait
	case "alias", "unalias", "bg", "fg":
		return func(sh *shell, args []string) int {
			sh.warnf("%s: not in a script", args[0])
			return 2
		}
	}
	return nil
}

// output writes a built-in's standard output.
func (sh *shell) output(b []byte, name string) int {
	if err := sh.p.Write(1, b); err != nil {
		sh.warnf("%s: %s: I/O error", name, name)
		return 1
	}
	return 0
}

func biDot(sh *shell, args []string) int {
	if len(args) < 2 {
		return 0
	}
	file := args[1]
	if !strings.Contains(file, "/") {
		found := false
		pathVar, _ := sh.get("PATH")
		for dir := range strings.SplitSeq(pathVar, ":") {
			if st, err := sh.p.Stat(orDot(dir) + "/" + file); err == nil && st.IsRegular() {
				file, found = orDot(dir)+"/"+file, true
				break
			}
		}
		if !found {
			sh.fail(2, ".: %s: not found", args[1])
		}
	}
	b, err := sh.p.ReadFile(file)
	if err != nil {
		sh.fail(2, ".: cannot open %s: %s", file, openText(err))
	}
	sh.calls++
	sh.status = 0
	sh.runSource(string(b), false)
	sh.calls--
	sh.ret = false
	return sh.status
}

func biTest(sh *shell, args []string) int {
	ops := args[1:]
	if args[0] == "[" {
		if len(ops) == 0 || ops[len(ops)-1] != "]" {
			sh.warnf("[: missing ]")
			return 2
		}
		ops = ops[:len(ops)-1]
	}
	ok, err := testExpr(sh.p, ops)
	if err != nil {
		sh.warnf("%s: %v", args[0], err)
		return 2
	}
	return libc.BoolToInt(!ok)
}

func (sh *shell) number(s, cmd string) int {
	n, ok := kernel.ParseUint(s)
	if !ok || n > 1<<31-1 {
		sh.fail(2, "%s: Illegal number: %s", cmd, s)
	}
	return int(n)
}

func biBreak(sh *shell, args []string) int {
	n := 1
	if len(args) > 1 {
		if n = sh.number(args[1], args[0]); n == 0 {
			sh.fail(2, "%s: Illegal number: %s", args[0], args[1])
		}
	}
	n = min(n, sh.loops)
	if n > 0 {
		sh.brk = n
		sh.cont = args[0] == "continue"
	}
	return 0
}

func biCd(sh *shell, args []string) int {
	physical := false
	i := 1
	for ; i < len(args) && len(args[i]) == 2 && args[i][0] == '-' && args[i] != "--"; i++ {
		switch args[i] {
		case "-P":
			physical = true
		case "-L":
			physical = false
		default:
			sh.warnf("cd: Illegal option %s", args[i])
			return 2
		}
	}
	if i < len(args) && args[i] == "--" {
		i++
	}
	var dest string
	show := false
	switch {
	case i >= len(args):
		dest, _ = sh.get("HOME")
		if dest == "" {
			return 0
		}
	case args[i] == "-":
		dest, _ = sh.get("OLDPWD")
		show = true
	default:
		dest = args[i]
	}
	if dest == "" {
		dest = "."
	}
	logical := dest
	if !strings.HasPrefix(logical, "/") {
		logical = sh.pwd + "/" + dest
	}
	logical = path.Clean(logical)
	look := dest
	if !physical {
		look = logical
	}
	st, err := sh.p.Stat(look)
	if err == nil && !st.IsDir() {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = sh.p.Access(look, kernel.MayExec)
	}
	if err != nil {
		sh.warnf("%s: can't cd to %s", args[0], orDot(dest))
		return 2
	}
	if physical {
		logical = st.Path
	}
	sh.assign("OLDPWD", sh.pwd)
	sh.p.Chdir(st.Path)
	sh.pwd = logical
	sh.assign("PWD", logical)
	if show {
		return sh.output([]byte(logical+"\n"), "cd")
	}
	return 0
}

func biPwd(sh *shell, args []string) int {
	dir := sh.pwd
	if len(args) > 1 && args[1] == "-P" {
		dir = sh.p.Dir
	}
	return sh.output([]byte(dir+"\n"), "pwd")
}

func biEcho(sh *shell, args []string) int {
	args = args[1:]
	nl := true
	if len(args) > 0 && args[0] == "-n" {
		nl = false
		args = args[1:]
	}
	var out []byte
	for i, a := range args {
		if i > 0 {
			out = append(out, ' ')
		}
		var stop bool
		if out, stop = libc.Unescape(out, a, true); stop {
			return sh.output(out, "echo")
		}
	}
	if nl {
		out = append(out, '\n')
	}
	return sh.output(out, "echo")
}

func biEval(sh *shell, args []string) int {
	if len(args) < 2 {
		return 0
	}
	sh.status = 0
	sh.runSource(strings.Join(args[1:], " "), false)
	return sh.status
}

func biExec(sh *shell, args []string) int {
	if len(args) > 1 && args[1] == "--" {
		args = args[1:]
	}
	if len(args) < 2 {
		return 0
	}
	code := sh.execute(args[1:], nil, "exec: ")
	panic(kernel.Exit{Code: code})
}

func biExit(sh *shell, args []string) int {
	code := sh.status
	if len(args) > 1 {
		code = sh.number(args[1], "exit") & 255
	}
	sh.exit(code)
	return code
}

func biReturn(sh *shell, args []string) int {
	code := sh.status
	if len(args) > 1 {
		code = sh.number(args[1], "return") & 255
	}
	if sh.calls == 0 {
		sh.exit(code)
	}
	sh.ret = true
	return code
}
