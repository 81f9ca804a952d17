package libc

import "strings"

// Lines splits text into lines without their delimiter, and tells whether the last one had it.
func Lines(b []byte, delim byte) ([]string, bool) {
	if len(b) == 0 {
		return nil, true
	}
	ended := b[len(b)-1] == delim
	if ended {
		b = b[:len(b)-1]
	}
	return strings.Split(string(b), string(rune(delim))), ended
}
