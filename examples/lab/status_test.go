package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// TestStatusTriesOnce: a machine that cannot be reached costs status one try, however many stages it is in.
func TestStatusTriesOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var tries atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tries.Add(1)
			c.Close()
		}
	}()
	dir := t.TempDir()
	config := fmt.Sprintf("domain: sandbox.test\nssh: {user: pi, identities: [id], acceptNew: known}\n"+
		"inventory:\n  hosts:\n    pi7: {address: 127.0.0.1, port: %d}\n", l.Addr().(*net.TCPAddr).Port)
	for name, content := range map[string]string{"lab.yaml": config, "known": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "id"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"status", "plan"} {
		tries.Store(0)
		var out, errs strings.Builder
		err = cli.Run(t.Context(), program(), []string{verb, "--config", filepath.Join(dir, "lab.yaml")}, &out, &errs)
		if n := tries.Load(); n != 1 || lab.ExitCode(err) != lab.ExitError {
			t.Errorf("%s: %d tries, %v\n%s", verb, n, err, out.String())
		}
	}
}
