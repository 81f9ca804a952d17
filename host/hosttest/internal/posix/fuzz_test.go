package posix

import (
	"testing"
	"time"
)

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"s/a\\/b/[&]\\1/gp;2,/x/{d;p}", "1,3-5,7-", `"a b" c\ d 'e`, "2 days ago",
		"[:alpha:]a-f\\n"} {
		f.Add(s)
	}
	now := time.Unix(1e9, 0).UTC()
	f.Fuzz(func(t *testing.T, s string) {
		(&sedParser{s: s}).commands(false)
		cutList(s)
		xargsWords(s, false)
		parseDate(s, now)
		trSet(s)
	})
}
