package pgtest

import (
	"slices"
	"testing"
)

func FuzzLex(f *testing.F) {
	for _, s := range []string{`CREATE ROLE "a""b" PASSWORD E'x\\y'; -- c`, "SELECT $1::text[]", "AS $$ body; $$",
		`'a''b'`, `"`, `E'\`, "$$", "a.b-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		statements, err := split(sql)
		if err != nil {
			return
		}
		for _, one := range statements {
			again, err := split(one)
			if err != nil || !slices.Equal(again, []string{one}) {
				t.Errorf("%q of %q is %q on its own, %v", one, sql, again, err)
			}
		}
	})
}

func FuzzReadArray(f *testing.F) {
	f.Add(`{"a","b\"c\\d",""}`)
	f.Add(`{}`)
	f.Add(`{"`)
	f.Fuzz(func(t *testing.T, s string) { readArray(s) })
}

func TestReadArray(t *testing.T) {
	if got := readArray(`{"a","b\"c\\d","","{,}"}`); !slices.Equal(got, []string{"a", `b"c\d`, "", "{,}"}) {
		t.Errorf("%q", got)
	}
}
