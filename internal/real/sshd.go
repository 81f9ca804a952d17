package real

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHOptions says how a test's sshd differs from the plain one. The zero value
// is the plain one.
type SSHOptions struct {
	// Config holds more lines of sshd_config(5), such as "MaxSessions 1" or
	// "ClientAliveInterval 1". They come first, and sshd takes the first value
	// that it reads for a keyword.
	Config []string
	// UserCA makes an authority whose user certificates are accepted too.
	UserCA bool
	// HostCert makes an authority and shows a host certificate of it, for
	// 127.0.0.1 and localhost.
	HostCert bool
}

// SSHServer is a running sshd of OpenSSH. It serves the user who runs the test.
type SSHServer struct {
	Addr       string        // 127.0.0.1:port
	Host       string        // 127.0.0.1
	Port       int           //
	User       string        // who runs the test, and who can log in
	Key        ssh.Signer    // the one key in its authorized_keys
	KeyFile    string        // the same, in OpenSSH's format; KeyFile.pub is its public half
	HostKey    ssh.PublicKey // its Ed25519 host key
	KnownHosts string        // a known_hosts file that pins HostKey for Addr
	Dir        string        // its configuration, keys and authorized_keys
	UserCA     ssh.Signer    // nil unless asked for; sign with [Certify]
	HostCA     ssh.Signer    // nil unless asked for

	bin     string
	log     string
	proc    *process
	release func() // of the port
}

// SSHD starts an OpenSSH server with the plain options, for as long as the
// test runs.
func SSHD(tb testing.TB) *SSHServer {
	tb.Helper()
	return SSHDWith(tb, SSHOptions{})
}

// SSHDWith starts an OpenSSH server as o says, for as long as the test runs.
func SSHDWith(tb testing.TB, o SSHOptions) *SSHServer {
	tb.Helper()
	bin := findBinary("sshd", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
	if bin == "" {
		Missing(tb, "sshd of OpenSSH")
	}
	s, err := newSSHServer(bin, tb.TempDir(), o)
	if err != nil {
		tb.Fatalf("sshd: %v", err)
	}
	tb.Cleanup(func() {
		s.Stop()
		s.release()
		if tb.Failed() {
			tb.Logf("sshd's log:\n%s", s.Log())
		}
	})
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		tb.Fatalf("sshd: %v", err)
	}
	return s
}

// Start starts the server again, with the same keys, port and configuration
// (edit Dir/sshd_config between [SSHServer.Stop] and Start to change it).
func (s *SSHServer) Start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.bin, "-D", "-e", "-f", filepath.Join(s.Dir, "sshd_config"))
	cmd.Stderr = log
	if s.proc, err = start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	err = s.proc.until(ctx, "sshd answers at "+s.Addr, func() error { return sshBanner(s.Addr) })
	if err != nil {
		s.Stop()
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	return nil
}

// Stop ends the listener. Connections that are open stay open, as they do when
// sshd is restarted on a machine.
func (s *SSHServer) Stop() {
	_ = s.proc.stop(syscall.SIGTERM, 5*time.Second)
}

// Log is what the server has logged so far.
func (s *SSHServer) Log() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func newSSHServer(bin, dir string, o SSHOptions) (_ *SSHServer, err error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	port, release, err := reservePort("127.0.0.1")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	s := &SSHServer{
		release: release, Host: "127.0.0.1", Port: port, User: me.Username, Dir: dir, bin: bin,
		Addr:       net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		KeyFile:    filepath.Join(dir, "id_ed25519"),
		KnownHosts: filepath.Join(dir, "known_hosts"),
		log:        filepath.Join(dir, "sshd.log"),
	}
	if s.Key, err = newKey(s.KeyFile); err != nil {
		return nil, err
	}
	hostKeyFile := filepath.Join(dir, "host_ed25519")
	host, err := newKey(hostKeyFile)
	if err != nil {
		return nil, err
	}
	s.HostKey = host.PublicKey()
	pin := knownhosts.Line([]string{knownhosts.Normalize(s.Addr)}, s.HostKey) + "\n"
	files := map[string][]byte{
		"authorized_keys": ssh.MarshalAuthorizedKey(s.Key.PublicKey()),
		"known_hosts":     []byte(pin),
	}
	conf := append([]string(nil), o.Config...)
	conf = append(conf,
		"ListenAddress "+s.Addr,
		"HostKey "+hostKeyFile,
		"AuthorizedKeysFile "+filepath.Join(dir, "authorized_keys"),
		"PidFile none",
		"StrictModes no", // a test's folder may sit below a folder that others can write to
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"PermitRootLogin prohibit-password",
		"UseDNS no",
		"PrintMotd no",
		"LogLevel VERBOSE",
		"Subsystem sftp internal-sftp",
		// bash reads the .bashrc of who runs the test when it is the first shell
		// below sshd. What that prints, waits for and locks is none of a test's.
		"SetEnv SHLVL=1",
	)
	if o.UserCA {
		ca := filepath.Join(dir, "user_ca")
		if s.UserCA, err = newKey(ca); err != nil {
			return nil, err
		}
		conf = append(conf, "TrustedUserCAKeys "+ca+".pub")
	}
	if o.HostCert {
		if s.HostCA, err = newKey(filepath.Join(dir, "host_ca")); err != nil {
			return nil, err
		}
		cert, err := Certify(s.HostCA, s.HostKey, ssh.HostCert, "127.0.0.1", "localhost")
		if err != nil {
			return nil, err
		}
		files["host_ed25519-cert.pub"] = ssh.MarshalAuthorizedKey(cert)
		conf = append(conf, "HostCertificate "+hostKeyFile+"-cert.pub")
	}
	if me.Uid == "0" {
		// sshd as root separates privileges below this folder, which Debian's
		// unit makes and a machine without that unit lacks.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
		if accountLocked("/etc/shadow", me.Username) {
			conf = append(conf, "UsePAM yes") // without PAM sshd refuses a locked account even with a key
		}
	}
	files["sshd_config"] = []byte(strings.Join(conf, "\n") + "\n")
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// accountLocked reports whether name's password in the shadow file starts with
// the mark that sshd takes for a locked account.
func accountLocked(shadow, name string) bool {
	b, _ := os.ReadFile(shadow)
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return bytes.HasPrefix(rest, []byte("!"))
		}
	}
	return false
}

// sshBanner succeeds when an SSH server greets at addr.
func sshBanner(addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := c.Read(b); err != nil {
		return err
	}
	if string(b) != "SSH-" {
		return fmt.Errorf("unexpected greeting %q", b)
	}
	return nil
}

// findBinary looks for name in PATH and then in dirs, whose parts may be
// patterns. Empty means that it is nowhere.
func findBinary(name string, dirs ...string) string {
	if p, err := exec.LookPath(name); err == nil {
		if abs, err := filepath.Abs(p); err == nil {
			return abs // sshd insists on an absolute path
		}
	}
	for _, d := range dirs {
		found, _ := filepath.Glob(filepath.Join(d, name))
		for _, f := range found {
			if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return f
			}
		}
	}
	return ""
}
