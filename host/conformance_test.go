package host_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hostsuite"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestConformanceInProcess(t *testing.T) {
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		return hostsuite.Subject{Target: inProcess(hosttest.New(t, hosttest.Config{})), Cuts: 40}
	})
}

// TestConformanceSSHD runs on OpenSSH and the tools of this machine, in a directory of the test.
func TestConformanceSSHD(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		real.Missing(t, "Linux and root, to set owners of files")
	}
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		s := real.SSHD(t)
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return hostsuite.Subject{Dir: dir, Cuts: 12, Target: ssh.Target{
			Name: "pi1", Address: s.Addr, User: s.User, ConnectTimeout: patience,
			Auth: ssh.Auth{Signers: []cryptossh.Signer{s.Key}}, HostKeys: pin(s.HostKey),
			LockFile: filepath.Join(filepath.Dir(dir), "lock"),
		}}
	})
}

// TestConformanceMachine runs on real Debian machines with systemd.
func TestConformanceMachine(t *testing.T) {
	machines := real.Machines(t, 10)
	next := 0
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		m := machines[next]
		next++
		return hostsuite.Subject{Target: realTarget(m)}
	})
}
