package sh

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// singleQuote quotes as dash does where it prints what can be read again: a run of apostrophes gets double quotes of
// its own, and nothing follows one at the end.
func singleQuote(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			i = len(s)
		}
		b.WriteString("'" + s[:i] + "'")
		rest := strings.TrimLeft(s[i:], "'")
		if n := len(s) - i - len(rest); n > 0 {
			b.WriteString(`"` + strings.Repeat("'", n) + `"`)
		}
		if s = rest; s == "" {
			return b.String()
		}
	}
}

// biHash looks the names up: what it found is not remembered.
func biHash(sh *shell, args []string) int {
	code := 0
	for _, a := range args[1:] {
		if a == "-r" || a == "-v" || sh.funcs[a] != nil || builtin(a) != nil {
			continue
		}
		pathVar, _ := sh.get("PATH")
		if _, err := libc.LookPath(sh.p, a, pathVar); err != nil {
			sh.warnf("hash: %s: not found", a)
			code = 1
		}
	}
	return code
}

func biTrap(sh *shell, args []string) int {
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		var b strings.Builder
		for _, name := range kernel.SignalNames {
			if t, ok := sh.traps[name]; ok {
				b.WriteString("trap -- " + singleQuote(t) + " " + name + "\n")
			}
		}
		return sh.output([]byte(b.String()), "trap")
	}
	action, sigs := args[0], args[1:]
	reset := action == "-"
	if len(sigs) == 0 || action != "" && kernel.SignalNumber(action) >= 0 && libc.IsDigits(action) {
		reset, sigs = true, args
		if !libc.IsDigits(action) && len(args) == 1 {
			sigs = args
		}
	}
	for _, s := range sigs {
		n := kernel.SignalNumber(s)
		if s == "0" {
			n = 0
		}
		if n < 0 || n >= len(kernel.SignalNames) {
			sh.p.Warnf("trap: %s: bad trap\n", s) // no prefix
			return 1
		}
		name := kernel.SignalNames[n]
		p := sh.p
		p.ResetSignal(n)
		if reset {
			delete(sh.traps, name)
			continue
		}
		if sh.traps == nil {
			sh.traps = map[string]string{}
		}
		sh.traps[name] = action
		if n == 0 {
			continue
		}
		if action == "" {
			p.Ignore(n)
		} else {
			p.Catch(n)
		}
	}
	return 0
}
