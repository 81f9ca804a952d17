package host_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

func TestUnmatched(t *testing.T) {
	key := "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"
	states := []host.State{
		{host.File{Path: "/etc/motd"}, host.Sysctl{Key: "vm.swappiness", Value: "1"}},
		{host.AptSource{Name: "docker", URIs: []string{"https://example.org"}, Suites: []string{"./"}, Key: key}},
	}
	for glob, hint := range map[string]string{
		"file:*": "", "*motd": "", "sysctl:vm.swappines?": "", "aptsource:docker": "", "file:/etc/apt/keyrings/*": "",
		"fiel:/etc/motd": "nearest: file:/etc/motd", "file:/etc/motdd": "nearest: file:/etc/motd",
		"file": "nearest: file:*",
		"":     "an ID is", "file:/no/such/path": "an ID is", "zzz:1": "an ID is",
	} {
		err := host.Unmatched([]string{glob, "*"}, states...)
		switch {
		case hint == "" && err != nil:
			t.Errorf("%q: %v", glob, err)
		case hint != "" && (!errors.Is(err, lab.ErrNotFound) || !strings.HasPrefix(strings.Join(lab.Hints(err), ""), hint)):
			t.Errorf("%q: %v, %q", glob, err, lab.Hints(err))
		}
	}
	if err := host.Unmatched(nil); err != nil {
		t.Error(err)
	}
}
