package compose

import (
	"maps"
	"strings"
	"testing"
)

func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		text, format string
		want         map[string]string
		problem      string
	}{
		{text: "\ufeffA=1\n# c\nexport B='$x'\nC=\"$A-$G\"\n",
			want: map[string]string{"A": "1", "B": "$x", "C": "1-given"}},
		{text: "A=${B:-1}\nB=${A}${B-2}\n",
			want: map[string]string{"A": "1", "B": "12"}}, // B is of this file, but not before it
		{text: "A=1\r\nB=2\r\n", want: map[string]string{"A": "1", "B": "2"}},
		{text: "A=$N\n", problem: "$N is not set"},
		{text: "A=${N}x\n", problem: "$N is not set"},
		{text: "G\n", want: map[string]string{"G": "given"}},
		{text: "H\n", problem: "H: has no value"},
		{text: "A='", problem: "cannot be read"},
		{text: "A=a b # c\n#\n \nB=\"q\"\n", format: "raw", want: map[string]string{"A": "a b # c", "B": `"q"`}},
		{text: "G\n", format: "raw", want: map[string]string{"G": "given"}},
		{text: "A\n", format: "raw", problem: "A: has no value"},
		{format: "toml", problem: "not a format"},
	} {
		got, ps := parseEnv("x.env", c.text, c.format, map[string]string{"G": "given"})
		if err := ps.Err(); c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) ||
			c.problem == "" && (err != nil || !maps.Equal(got, c.want)) {
			t.Errorf("%q: got %q, %v", c.text, got, err)
		}
	}
}

func FuzzParseEnv(f *testing.F) {
	f.Add("A=${B:-x}\nB='y'\nC\n", false)
	f.Add("A=a b # c\n", true)
	f.Fuzz(func(t *testing.T, text string, raw bool) {
		format := ""
		if raw {
			format = "raw"
		}
		parseEnv("x.env", text, format, map[string]string{"G": "given"})
	})
}

func TestFilesOf(t *testing.T) {
	s := Stack{Name: "x", Dir: "/opt/stacks/x", doc: map[string]any{"name": "x"},
		Files: []File{{Path: "a b"}, {Path: "$c/'d"}, {Path: "- e: #"}}}
	if got := strings.Join(filesOf(s.Render()), "|"); got != "a b|$c/'d|- e: #" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "x", "x-lab: 1", "x-lab: {files: x}", "x-lab: {files: [[]]}", ":"} {
		if got := filesOf([]byte(text)); len(got) > 0 && got[0] != "x" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestVersionLine(t *testing.T) {
	for text, want := range map[string]string{"version: '3.8'\nservices: {}\n": "\nservices: {}\n",
		"a:\n  version: 3\n": "a:\n  version: 3\n", "x: 1\r\nversion: \"3\" # old\r\ny: 2": "x: 1\r\n\ny: 2"} {
		if got := string(withoutVersion([]byte(text))); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
