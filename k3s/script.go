package k3s

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

//go:embed sh/*.sh
var embedded embed.FS

// shell returns sh/NAME.sh with assignments prepended; vars alternates names and values.
func shell(name string, vars ...string) string {
	return script.Join(embedded, script.Pairs(vars...), name+".sh")
}

// run runs a script as root and returns what it prints. An error has what it prints on standard error, without the
// secrets.
func run(ctx context.Context, m *host.Machine, op, text string, secrets ...lab.Secret) (string, error) {
	res, err := m.Run(ctx, ssh.Command{Script: text, Root: true})
	if err != nil {
		return "", err
	}
	out, err := script.Output(res, secrets...)
	if err != nil {
		return "", &lab.Error{Op: op, Target: m.Name(), Hint: "on the machine: journalctl -u 'k3s*' -e", Err: err}
	}
	return out, nil
}

// fileSum returns the SHA-256 of a local file in hex.
func fileSum(name string) (string, error) {
	if st, err := os.Stat(name); err != nil {
		return "", err
	} else if !st.Mode().IsRegular() { // the open of a named pipe would wait for a writer
		return "", &os.PathError{Op: "read", Path: name, Err: errors.New("is not a regular file")}
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
