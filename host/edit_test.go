package host

import (
	"strings"
	"testing"
)

func TestLineAndBlock(t *testing.T) {
	for _, c := range []struct {
		name         string
		r            interface{ change([]string) []string }
		before, want string
	}{
		{"appended", Line{Line: "x"}, "a\n", "a\nx\n"},
		{"exists", Line{Line: "x"}, "x\na\n", "x\na\n"},
		{"exists without newline", Line{Line: "x"}, "a\nx", "a\nx"},
		{"appended to a last line without newline", Line{Line: "x"}, "a", "a\nx\n"},
		{"to nothing", Line{Line: "x"}, "", "x\n"},
		{"the last match is replaced", Line{Line: "k=2", Match: "^k="}, "k=0\na\nk=1\n", "k=0\na\nk=2\n"},
		{"replaced, last line without newline", Line{Line: "k=2", Match: "^k="}, "k=0", "k=2"},
		{"after", Line{Line: "x", InsertAfter: "^a"}, "a1\na2\nb\n", "a1\na2\nx\nb\n"},
		{"before", Line{Line: "x", InsertBefore: "^b"}, "a\nb1\nb2\n", "a\nb1\nx\nb2\n"},
		{"after nothing that matches", Line{Line: "x", InsertAfter: "^z"}, "a\n", "a\nx\n"},
		{"removed", Line{Match: "^k=", Absent: true}, "k=0\na\nk=1\n", "a\n"},
		{"removed by the line itself", Line{Line: "a", Absent: true}, "a\nab\na", "ab\n"},
		{"carriage returns are content", Line{Line: "x"}, "x\r\n", "x\r\nx\n"},
		{"block", Block{Name: "n", Content: "1\n2"}, "a\n", "a\n# BEGIN lab n\n1\n2\n# END lab n\n"},
		{"block exists", Block{Name: "n", Content: "1\n2\n"}, "a\n# BEGIN lab n\n1\n2\n# END lab n\nb\n",
			"a\n# BEGIN lab n\n1\n2\n# END lab n\nb\n"},
		{"block exists at the end without newline", Block{Name: "n", Content: "1\n"}, "# BEGIN lab n\n1\n# END lab n",
			"# BEGIN lab n\n1\n# END lab n"},
		{"block changed in place", Block{Name: "n", Content: "3"}, "a\n# BEGIN lab n\n1\n2\n# END lab n\nb\n",
			"a\n# BEGIN lab n\n3\n# END lab n\nb\n"},
		{"another block is kept", Block{Name: "n", Content: "3"}, "# BEGIN lab m\n1\n# END lab m\n",
			"# BEGIN lab m\n1\n# END lab m\n# BEGIN lab n\n3\n# END lab n\n"},
		{"block removed", Block{Name: "n", Absent: true}, "a\n# BEGIN lab n\n1\n# END lab n\nb\n", "a\nb\n"},
		{"block without end marker keeps the lines, which may be others'", Block{Name: "n", Content: "3"},
			"# BEGIN lab n\n1\n", "1\n# BEGIN lab n\n3\n# END lab n\n"},
		{"empty block", Block{Name: "n"}, "", "# BEGIN lab n\n# END lab n\n"},
		{"another comment", Block{Name: "n", Comment: "//", Content: "x"}, "", "// BEGIN lab n\nx\n// END lab n\n"},
	} {
		got := strings.Join(c.r.change(splitKeep(c.before)), "")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if again := strings.Join(c.r.change(splitKeep(got)), ""); again != got {
			t.Errorf("%s: a second time %q", c.name, again)
		}
	}
}

// FuzzLineConverges: a second edit of any file changes nothing.
func FuzzLineConverges(f *testing.F) {
	f.Add("a\nb\nk=1", "k=2", "^k=", "^a", false)
	f.Add("", "x", "", "", false)
	f.Add("x\n\nx", "x", "", "", true)
	f.Fuzz(func(t *testing.T, file, line, match, after string, absent bool) {
		l := Line{Path: "/f", Line: line, Match: match, InsertAfter: after, Absent: absent}
		if len(l.Validate()) > 0 {
			return
		}
		once := strings.Join(l.change(splitKeep(file)), "")
		if twice := strings.Join(l.change(splitKeep(once)), ""); twice != once {
			t.Fatalf("%q, then %q", once, twice)
		}
		b := Block{Path: "/f", Name: "n", Content: line, InsertAfter: after, Absent: absent}
		if len(b.Validate()) > 0 {
			return
		}
		once = strings.Join(b.change(splitKeep(file)), "")
		if twice := strings.Join(b.change(splitKeep(once)), ""); twice != once {
			t.Fatalf("block: %q, then %q", once, twice)
		}
	})
}
