package libc

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"a\\(b\\)*[^]x-z]\\{2,3\\}$", "(a|b)+?", "u+rwX,g=u,o-t",
		"UUID=x /mnt\\040a ext4 defaults 0 2", "[:alpha:]a-f\\n", "%F %-d"} {
		f.Add(s)
	}
	now := time.Unix(1e9, 0).UTC()
	f.Fuzz(func(t *testing.T, s string) {
		for _, ext := range []bool{false, true} {
			if re, err := TranslateRegexp(s, ext); err == nil {
				_, err := regexp.Compile(re)
				if err != nil && !strings.Contains(err.Error(), "invalid") &&
					!strings.Contains(err.Error(), "missing") && !strings.Contains(err.Error(), "expression") {
					t.Errorf("%q became %q: %v", s, re, err)
				}
			}
		}
		if m, err := ParseMode(s); err == nil {
			if got := m(0o644, true, 0o022); got > 0o7777 {
				t.Errorf("mode %q gives %o", s, got)
			}
		}
		ParseFstab(s)
		Strftime(s, now)
		Fnmatch("["+s, "a")
		Fnmatch(s, s)
		ShellMatch("["+s, s)
	})
}
