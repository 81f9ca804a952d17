package cli

import "testing"

// TestCells: columns as terminals count them.
func TestCells(t *testing.T) {
	for line, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "漢字": 4, "ﾊﾝ": 2, "Ａ": 2, "😀": 2,
		"»…±": 3, "\u200b": 0} {
		if got := cellsOf(line); got != want {
			t.Errorf("%q takes %d columns, want %d", line, got, want)
		}
	}
	for _, c := range []struct {
		line          string
		columns, rows int
		cut           string
	}{
		{"", 10, 1, ""}, {"abcde", 5, 1, "abcde"}, {"abcdef", 5, 2, "abcd…"}, {"漢字漢", 5, 2, "漢字…"},
		{"漢字漢字漢", 5, 3, "漢字…"}, {"e\u0301e\u0301", 2, 1, "e\u0301e\u0301"}, {"ab", 1, 2, "…"}, {"ab", 0, 3, ""},
	} {
		if got := rowsOf(c.line, c.columns); got != c.rows && c.columns > 0 {
			t.Errorf("%q takes %d rows of %d columns, want %d", c.line, got, c.columns, c.rows)
		}
		if got := cut(c.line, c.columns); got != c.cut {
			t.Errorf("%q cut to %d columns is %q, want %q", c.line, c.columns, got, c.cut)
		}
	}
}
