package lab_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// applyDiff applies a unified diff, strictly: every context and removed line must be there.
func applyDiff(before, diff string) (string, error) {
	lines := strings.SplitAfter(before, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	var out []string
	at := 0
	d := strings.SplitAfter(diff, "\n")[2:]
	for i := 0; i < len(d) && d[i] != ""; i++ {
		var a, n int
		if strings.HasPrefix(d[i], "@@ -") {
			head := strings.Fields(d[i])[1][1:]
			n = 1
			if _, err := fmt.Sscanf(head, "%d,%d", &a, &n); err != nil {
				if _, err := fmt.Sscanf(head, "%d", &a); err != nil {
					return "", err
				}
			}
			if n > 0 {
				a--
			}
			out = append(out, lines[at:a]...)
			at = a
			continue
		}
		text := d[i][1:]
		if i+1 < len(d) && strings.HasPrefix(d[i+1], `\ `) {
			text = strings.TrimSuffix(text, "\n")
		}
		switch d[i][0] {
		case '+':
			out = append(out, text)
		case ' ', '-':
			if at >= len(lines) || lines[at] != text {
				return "", fmt.Errorf("line %d is not %q", at, text)
			}
			if d[i][0] == ' ' {
				out = append(out, text)
			}
			at++
		}
	}
	return strings.Join(append(out, lines[at:]...), ""), nil
}

func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nc\n")
	f.Add("", "x")
	f.Add("x\n", "x")
	f.Add("a\na\na\nb\n", "b\na\na")
	f.Fuzz(func(t *testing.T, a, b string) {
		d := lab.Diff("f", []byte(a), []byte(b))
		if (d == "") != (a == b) {
			t.Fatalf("%q to %q: %q", a, b, d)
		}
		if !strings.HasPrefix(d, "---") {
			return
		}
		if got, err := applyDiff(a, d); err != nil || got != b {
			t.Fatalf("%q to %q: %q (%v) by\n%s", a, b, got, err, d)
		}
	})
}

// TestDiffIsShortest compares with diff(1), which also finds a shortest script.
func TestDiffIsShortest(t *testing.T) {
	diff, err := exec.LookPath("diff")
	if err != nil {
		real.Missing(t, "diff (Debian package diffutils)")
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	words := []string{"a\n", "b\n", "c\n", "d\n", "\n"}
	text := func() string {
		var b strings.Builder
		for range rnd.IntN(40) {
			b.WriteString(words[rnd.IntN(len(words))])
		}
		return b.String()
	}
	edits := func(d string) (n int) {
		for _, l := range strings.Split(d, "\n") {
			if !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "+++") &&
				(strings.HasPrefix(l, "-") || strings.HasPrefix(l, "+")) {
				n++
			}
		}
		return n
	}
	for range 150 {
		a, b := text(), text()
		pa, pb := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if err := os.WriteFile(pa, []byte(a), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(pb, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		theirs, _ := exec.Command(diff, "-u", "-d", pa, pb).Output() // it exits with 1 if they differ
		if x, y := edits(lab.Diff("f", []byte(a), []byte(b))), edits(string(theirs)); x != y {
			t.Fatalf("%d edits, diff has %d:\n%s", x, y, theirs)
		}
	}
}

func TestDiffSummarizes(t *testing.T) {
	big := strings.Repeat("x\n", 200_000)
	for name, c := range map[string][2]string{
		"binary content differs: 2 bytes before, 1 after\n": {"a\x00", "b"},
		"content differs: 400000 bytes before, 1 after\n":   {big, "b"},
	} {
		if got := lab.Diff("f", []byte(c[0]), []byte(c[1])); got != name {
			t.Errorf("%q, want %q", got, name)
		}
	}
	var a, b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&a, "a%d\n", i)
		fmt.Fprintf(&b, "b%d\n", i)
	}
	d := lab.Diff("f", []byte(a.String()), []byte(b.String()))
	if got, err := applyDiff(a.String(), d); err != nil || got != b.String() {
		t.Errorf("two long texts with nothing in common: %v", err)
	}
}
