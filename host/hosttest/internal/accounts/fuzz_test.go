package accounts

import "testing"

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"pi ALL=(ALL) NOPASSWD: /bin/a, !/bin/b", "Defaults env_keep += \"A B\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _, bad := parseSudoers(s)
		for _, e := range bad {
			if e.line < 1 || e.col < 1 {
				t.Errorf("%q: error at %d:%d", s, e.line, e.col)
			}
			e.text("f")
		}
	})
}
