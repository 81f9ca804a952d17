package libc

import (
	"strings"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// UTF8 tells whether the process may print more than ASCII.
func UTF8(p *kernel.Process) bool {
	for _, k := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := p.Getenv(k); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// Characters counts as the locale does: bytes in C.
func Characters(p *kernel.Process, b []byte) int {
	if UTF8(p) {
		return utf8.RuneCount(b)
	}
	return len(b)
}
