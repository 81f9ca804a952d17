package apt

import (
	"cmp"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// compareVersions orders Debian versions (deb-version(7)).
func compareVersions(a, b string) int {
	ea, ua, ra := splitVersion(a)
	eb, ub, rb := splitVersion(b)
	if ea != eb {
		return cmp.Compare(ea, eb)
	}
	if c := libc.CompareVersions(ua, ub); c != 0 {
		return c
	}
	return libc.CompareVersions(ra, rb)
}

func splitVersion(s string) (epoch int, upstream, revision string) {
	if e, rest, ok := strings.Cut(s, ":"); ok {
		epoch, _ = strconv.Atoi(e)
		s = rest
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}
