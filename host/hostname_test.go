package host

import (
	"errors"
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
