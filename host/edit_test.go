package host

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
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
		{"carriage returns are no content", Line{Line: "x"}, "x\r\n", "x\r\n"},
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
		{"a line found in a DOS file", Line{Line: "x"}, "a\r\nx\r\n", "a\r\nx\r\n"},
		{"appended to a DOS file", Line{Line: "x"}, "a\r\nb\r\n", "a\r\nb\r\nx\r\n"},
		{"appended to a last line of a DOS file", Line{Line: "x"}, "a\r\nb", "a\r\nb\r\nx\r\n"},
		{"replaced in a DOS file", Line{Line: "k=2", Match: "^k=.$"}, "k=1\r\na\r\n", "k=2\r\na\r\n"},
		{"removed from a DOS file", Line{Line: "x", Absent: true}, "a\r\nx\r\n", "a\r\n"},
		{"removed by a match with an end", Line{Match: "^k=1$", Absent: true}, "k=1\r\na\n", "a\n"},
		{"inserted after a line of a DOS file", Line{Line: "x", InsertAfter: "^a$"}, "a\r\nb\r\n", "a\r\nx\r\nb\r\n"},
		{"one line with a DOS end among others", Line{Line: "x"}, "a\nx\r\nb\n", "a\nx\nb\n"},
		{"block in a DOS file", Block{Name: "n", Content: "1\n2"}, "a\r\n", "a\r\n# BEGIN lab n\r\n1\r\n2\r\n# END lab n\r\n"},
		{"block with DOS ends in a file without", Block{Name: "n", Content: "1\r\n2\r\n"}, "a\n", "a\n# BEGIN lab n\n1\n2\n# END lab n\n"},
		{"block changed in a DOS file", Block{Name: "n", Content: "3"}, "a\r\n# BEGIN lab n\r\n1\r\n# END lab n\r\nb\r\n",
			"a\r\n# BEGIN lab n\r\n3\r\n# END lab n\r\nb\r\n"},
		{"block removed from a DOS file", Block{Name: "n", Absent: true}, "a\r\n# BEGIN lab n\r\n1\r\n# END lab n\r\nb\r\n", "a\r\nb\r\n"},
		{"blanks after markers", Block{Name: "n", Content: "3"}, "# BEGIN lab n \t\n1\n# END lab n  \nb\n",
			"# BEGIN lab n\n3\n# END lab n\nb\n"},
		{"the first end marker is missing", Block{Name: "n", Content: "3"}, "# BEGIN lab n\n1\nother\n# BEGIN lab n\n2\n# END lab n\nb\n",
			"1\nother\n# BEGIN lab n\n3\n# END lab n\nb\n"},
		{"an end marker after another block", Block{Name: "n", Content: "3"},
			"# BEGIN lab n\n1\n# BEGIN lab m\nm\n# END lab m\nother\n# END lab n\n",
			"1\n# BEGIN lab m\nm\n# END lab m\nother\n# BEGIN lab n\n3\n# END lab n\n"},
		{"the begin marker is missing", Block{Name: "n", Content: "3"}, "other\n1\n# END lab n\n",
			"other\n1\n# BEGIN lab n\n3\n# END lab n\n"},
		{"a block twice", Block{Name: "n", Content: "3"}, "# BEGIN lab n\n1\n# END lab n\na\n# BEGIN lab n\n2\n# END lab n\nb\n",
			"# BEGIN lab n\n3\n# END lab n\na\nb\n"},
		{"a block twice, removed", Block{Name: "n", Absent: true}, "# BEGIN lab n\n1\n# END lab n\na\n# BEGIN lab n\n2\n# END lab n",
			"a\n"},
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

// TestEditOfOddFiles: what an editor put at the start of a file stays there, and what cannot be edited is
// refused.
func TestEditOfOddFiles(t *testing.T) {
	for name, c := range map[string]struct {
		r              Resource
		file, want, no string
	}{
		"a line after a byte order mark": {r: Line{Path: "/f", Line: "a"}, file: "\ufeffa\n", want: "\ufeffa\n"},
		"replaced after a mark":          {r: Line{Path: "/f", Line: "k=2", Match: "^k="}, file: "\ufeffk=1\nb\n", want: "\ufeffk=2\nb\n"},
		"removed after a mark":           {r: Line{Path: "/f", Line: "a", Absent: true}, file: "\ufeffa\nb\n", want: "\ufeffb\n"},
		"a block after a mark":           {r: Block{Path: "/f", Name: "n", Absent: true}, file: "\ufeff# BEGIN lab n\n# END lab n\n", want: "\ufeff"},
		"UTF-16":                         {r: Line{Path: "/f", Line: "a"}, file: "\xff\xfea\x00\n\x00", no: "UTF-16"},
		"NUL bytes":                      {r: Line{Path: "/f", Line: "a"}, file: "\x00\n", want: "\x00\na\n"},
		"absent, without an end marker":  {r: Block{Path: "/f", Name: "n", Absent: true}, file: "a\n# BEGIN lab n\nb\n", no: "line 2 is a marker"},
		"absent, without the beginning":  {r: Block{Path: "/f", Name: "n", Absent: true}, file: "b\n# END lab n\n", no: "line 2 is a marker"},
	} {
		ops, err := c.r.Plan(blank().file("/f", c.file))
		switch {
		case c.no != "":
			if err == nil || !strings.Contains(err.Error(), c.no) || len(lab.Hints(err)) == 0 {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case len(ops) == 0 && c.want != c.file, len(ops) == 1 && string(ops[0].Payload.Content) != c.want:
			t.Errorf("%s: %d ops, want %q", name, len(ops), c.want)
		}
	}
}

// FuzzLineConverges: a second edit of any file changes nothing.
func FuzzLineConverges(f *testing.F) {
	f.Add("a\nb\nk=1", "k=2", "^k=", "^a", false)
	f.Add("", "x", "", "", false)
	f.Add("x\n\nx", "x", "", "", true)
	f.Add("a\r\nx\r\nk=1", "x", "^x$", "", false)
	f.Add("# BEGIN lab n\r\nx\n# BEGIN lab n\n# END lab n \r\n# END lab n", "x", "", "x", false)
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
