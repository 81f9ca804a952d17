// Package programtest sets up the environment of the scripts that test a program.
package programtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Machines starts one machine in this process for each configuration, for as long as the script
// runs: at 127.0.0.1, ports $PORT1, $PORT2, ... The file id has a private key that all of them
// accept, and the file known_hosts their host keys. A machine without a host name is named pi1,
// pi2, ... by its position.
func Machines(env *testscript.Env, configs ...hosttest.Config) ([]*hosttest.Machine, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "id"), pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	var machines []*hosttest.Machine
	known := ""
	for i, c := range configs {
		if c.Hostname == "" {
			c.Hostname = fmt.Sprintf("pi%d", i+1)
		}
		c.AuthorizedKeys = append(c.AuthorizedKeys, signer.PublicKey())
		m, err := hosttest.Start(c)
		if err != nil {
			return nil, err
		}
		env.Defer(func() { m.Close() })
		_, port, err := net.SplitHostPort(m.Addr())
		if err != nil {
			return nil, err
		}
		env.Setenv(fmt.Sprintf("PORT%d", i+1), port)
		known += knownhosts.Line([]string{m.Addr()}, m.HostKey()) + "\n"
		machines = append(machines, m)
	}
	return machines, os.WriteFile(filepath.Join(env.WorkDir, "known_hosts"), []byte(known), 0o600)
}

// Expand is the command "expand FILE": it replaces $NAME in the file by the script's variable.
func Expand(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(file, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}
