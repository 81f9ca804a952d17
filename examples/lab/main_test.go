package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// TestScript runs the program against machines in this process: $PORT1 to $PORT3 of 127.0.0.1. The key and the machines' keys are in the files id
// and known_hosts.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// expand FILE: replaces $NAME in the file by the variable
			"expand": func(ts *testscript.TestScript, _ bool, args []string) {
				file := ts.MkAbs(args[0])
				ts.Check(os.WriteFile(file, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
			},
		},
		Setup: func(env *testscript.Env) error {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			signer, err := ssh.NewSignerFromKey(key)
			if err != nil {
				return err
			}
			block, err := ssh.MarshalPrivateKey(key, "")
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(env.WorkDir, "id"), pem.EncodeToMemory(block), 0o600); err != nil {
				return err
			}
			known := ""
			for i := 1; i <= 3; i++ {
				m, err := hosttest.Start(hosttest.Config{Hostname: fmt.Sprintf("pi%d", i), AuthorizedKeys: []ssh.PublicKey{signer.PublicKey()}})
				if err != nil {
					return err
				}
				env.Defer(func() { m.Close() })
				_, port, err := net.SplitHostPort(m.Addr())
				if err != nil {
					return err
				}
				env.Setenv(fmt.Sprintf("PORT%d", i), port)
				known += knownhosts.Line([]string{m.Addr()}, m.HostKey()) + "\n"
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "known_hosts"), []byte(known), 0o600)
		},
	})
}
