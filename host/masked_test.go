package host_test

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// TestOutputIsMaskedBeforeItIsCut: a command that fails prints a secret over and over, so that every cut
// of its output goes through one. Neither the error nor an event shows a part of it, whatever
// comes before and after, with and without lines.
func TestOutputIsMaskedBeforeItIsCut(t *testing.T) {
	both(t, func(t *testing.T, m *host.Machine, _ string) {
		const value = `hunter2 "of$the" 0123456789 qwertyuiop\asdfghjkl`
		for name, print := range map[string]string{
			"lines":          `printf '%s\n' "$V"`,
			"one line":       `printf '%s ' "$V"`,
			"to stderr":      `printf '%s\n' "$V" >&2`,
			"wrapped base64": `printf %s "$V" | base64 -w 20`,
			"backslashes":    `printf %s "$V" | sed 's/["$\\]/\\&/g'; echo`,
		} {
			for _, before := range []int{0, 1, 17} {
				c := host.Command{Name: "loud", Values: map[string]lab.Secret{"V": lab.NewSecret(value)}, Unless: "false",
					Run: fmt.Sprintf("printf %%%ds ''; i=0; while [ $i -lt 1500 ]; do %s; i=$((i+1)); done; exit 3", before, print)}
				if name == "wrapped base64" || name == "backslashes" {
					c.Run = strings.Replace(c.Run, "1500", "60", 1) // they start a process each
				}
				p, err := m.Plan(t.Context(), host.State{c})
				if err != nil {
					t.Fatal(err)
				}
				var seen strings.Builder
				_, err = p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { fmt.Fprintf(&seen, "%+v\n", e) }})
				if err == nil || !strings.Contains(err.Error(), "(secret)") || len(err.Error()) > 4<<10 {
					t.Errorf("%s: the error has %d bytes: %v", name, len(fmt.Sprint(err)), err)
				}
				for _, part := range []string{"hunter2", "the", "01234567", "qwerty", "asdfgh", "aHVudGVy", "MDEyMzQ1", "cXdlcnR5"} {
					if i := strings.Index(seen.String(), part); i >= 0 {
						t.Errorf("%s: an event shows %q: %q", name, part, seen.String()[max(0, i-100):min(seen.Len(), i+100)])
					}
					if strings.Contains(fmt.Sprint(err), part) {
						t.Errorf("%s: the error shows %q: %v", name, part, err)
					}
				}
			}
		}
	})
}
