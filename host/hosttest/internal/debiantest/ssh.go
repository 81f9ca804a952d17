package debiantest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Dial logs in as the machine's user.
func Dial(t testing.TB, m *hosttest.Machine) *ssh.Client {
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

// Exec runs a command over SSH.
func Exec(t testing.TB, c *ssh.Client, cmd, stdin string) (stdout, stderr string, err error) {
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

// ExitOf is the exit code and the signal that an error of a session tells; -1 and its text when it is another error.
func ExitOf(err error) (int, string) {
	var ee *ssh.ExitError
	if errors.As(err, &ee) {
		return ee.ExitStatus(), ee.Signal()
	}
	if err == nil {
		return 0, ""
	}
	return -1, err.Error()
}

// WaitFor waits for what another goroutine does.
func WaitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("it did not happen in two minutes")
}
