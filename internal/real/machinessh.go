package real

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// ClientConfig returns a configuration to log in to the machine as user, with its
// host key pinned.
func (m *Machine) ClientConfig(user string) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(m.Key)},
		HostKeyCallback:   ssh.FixedHostKey(m.HostKey),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		Timeout:           time.Minute,
	}
}

// KnownHosts returns a line for a known_hosts file that pins the machine's host key.
func (m *Machine) KnownHosts() string {
	return knownhosts.Line([]string{m.Host}, m.HostKey)
}

// Run runs a shell command as pi over a new SSH connection and returns its
// standard output. Tests compare the results of the code under test with it.
func (m *Machine) Run(ctx context.Context, command string) (string, error) {
	return m.run(ctx, 5*time.Minute, command)
}

// run does the same as Run, with a time limit for the login.
func (m *Machine) run(ctx context.Context, login time.Duration, command string) (string, error) {
	fail := func(err error, stderr string) error {
		return fmt.Errorf("%s: %s: %w %s", m.Name, command, err, strings.TrimSpace(stderr))
	}
	deadline := time.Now().Add(login)
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", m.Addr)
	if err != nil {
		return "", fail(err, "")
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// A machine that goes down between accept and greeting never answers.
	if err := conn.SetDeadline(deadline); err != nil {
		return "", fail(err, "")
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, m.Addr, m.ClientConfig(m.User))
	if err != nil {
		return "", fail(err, "")
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return "", fail(err, "")
	}
	client := ssh.NewClient(c, chans, reqs)
	defer client.Close()
	s, err := client.NewSession()
	if err != nil {
		return "", fail(err, "")
	}
	var out, stderr strings.Builder
	s.Stdout, s.Stderr = &out, &stderr
	if err := s.Run(command); err != nil {
		return out.String(), fail(errors.Join(err, ctx.Err()), stderr.String())
	}
	return out.String(), nil
}
