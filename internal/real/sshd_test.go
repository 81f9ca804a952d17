package real_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// output runs command over a new connection and returns its output.
func output(addr string, c *ssh.ClientConfig, command string) (string, error) {
	conn, err := ssh.Dial("tcp", addr, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	s, err := conn.NewSession()
	if err != nil {
		return "", err
	}
	out, err := s.CombinedOutput(command)
	return strings.TrimSpace(string(out)), err
}

func TestSSHD(t *testing.T) {
	s := real.SSHD(t)
	pinned, err := knownhosts.New(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*ssh.ClientConfig{
		"fixed host key": {User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)},
			HostKeyCallback: ssh.FixedHostKey(s.HostKey)},
		"known_hosts": {User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)}, HostKeyCallback: pinned},
	} {
		if out, err := output(s.Addr, c, "echo $((6*7))"); err != nil || out != "42" {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
	c := &ssh.ClientConfig{User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)}, HostKeyCallback: pinned}
	if out, err := output(s.Addr, c, `echo "$BASH_VERSION $SHLVL"`); err != nil ||
		strings.Contains(out, " ") && !strings.HasSuffix(out, " 2") {
		t.Errorf("bash believes that it is the first shell, and reads .bashrc: %q, %v", out, err)
	}
	nobody := &ssh.ClientConfig{User: s.User, HostKeyCallback: ssh.FixedHostKey(s.HostKey)}
	if _, err := output(s.Addr, nobody, "true"); err == nil {
		t.Error("logged in without a key")
	}

	s.Stop()
	if c, err := net.Dial("tcp", s.Addr); err == nil {
		c.Close()
		t.Error("still listening after Stop")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", s.Addr); err != nil {
		t.Error("not listening after Start:", err)
	} else {
		c.Close()
	}
}

func TestSSHDCertificates(t *testing.T) {
	s := real.SSHDWith(t, real.SSHOptions{UserCA: true, HostCert: true, Config: []string{"MaxSessions 1"}})
	if err := os.Truncate(s.Dir+"/authorized_keys", 0); err != nil {
		t.Fatal(err)
	}
	cert, err := real.Certify(s.UserCA, s.Key.PublicKey(), ssh.UserCert, s.User)
	if err != nil {
		t.Fatal(err)
	}
	user, err := ssh.NewCertSigner(cert, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	checker := ssh.CertChecker{IsHostAuthority: func(k ssh.PublicKey, _ string) bool {
		return string(k.Marshal()) == string(s.HostCA.PublicKey().Marshal())
	}}
	c := &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(user)},
		HostKeyCallback:   checker.CheckHostKey,
		HostKeyAlgorithms: []string{ssh.CertAlgoED25519v01},
	}
	if out, err := output(s.Addr, c, "echo in"); err != nil || out != "in" {
		t.Errorf("with certificates: got %q, %v", out, err)
	}
	c.Auth = []ssh.AuthMethod{ssh.PublicKeys(s.Key)}
	if _, err := output(s.Addr, c, "true"); err == nil {
		t.Error("logged in with a key that is neither certified nor authorized")
	}
}

func TestSSHDByOpenSSH(t *testing.T) {
	client, err := exec.LookPath("ssh")
	if err != nil {
		real.Missing(t, "ssh of OpenSSH")
	}
	s := real.SSHD(t)
	_, port, _ := net.SplitHostPort(s.Addr)
	out, err := exec.Command(client, "-F", "none", "-i", s.KeyFile, "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile="+s.KnownHosts,
		"-o", "StrictHostKeyChecking=yes", "-p", port, s.User+"@"+s.Host, "echo hello").CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("got %q, %v", out, err)
	}
}
