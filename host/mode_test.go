package host

import (
	"strconv"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestOddModes: a mode that people give files and directories is accepted, and the same digits in decimal are
// refused, by every kind that has a mode.
func TestOddModes(t *testing.T) {
	const sum = "0000000000000000000000000000000000000000000000000000000000000000"
	for _, digits := range strings.Fields("0400 0440 0444 0500 0550 0555 0600 0640 0644 0660 0664 0666 0700 0710 0711 0750 0751 " +
		"0755 0770 0771 0775 0777 1777 2755 2770 2775 4711 4755 6755 1733 1730 3775") {
		octal, err := strconv.ParseUint(digits, 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		decimal, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		for m, good := range map[Mode]bool{Mode(octal): true, Mode(decimal): false} {
			for _, r := range []Resource{File{Path: "/x", Mode: m}, Directory{Path: "/x", Mode: m},
				Line{Path: "/x", Line: "l", Mode: m}, Block{Path: "/x", Name: "n", Mode: m},
				Download{Path: "/x", URL: "https://example.org/", SHA256: sum, Mode: m}} {
				ps := r.Validate()
				if good != (len(ps) == 0) {
					t.Errorf("%s with %s, of %s: %v", r.ID(), m, digits, ps)
				}
				if want := "write 0o" + strings.TrimLeft(digits, "0"); !good && len(ps) == 1 && m <= 0o7777 &&
					!strings.HasPrefix(ps[0].Hint, want) {
					t.Errorf("%s: the hint is %q, not %q", m, ps[0].Hint, want)
				}
			}
		}
	}
	var ps lab.Problems
	if checkMode(&ps, 0); len(ps) > 0 {
		t.Errorf("the default: %v", ps)
	}
}
