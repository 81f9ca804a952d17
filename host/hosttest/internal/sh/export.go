package sh

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func biExport(sh *shell, args []string) int {
	i := 1
	if len(args) > 1 && args[1] == "-p" || len(args) == 1 {
		var names []string
		for n, v := range sh.vars {
			if args[0] == "export" && v.exported || args[0] == "readonly" && v.readonly {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		var b strings.Builder
		for _, n := range names {
			b.WriteString(args[0] + " " + n)
			if v := sh.vars[n]; v.set {
				b.WriteString("=" + singleQuote(v.value))
			}
			b.WriteByte('\n')
		}
		return sh.output([]byte(b.String()), args[0])
	}
	if args[i] == "--" {
		i++
	}
	for _, a := range args[i:] {
		name, value, has := strings.Cut(a, "=")
		if !libc.IsName(name) {
			sh.fail(2, "%s: %s: bad variable name", args[0], name)
		}
		if has {
			sh.assign(name, value)
		}
		v := sh.vars[name]
		if v == nil {
			v = &variable{}
			sh.vars[name] = v
		}
		if args[0] == "export" {
			v.exported = true
		} else {
			v.readonly = true
		}
	}
	sh.envOK = false
	return 0
}

func biLocal(sh *shell, args []string) int {
	if len(sh.locals) == 0 {
		sh.fail(2, "local: not in a function")
	}
	top := len(sh.locals) - 1
	for _, a := range args[1:] {
		name, value, has := strings.Cut(a, "=")
		if name == "-" {
			continue
		}
		if !libc.IsName(name) {
			sh.fail(2, "local: %s: bad variable name", name)
		}
		if sh.locals[top] == nil {
			sh.locals[top] = map[string]*variable{}
		}
		if _, done := sh.locals[top][name]; !done {
			old := sh.vars[name]
			sh.locals[top][name] = old
			// A local starts with the value that was visible before.
			n := &variable{}
			if old != nil {
				*n = *old
			}
			sh.vars[name] = n
		}
		if has {
			sh.assign(name, value)
		}
	}
	return 0
}

func biUnset(sh *shell, args []string) int {
	fn := false
	i := 1
	for ; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		switch args[i] {
		case "-f":
			fn = true
		case "-v":
			fn = false
		case "--":
		default:
			sh.fail(2, "unset: Illegal option %s", args[i])
		}
	}
	code := 0
	for _, a := range args[i:] {
		if fn {
			delete(sh.funcs, a)
			continue
		}
		if !libc.IsName(a) {
			sh.fail(2, "unset: %s: bad variable name", a)
		}
		if !sh.unset(a) {
			sh.fail(2, "unset: %s: is read only", a)
		}
	}
	return code
}
