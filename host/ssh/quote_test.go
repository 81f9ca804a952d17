package ssh_test

import (
	"os/exec"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":            "''",
		"plain-1.0_x": "plain-1.0_x",
		"/etc/hosts":  "/etc/hosts",
		"a b":         "'a b'",
		"a'b":         `'a'\''b'`,
		"$(x)":        "'$(x)'",
		"~":           "'~'",
		"a=b":         "'a=b'",
		"#":           "'#'",
		"é":           "'é'",
		"a\nb":        "'a\nb'",
		"{a,b}":       "'{a,b}'",
	} {
		if got := ssh.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

// FuzzQuote has a real shell read quoted words.
func FuzzQuote(f *testing.F) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("needs sh")
	}
	for _, s := range []string{"", "a", "-n", "--", "a b", "'", "''", `\'`, `"$x"`, "`id`", "$(id)", "!", "*", "~",
		"a\nb", "\n", "é\xff", "a=b", "# x", "%s", "\\", "\t", "if", "{a,b}", "\x01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "\x00") {
			return
		}
		cmd := exec.Command(sh)
		cmd.Stdin = strings.NewReader("printf '<%s>' " + ssh.Quote(s) + " " + ssh.Quote(s))
		out, err := cmd.CombinedOutput()
		if want := "<" + s + "><" + s + ">"; err != nil || string(out) != want {
			t.Errorf("%q: the shell printed %q (%v)", s, out, err)
		}
	})
}
