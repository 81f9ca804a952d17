package sh

import (
	"strconv"
	"strings"
)

func biGetopts(sh *shell, args []string) int {
	if len(args) < 3 {
		sh.fail(2, "getopts: Usage: getopts optstring var [arg...]")
	}
	spec, name := args[1], args[2]
	list := sh.params
	if len(args) > 3 {
		list = args[3:]
	}
	ind, _ := sh.get("OPTIND")
	i, _ := strconv.Atoi(ind)
	off := 1
	if v := sh.vars[" optoff"]; v != nil {
		off, _ = strconv.Atoi(v.value)
	}
	if i < 1 || i > len(list)+1 {
		i, off = 1, 1
	}
	silent := strings.HasPrefix(spec, ":")
	set := func(opt string, next, o int) {
		sh.assign(name, opt)
		sh.assign("OPTIND", strconv.Itoa(next))
		sh.vars[" optoff"] = &variable{value: strconv.Itoa(o), set: true}
	}
	if i > len(list) || len(list[i-1]) < 2 || list[i-1][0] != '-' {
		set("?", i, 1)
		return 1
	}
	if list[i-1] == "--" {
		set("?", i+1, 1)
		return 1
	}
	arg := list[i-1]
	if off >= len(arg) {
		off = 1
	}
	c := arg[off : off+1]
	next, o := i, off+1
	if o >= len(arg) {
		next, o = i+1, 1
	}
	at := strings.Index(strings.TrimPrefix(spec, ":"), c)
	if at < 0 || c == ":" {
		if silent {
			sh.assign("OPTARG", c)
		} else {
			sh.p.Warnf("Illegal option -%s\n", c)
			sh.unset("OPTARG")
		}
		set("?", next, o)
		return 0
	}
	if rest := strings.TrimPrefix(spec, ":")[at+1:]; strings.HasPrefix(rest, ":") {
		if next == i {
			sh.assign("OPTARG", arg[off+1:])
			set(c, i+1, 1)
			return 0
		}
		if i >= len(list) {
			if silent {
				sh.assign("OPTARG", c)
				set(":", next, 1)
			} else {
				sh.p.Warnf("No arg for -%s option\n", c)
				sh.unset("OPTARG")
				set("?", next, 1)
			}
			return 0
		}
		sh.assign("OPTARG", list[i])
		set(c, i+2, 1)
		return 0
	}
	sh.unset("OPTARG")
	set(c, next, o)
	return 0
}
