package hostsuite

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// keepsNamesAndBytes: files have exactly the names and contents of the state, whatever bytes these
// are.
func keepsNamesAndBytes(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := host.State{host.Directory{Path: s.path("n")}}
	names := []string{
		"with space", "quote'quote", `double"quote`, "new\nline", "-rf", "back\\slash", "uni\u00e9\u6f22", "$(reboot)",
		"`x`", "*", "tab\there", "trailing ", " leading", "a;b&c|d", "%s%n", "~", "#", "!", "\x01ctl",
		strings.Repeat("n", 200),
	}
	contents := []string{
		"", "x", "no newline at the end", "\n", "nul\x00inside\x00", "\x00", "crlf\r\n", "@lab\n\x00S 1\n",
		strings.Repeat("\xff\xfe", 5000), "'\"$(x)`\\\n",
	}
	for i, n := range names {
		st = append(st, host.File{Path: s.path("n/" + n), Content: contents[i%len(contents)]})
	}
	for i, c := range contents {
		st = append(st, host.File{Path: s.path(fmt.Sprintf("n/content-%d", i)), Content: c})
	}
	s.apply(t, st)
	for _, r := range st[1:] {
		f := r.(host.File)
		if got := s.sh(t, "cat -- "+ssh.Quote(f.Path)); got != f.Content {
			t.Errorf("%q contains %q, want %q", f.Path, got, f.Content)
		}
	}
	for i, r := range st[1:] {
		f := r.(host.File)
		f.Absent, f.Content = true, ""
		st[1+i] = f
	}
	s.apply(t, st)
	if left := s.sh(t, "ls -A -- "+ssh.Quote(s.path("n"))); left != "" {
		t.Errorf("left behind: %q", left)
	}
}
