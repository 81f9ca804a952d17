package sh

import "testing"

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"%5.3s|%-10d|\\n\\0101%b", "a && b | c; d", "for i in $(x); do y; done"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		printfFormat(s, []string{s, "1"}, true, func(string, ...any) {})
		parse(s)
	})
}
