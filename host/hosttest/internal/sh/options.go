package sh

import "strings"

func (sh *shell) setOpt(c byte, on bool) {
	sh.opts = strings.ReplaceAll(sh.opts, string(c), "")
	if on {
		sh.opts += string(c)
	}
}

func optionLetter(name string) byte {
	switch name {
	case "errexit":
		return 'e'
	case "noglob":
		return 'f'
	case "nounset":
		return 'u'
	case "noexec":
		return 'n'
	case "verbose":
		return 'v'
	case "xtrace":
		return 'x'
	case "noclobber":
		return 'C'
	case "allexport":
		return 'a'
	case "notify":
		return 'b'
	case "monitor":
		return 'm'
	case "ignoreeof":
		return 'I'
	}
	return 0
}
