package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// TestScript runs the program against four machines in this process, as [programtest.Machines] tells.
// The file id_rsa has an encrypted key that the second accepts too, which
// has a docker; wrong_hosts has a wrong host key for the first.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": programtest.Expand,
			"mode": modeCmd, "sametext": sameTextCmd},
		Setup: func(env *testscript.Env) error {
			pem, key, err := encryptedKey("open sesame")
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(env.WorkDir, "id_rsa"), pem, 0o600); err != nil {
				return err
			}
			configs := make([]hosttest.Config, 4)
			configs[1].AuthorizedKeys = append(configs[1].AuthorizedKeys, key)
			configs[3].SudoPassword = "correct horse"
			ms, err := programtest.Machines(env, configs...)
			if err != nil {
				return err
			}
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				sum := sha256.Sum256([]byte(req.URL.Path)) // an image for each tag that somebody asks for
				w.Header().Set("Docker-Content-Digest", "sha256:"+hex.EncodeToString(sum[:]))
			}))
			env.Defer(registry.Close)
			env.Setenv("REGISTRY", registry.Listener.Addr().String())
			composetest.Install(ms[1], composetest.Config{Registry: []composetest.Image{{Name: "postgres:17.10"}}})
			wrong := knownhosts.Line([]string{ms[0].Addr()}, ms[1].HostKey()) + "\n"
			return os.WriteFile(filepath.Join(env.WorkDir, "wrong_hosts"), []byte(wrong), 0o600)
		},
	})
}

// encryptedKey returns a private key that the passphrase decrypts, and its public half.
func encryptedKey(phrase string) ([]byte, cryptossh.PublicKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	block, err := cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(phrase))
	if err != nil {
		return nil, nil, err
	}
	signer, err := cryptossh.NewSignerFromKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(block), signer.PublicKey(), nil
}

// modeCmd: mode MODE FILE compares the mode of a file, in octal.
func modeCmd(ts *testscript.TestScript, _ bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(st.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

var figures = regexp.MustCompile(`[0-9]+\.[0-9]+ s\.`)

// sameTextCmd: sametext FILE FILE compares what two runs printed, except for how long they took.
func sameTextCmd(ts *testscript.TestScript, _ bool, args []string) {
	text := func(file string) string { return figures.ReplaceAllString(ts.ReadFile(file), "? s.") }
	if a, b := text(args[0]), text(args[1]); a != b {
		ts.Fatalf("%s:\n%s\n%s:\n%s", args[0], a, args[1], b)
	}
}
