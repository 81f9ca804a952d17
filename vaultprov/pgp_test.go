package vaultprov_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// TestInitWithPGP: the server encrypts each share to a key of PGP. They are kept so, and open the server when their
// holder has decrypted them.
func TestInitWithPGP(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		real.Missing(t, "gpg of GnuPG")
	}
	home := t.TempDir()
	gpg := func(in []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "gpg", append([]string{"--homedir", home, "--batch", "--quiet",
			"--pinentry-mode",
			"loopback", "--passphrase", ""}, args...)...)
		cmd.Stdin = bytes.NewReader(in)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %v: %v\n%s", args, err, said.String())
		}
		return out
	}
	gpg(nil, "--quick-generate-key", "holder@example.com", "rsa2048", "encr,sign", "never")
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	key := base64.StdEncoding.EncodeToString(gpg(nil, "--export", "holder@example.com"))

	vault := real.VaultRaft(t)
	v := installed{Server: &vaultprov.Server{Address: vault.Address}}
	sink := newMemory()
	p, err := v.Init(t.Context(), vaultprov.Init{Sink: sink, Shares: 1, Threshold: 1, PGPKeys: []string{key}})
	if _, err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	if _, err := vaultprov.ParseKeys(sink.secrets["vault-init"]); !errors.Is(err, lab.ErrInvalid) ||
		!strings.Contains(err.Error(), "share 1 is encrypted") {
		t.Errorf("%v", err)
	}
	var kept struct {
		Base64 []string `json:"unseal_keys_b64"`
	}
	if err := json.Unmarshal([]byte(sink.secrets["vault-init"].Reveal()), &kept); err != nil {
		t.Fatal(err)
	}
	encrypted, err := base64.StdEncoding.DecodeString(kept.Base64[0])
	if err != nil {
		t.Fatal(err)
	}
	share := string(gpg(encrypted, "--decrypt")) // in hex, as Vault encrypts it
	if _, err := hex.DecodeString(share); err != nil {
		t.Errorf("what was decrypted is no share: %v", err)
	}
	p, err = vaultprov.Unseal(t.Context(), vaultprov.Keys{Shares: []lab.Secret{lab.NewSecret(share)}}, v.Server)
	if _, err := apply(t, p, err); err != nil || state(t, v) != "active" {
		t.Errorf("%v", err)
	}
}
