package hosttest

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func dial(t testing.TB, m *Machine) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial("tcp", m.Addr(), &ssh.ClientConfig{
		User: m.User(), Auth: []ssh.AuthMethod{ssh.PublicKeys(m.ClientKey())}, HostKeyCallback: ssh.FixedHostKey(m.HostKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func run(t testing.TB, c *ssh.Client, cmd, stdin string) (stdout, stderr string, err error) {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out, errs bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(stdin), &out, &errs
	err = s.Run(cmd)
	return out.String(), errs.String(), err
}

func TestFirstContact(t *testing.T) {
	m := New(t, Config{})
	c := dial(t, m)
	out, errs, err := run(t, c, "id -u; hostname; uname -m; echo $$", "")
	t.Log(out, errs, err)
	script := "read -r x; echo got $x; head -c 5; echo; cat"
	out, errs, err = run(t, c, `sudo -n -- setsid -w flock -n -o -E 75 /run/lab.lock sh -c 'eval "$(head -c `+strconv.Itoa(len(script))+`)"'`, script+"line\n12345rest of it")
	t.Logf("%q %q %v", out, errs, err)
	if want := "got line\n12345\nrest of it"; out != want || err != nil {
		t.Fatalf("got %q, %q, %v; want %q", out, errs, err, want)
	}
	out, errs, err = run(t, c, `stat -c '%a %U %n' /etc/passwd /nope; getent passwd pi; dpkg-query -W sudo nope; systemctl show -p Id,ActiveState,MainPID cron ssh; printf '/etc/hosts\0/etc/passwd\0' | xargs -0 sha256sum; ls /dev /proc; mktemp; sleep 0`, "")
	t.Logf("%s\n%s\n%v", out, errs, err)
	t.Logf("%+v", m.Counters())
}
