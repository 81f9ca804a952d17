package compose

import (
	"maps"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		text, format     string
		want             map[string]string
		warning, problem string
	}{
		{text: "\ufeffA=1\n# c\nexport B='$x'\nC=\"$A-$G\"\n",
			want: map[string]string{"A": "1", "B": "$x", "C": "1-given"}},
		{text: "A=${B:-1}\nB=${A}${B-2}\n",
			want: map[string]string{"A": "1", "B": "12"}}, // B is of this file, but not before it
		{text: "A=1\r\nB=2\r\n", want: map[string]string{"A": "1", "B": "2"}},
		{text: "A=x$N\n", want: map[string]string{"A": "x"}, warning: "x.env:1: A: $N is not set, and counts as empty"},
		{text: "\nA=${N}x\n", want: map[string]string{"A": "x"}, warning: "x.env:2: A: $N is not set"},
		{text: "A=${N-1}${N:-2}\n", want: map[string]string{"A": "12"}},
		{text: "A=100$\nB=$1\n", want: map[string]string{"A": "100$", "B": "$1"}},
		{text: "DB_PASSWORD=p$word\n", problem: "x.env:1: DB_PASSWORD: " + cutShort},
		{text: "URL=postgres://u:p$word@db/x\n", problem: cutShort},
		{text: "G\n", want: map[string]string{"G": "given"}},
		{text: "H\n", want: map[string]string{}, warning: "x.env:1: H: has no value"},
		{text: "A=1\nB=$A\nA\n", want: map[string]string{"A": "1", "B": "1"}},
		{text: "A=a b # c\n#\n \nB=\"q\"\n", format: "raw", want: map[string]string{"A": "a b # c", "B": `"q"`}},
		{text: "G\n", format: "raw", want: map[string]string{"G": "given"}},
		{text: "A\n", format: "raw", want: map[string]string{}, warning: "A: has no value"},
		{format: "toml", problem: "not a format"},
	} {
		f := parseEnv("x.env", c.text, c.format, map[string]string{"G": "given"})
		has := func(ps lab.Problems, want string) bool {
			return want == "" && len(ps) == 0 || want != "" && strings.Contains(ps.Error(), want)
		}
		if !has(f.problems, c.problem) || !has(f.warnings, c.warning) || c.problem == "" && !maps.Equal(f.values, c.want) {
			t.Errorf("%q: got %q, %v, %v", c.text, f.values, f.problems, f.warnings)
		}
	}
}

// TestParseEnvKeepsSecrets reads files that cannot be read, with a secret in all places: what is said
// of them must not repeat it.
func TestParseEnvKeepsSecrets(t *testing.T) {
	const secret = "s3cretP4ssw0rd"
	for _, text := range []string{
		"A=1\nPASSWORD='" + secret + "\nB=2\n", "PASSWORD=\"" + secret, "PASSWORD='" + secret + "\n\n\n",
		"PASSWORD: '" + secret, "export PASSWORD='" + secret, "my password='" + secret + "'", secret + " x=1",
		"PASSWORD=${" + secret, "PASSWORD=\"${" + secret + "\"", "PASSWORD=a${" + secret + " b}", secret, secret + "+/=",
		"-----BEGIN PRIVATE KEY-----\n" + secret + "\n", "KEY=line one\n" + secret + "/" + secret + "\n",
		"PASSWORD=x$" + secret, "PASSWORD=${" + secret + "}", "A='x'y" + secret, "\x00" + secret, "{\"PASSWORD\": \"" + secret + "\"}",
		"PASSWORD=" + secret + "'\nB='x\n", "PASSWORD=${A:?" + secret + "}", "=" + secret,
	} {
		for _, format := range []string{"", "raw"} {
			f := parseEnv("x.env", text, format, nil)
			if said := f.problems.Error() + f.warnings.Error(); strings.Contains(said, secret) {
				t.Errorf("%q: %s", text, said)
			}
		}
	}
	f := parseEnv("x.env", "A=1\nB='2\n3'\nC='open\nD=4\n", "", nil)
	if got := f.problems.Error(); !strings.HasPrefix(got, "x.env:4: a quote is opened and not closed") {
		t.Errorf("got %s", got)
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
