package host_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestModesNoOneMeans: a mode that was written in decimal is refused by every kind that has one, with what was
// meant; those that people use are not.
func TestModesNoOneMeans(t *testing.T) {
	kinds := func(m host.Mode) []host.Resource {
		return []host.Resource{host.File{Path: "/x", Mode: m}, host.Directory{Path: "/x", Mode: m},
			host.Line{Path: "/x", Line: "a", Create: true, Mode: m}, host.Block{Path: "/x", Name: "a", Create: true, Mode: m},
			host.Download{Path: "/x", URL: "https://x.test/", SHA256: strings.Repeat("0", 64), Mode: m}}
	}
	used := "400 440 444 555 600 640 644 660 664 666 700 701 710 711 730 733 740 744 750 751 755 770 775 777 " +
		"1730 1733 1770 1777 2700 2710 2750 2755 2770 2775 2777 3770 3775 4711 4750 4755 6755"
	for word := range strings.FieldsSeq(used) {
		octal, err := strconv.ParseUint(word, 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		decimal, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range kinds(host.Mode(octal)) {
			for _, p := range r.Validate() {
				if p.Path == "mode" {
					t.Errorf("%T: mode 0%s is refused: %s", r, word, p)
				}
			}
		}
		for _, r := range kinds(host.Mode(decimal)) {
			ps := r.Validate()
			if len(ps) != 1 || ps[0].Path != "mode" || !strings.Contains(ps[0].Hint, fmt.Sprintf("%04o", octal)) {
				t.Errorf("%T: mode %s in decimal, which is %04o: %v", r, word, decimal, ps)
			}
		}
	}
}

// TestPlansShowModes: a plan says what mode and owner a path gets, when it is created and when its content
// changes with it; a reviewed plan with another mode is not that plan.
func TestPlansShowModes(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if out, err := box.Exec("mkdir -p /srv; echo a >/srv/old; chmod 0600 /srv/old; echo b >/srv/same; chmod 0644 /srv/same"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	s := host.State{
		host.File{Path: "/srv/new", Content: "x\n", Mode: 0o640, Group: "adm"},
		host.File{Path: "/srv/empty"},
		host.File{Path: "/srv/old", Content: "b\n"},
		host.File{Path: "/srv/same", Content: "c\n"},
		host.Directory{Path: "/srv/dir", Mode: 0o2775, Owner: "pi"},
		host.Line{Path: "/srv/line", Line: "x", Create: true},
	}
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"mode 0640, owner root:adm\n", "mode 0644, owner root:root\n", "mode 0600 becomes 0644\n", "",
		"mode 2775, owner pi:root\n", "mode 0644, owner root:root\n"}
	for i, c := range p.Changes() {
		first, _, _ := strings.Cut(c.Diff, "---")
		if first != want[i] {
			t.Errorf("%s begins with %q, want %q", c.ID, first, want[i])
		}
	}
	reviewed := p.Changes()
	s[1] = host.File{Path: "/srv/empty", Mode: 0o666}
	if p, err = m.Plan(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if p.Within(reviewed) == nil {
		t.Error("a file that was reviewed with another mode is not drift")
	}
}
