package libc

import (
	"strings"
	"unicode/utf8"
)

// Fnmatch tells whether s matches a pattern as fnmatch(3) does, in which a backslash quotes the next character. Slashes
// and leading dots are ordinary characters here.
func Fnmatch(pat, s string) bool { return matchPattern(pat, s, utf8.DecodeRuneInString, "!^") }

// ShellMatch is match as dash has it: bytes, and no other negation than [!...].
func ShellMatch(pat, s string) bool {
	return matchPattern(pat, s, func(s string) (rune, int) { return rune(s[0]), 1 }, "!")
}

func matchPattern(pat, s string, decode func(string) (rune, int), negation string) bool {
	var starP, starS = -1, 0
	p, i := 0, 0
	for i < len(s) || p < len(pat) {
		if p < len(pat) {
			switch pat[p] {
			case '*':
				starP, starS = p, i
				p++
				continue
			case '?':
				if i < len(s) {
					_, w := decode(s[i:])
					p++
					i += w
					continue
				}
			case '[':
				if i < len(s) {
					r, w := decode(s[i:])
					ok, n := matchBracket(pat[p:], r, decode, negation)
					if n == 0 { // not a bracket expression: a plain [
						if s[i] == '[' {
							p++
							i++
							continue
						}
					} else if ok {
						p += n
						i += w
						continue
					}
				}
			default:
				c, w := pat[p], 1
				if c == '\\' && p+1 < len(pat) {
					c, w = pat[p+1], 2
				}
				if i < len(s) && s[i] == c {
					p += w
					i++
					continue
				}
			}
		}
		if starP >= 0 && starS < len(s) {
			_, w := decode(s[starS:])
			starS += w
			p, i = starP+1, starS
			continue
		}
		return false
	}
	return true
}

// matchBracket matches one character against the bracket expression at the start of pat, and gives its length, or 0
// when there is none.
func matchBracket(pat string, r rune, decode func(string) (rune, int), negation string) (bool, int) {
	i := 1
	neg := false
	if i < len(pat) && strings.IndexByte(negation, pat[i]) >= 0 {
		neg = true
		i++
	}
	ok := false
	first := true
	for {
		if i >= len(pat) {
			return false, 0
		}
		if pat[i] == ']' && !first {
			return ok != neg, i + 1
		}
		first = false
		if strings.HasPrefix(pat[i:], "[:") {
			// To dash, the bracket before a name that is no class is a character like others.
			if end := strings.Index(pat[i:], ":]"); end > 1 && (negation != "!" || isClass(pat[i+2:i+end])) {
				if InClass(pat[i+2:i+end], r) {
					ok = true
				}
				i += end + 2
				continue
			}
		}
		if pat[i] == '\\' && i+1 < len(pat) {
			i++
		}
		lo, w := decode(pat[i:])
		i += w
		hi := lo
		if i+1 < len(pat) && pat[i] == '-' && pat[i+1] != ']' {
			i++
			if pat[i] == '\\' && i+1 < len(pat) {
				i++
			}
			hi, w = decode(pat[i:])
			i += w
		}
		if lo <= r && r <= hi {
			ok = true
		}
	}
}

func isClass(name string) bool {
	switch name {
	case "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph", "cntrl", "xdigit":
		return true
	}
	return false
}

func InClass(class string, r rune) bool {
	upper, lower, digit := r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9'
	switch class {
	case "alpha":
		return upper || lower
	case "digit":
		return digit
	case "alnum":
		return upper || lower || digit
	case "upper":
		return upper
	case "lower":
		return lower
	case "space":
		return r == ' ' || r >= 9 && r <= 13
	case "blank":
		return r == ' ' || r == '\t'
	case "punct":
		return r > 32 && r < 127 && !upper && !lower && !digit
	case "print":
		return r >= 32 && r < 127
	case "graph":
		return r > 32 && r < 127
	case "cntrl":
		return r < 32 || r == 127
	case "xdigit":
		return digit || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
	}
	return false
}

func IsGlob(s string) bool { return strings.ContainsAny(s, "*?[\\") }
