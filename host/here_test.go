package host_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// here returns this machine, managed by root through OpenSSH, and a folder for the test.
func here(t *testing.T) (m *host.Machine, dir string) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		real.Missing(t, "Linux and root, to keep owners of files")
	}
	s := real.SSHD(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m = &host.Machine{Target: ssh.Target{Name: "pi1", Address: s.Addr, User: s.User, ConnectTimeout: patience, Auth: ssh.Auth{Signers: []cryptossh.Signer{s.Key}}, HostKeys: pin(s.HostKey), LockFile: filepath.Join(filepath.Dir(s.KeyFile), "lock")}}
	t.Cleanup(func() { m.Close() })
	return m, dir
}
