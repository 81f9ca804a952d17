package libc

// Unescape interprets the escapes of echo and of printf's %b. It reports true at \c, which ends all output. With echo
// an octal escape needs its leading zero.
func Unescape(out []byte, s string, echo bool) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'a':
			out = append(out, 7)
		case 'e':
			if !echo {
				out = append(out, 27)
			} else {
				out = append(out, '\\', c)
			}
		case 'b':
			out = append(out, 8)
		case 'c':
			return out, true
		case 'f':
			out = append(out, 12)
		case 'n':
			out = append(out, 10)
		case 'r':
			out = append(out, 13)
		case 't':
			out = append(out, 9)
		case 'v':
			out = append(out, 11)
		case '\\':
			out = append(out, '\\')
		case '0', '1', '2', '3', '4', '5', '6', '7':
			if c != '0' && echo {
				out = append(out, '\\', c)
				continue
			}
			if c == '0' {
				i++
			}
			n, w := Octal(s[i:])
			out = append(out, n)
			i += w - 1
		default:
			out = append(out, '\\', c)
		}
	}
	return out, false
}

func Octal(s string) (byte, int) {
	n, w := 0, 0
	for w < 3 && w < len(s) && s[w] >= '0' && s[w] <= '7' {
		n = n*8 + int(s[w]-'0')
		w++
	}
	return byte(n), w
}
