package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stack": main})
}

// TestScript runs the program against a machine in this process with a docker: $PORT of 127.0.0.1. The key and the machine's key are in the files id
// and known_hosts.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// unhealthy SERVICE, or healthy SERVICE: what its health check says from now on
			"unhealthy": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value("docker").(*composetest.Docker).Unhealthy(args[0], true)
			},
			"healthy": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value("docker").(*composetest.Docker).Unhealthy(args[0], false)
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
			m, err := hosttest.Start(hosttest.Config{AuthorizedKeys: []ssh.PublicKey{signer.PublicKey()}, Sleep: func(<-chan struct{}, time.Duration) {}})
			if err != nil {
				return err
			}
			env.Defer(func() { m.Close() })
			env.Values["docker"] = composetest.Install(m, composetest.Config{Registry: []composetest.Image{{Name: "nginx:1.29"}, {Name: "nginx:1.30"}}})
			_, port, err := net.SplitHostPort(m.Addr())
			if err != nil {
				return err
			}
			env.Setenv("PORT", port)
			return os.WriteFile(filepath.Join(env.WorkDir, "known_hosts"), []byte(knownhosts.Line([]string{m.Addr()}, m.HostKey())+"\n"), 0o600)
		},
	})
}
