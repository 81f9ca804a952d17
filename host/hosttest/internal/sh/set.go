package sh

import (
	"slices"
	"strings"
)

func biSet(sh *shell, args []string) int {
	if len(args) == 1 {
		var names []string
		for n, v := range sh.vars {
			if v.set {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		var b strings.Builder
		for _, n := range names {
			b.WriteString(n + "=" + singleQuote(sh.vars[n].value) + "\n")
		}
		return sh.output([]byte(b.String()), "set")
	}
	i := 1
	for ; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			sh.params = slices.Clone(args[i+1:])
			return 0
		}
		if a == "-" {
			sh.setOpt('x', false)
			sh.setOpt('v', false)
			i++
			break
		}
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			break
		}
		on := a[0] == '-'
		for _, c := range a[1:] {
			switch {
			case c == 'o':
				if i+1 >= len(args) {
					return 0
				}
				i++
				l := optionLetter(args[i])
				if l == 0 {
					sh.fail(2, "set: Illegal option -o %s", args[i])
				}
				sh.setOpt(l, on)
			case strings.ContainsRune("efunvxCabmI", c):
				sh.setOpt(byte(c), on)
			default:
				sh.fail(2, "set: Illegal option %c%c", a[0], c)
			}
		}
	}
	if i < len(args) {
		sh.params = slices.Clone(args[i:])
	}
	return 0
}

func biShift(sh *shell, args []string) int {
	n := 1
	if len(args) > 1 {
		n = sh.number(args[1], "shift")
	}
	if n > len(sh.params) {
		sh.fail(2, "shift: can't shift that many")
	}
	sh.params = sh.params[n:]
	return 0
}
