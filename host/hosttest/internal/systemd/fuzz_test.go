package systemd

import (
	"strings"
	"testing"
)

func FuzzParseUnit(f *testing.F) {
	f.Add("[Unit]\nDescription=a\\\n b\n[Service]\nExecStart=/bin/a 'b c'\nExecStart=\n")
	f.Add("[Service\n=\nx")
	f.Fuzz(func(t *testing.T, s string) {
		u := ParseUnit(s, "x.service")
		for k := range u.settings {
			if !strings.Contains(k, ".") {
				t.Errorf("setting %q has no section", k)
			}
		}
		splitCommand(s)
		quoteInside(s)
		u.merge(s, "y.conf")
	})
}
