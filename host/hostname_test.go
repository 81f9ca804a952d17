package host

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestHostnameOfANodeIsKept(t *testing.T) {
	o := blank().file("/etc/hostname", "raspberrypi\n").file("/etc/hosts", "127.0.0.1 localhost\n")
	o.Facts.Hostname = "raspberrypi"
	if got := causes(t, Hostname{Name: "pi1"}, o); len(got) != 3 {
		t.Errorf("%q", got)
	}
	o.paths[k3sData] = Stat{Type: DirFile}
	if _, err := (Hostname{Name: "pi1"}).Plan(o); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a k3s node was renamed: %v", err)
	}
}

// TestAliasesOfTheMachine: the own address has the machine's names in place of its old ones, and keeps all
// other names.
func TestAliasesOfTheMachine(t *testing.T) {
	for _, c := range []struct {
		name, domain, before, want string
	}{
		{"pi1", "", "127.0.1.1\told\n", "127.0.1.1 pi1\n"},
		{"pi1", "", "127.0.1.1 pi1 git.lab nas\n", "127.0.1.1 pi1 git.lab nas\n"},
		{"pi1", "", "127.0.1.1\told git.lab nas # mine\n::1 x\n", "127.0.1.1 pi1 git.lab nas # mine\n::1 x\n"},
		{"pi1", "lab", "127.0.1.1 old.home old nas\n", "127.0.1.1 pi1.lab pi1 nas\n"},
		{"pi1", "lab", "127.0.1.1 pi1.home pi1 nas\n", "127.0.1.1 pi1.lab pi1 nas\n"},
		{"pi1", "", "127.0.1.1 pi1.home pi1 nas\n", "127.0.1.1 pi1 nas\n"},
		{"pi1", "lab", "127.0.1.1 nas pi1\n", "127.0.1.1 pi1.lab pi1 nas\n"},
		{"pi1", "lab", "127.0.1.1   pi1.lab\tpi1 nas\n", "127.0.1.1   pi1.lab\tpi1 nas\n"},
		{"pi1", "", "127.0.1.1 kernel nas", "127.0.1.1 pi1 nas"},
		{"pi1", "", "127.0.1.1 old nas\r\n::1 x\r\n", "127.0.1.1 pi1 nas\r\n::1 x\r\n"},
		{"pi1", "", "127.0.1.10 old\n", "127.0.1.10 old\n127.0.1.1 pi1\n"},
		{"pi1", "", "", "127.0.1.1 pi1\n"},
		{"pi1", "", "127.0.1.1 older\n127.0.1.1 old\n", "127.0.1.1 older\n127.0.1.1 pi1\n"},
	} {
		h := Hostname{Name: c.name, Domain: c.domain}
		got := strings.Join(h.hosts(splitKeep(c.before), "old", "kernel"), "")
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.before, got, c.want)
		}
		if again := strings.Join(h.hosts(splitKeep(got), c.name, c.name), ""); again != got {
			t.Errorf("%q: a second time %q", c.before, again)
		}
	}
}
