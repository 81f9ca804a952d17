package hostsuite

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// keysComeWithTheirAccount: one plan creates an account with its keys, whatever was there before.
func keysComeWithTheirAccount(t *testing.T, subject Subject) {
	if subject.Dir != "" {
		return // it needs a whole machine
	}
	s := subject.open(t)
	first := "ssh-ed25519 " + testKey + " first@lab"
	second := "restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFPmJ1vG0mVv8a1bqgWb1cJrKJXW9p1xwT6pYwYQe1xK second@lab"
	old := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOldKeyOldKeyOldKeyOldKeyOldKeyOldKeyOldKe old@lab"
	st := host.State{
		host.User{Name: "labkeys"},
		host.AuthorizedKey{User: "labkeys", Key: first},
		host.AuthorizedKey{User: "labkeys", Key: second},
	}
	const file = "/home/labkeys/.ssh/authorized_keys"
	holds := func(when string, lines ...string) {
		t.Helper()
		if got, want := s.sh(t, "cat "+file), strings.Join(lines, "\n")+"\n"; got != want {
			t.Errorf("%s the keys are\n%swant\n%s", when, got, want)
		}
		if got := s.sh(t, "stat -c '%a %U' "+file); got != "600 labkeys\n" {
			t.Errorf("%s the mode and owner of the file are %s", when, got)
		}
	}
	s.apply(t, st)
	holds("of a new account", first, second)
	s.sh(t, "userdel labkeys; rm -rf /home/labkeys; mkdir -m 0700 /etc/skel/.ssh; "+
		"echo '"+old+"' >/etc/skel/.ssh/authorized_keys; chmod 0600 /etc/skel/.ssh/authorized_keys")
	s.apply(t, st)
	s.sh(t, "rm -r /etc/skel/.ssh")
	holds("of an account whose home has a key from the skeleton", old, first, second)
	st[0] = host.User{Name: "labkeys", Home: "/srv/lab-conformance/keys"}
	s.sh(t, "userdel labkeys; rm -rf /home/labkeys")
	s.apply(t, st)
	if got := s.sh(t, "cat /srv/lab-conformance/keys/.ssh/authorized_keys"); got != first+"\n"+second+"\n" {
		t.Errorf("in a home elsewhere the keys are %q", got)
	}
}
