package host_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hostsuite"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func pin(k cryptossh.PublicKey) ssh.HostKeys {
	return ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(k))}}
}

// inProcess returns how a machine in this process is reached.
func inProcess(m *hosttest.Machine) ssh.Target {
	return ssh.Target{Name: "pi1", Address: m.Addr(), User: m.User(), ConnectTimeout: patience, Auth: ssh.Auth{Signers: []cryptossh.Signer{m.ClientKey()}}, HostKeys: pin(m.HostKey())}
}

func TestConformanceInProcess(t *testing.T) {
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		return hostsuite.Subject{Target: inProcess(hosttest.New(t, hosttest.Config{})), Cuts: 40}
	})
}

// TestConformanceSSHD runs on OpenSSH and the tools of this machine, in a folder of the test.
func TestConformanceSSHD(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		real.Missing(t, "Linux and root, to keep owners of files")
	}
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		s := real.SSHD(t)
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return hostsuite.Subject{Dir: dir, Cuts: 12, Target: ssh.Target{
			Name: "pi1", Address: s.Addr, User: s.User, ConnectTimeout: patience, Auth: ssh.Auth{Signers: []cryptossh.Signer{s.Key}}, HostKeys: pin(s.HostKey), LockFile: filepath.Join(filepath.Dir(dir), "lock"),
		}}
	})
}

// TestConformanceMachine runs on real Debian machines with systemd.
func TestConformanceMachine(t *testing.T) {
	machines := real.Machines(t, 9)
	next := 0
	hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
		m := machines[next]
		next++
		return hostsuite.Subject{Target: realTarget(m)}
	})
}

func realTarget(m *real.Machine) ssh.Target {
	return ssh.Target{Name: m.Name, Address: m.Addr, User: m.User, ConnectTimeout: patience, Auth: ssh.Auth{Signers: []cryptossh.Signer{m.Key}}, HostKeys: pin(m.HostKey), Boundary: boundary}
}

// boundary allows the test's own machines.
var boundary = &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16"), netip.MustParsePrefix("127.0.0.0/8")}}
