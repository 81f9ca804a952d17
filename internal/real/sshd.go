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

// SSHOptions says how a test's sshd differs from the default. The zero value is
// the default.
type SSHOptions struct {
	// Config has lines of sshd_config(5), such as "MaxSessions 1" or
	// "ClientAliveInterval 1". They come first, and sshd uses the first value of a
	// keyword.
	Config []string
	// UserCA creates an authority whose user certificates are accepted too.
	UserCA bool
	// HostCert creates an authority and presents a host certificate that it signed,
	// for 127.0.0.1 and localhost.
	HostCert bool
}

// SSHServer is a running sshd of OpenSSH. It serves the user who runs the test.
type SSHServer struct {
	Addr       string        // 127.0.0.1:port
	Host       string        // 127.0.0.1
	Port       int           //
	User       string        // the user who runs the test, and can log in
	Key        ssh.Signer    // the only key in its authorized_keys
	KeyFile    string        // the same key, in OpenSSH's format; KeyFile.pub is its public half
	HostKey    ssh.PublicKey // its Ed25519 host key
	KnownHosts string        // a known_hosts file that pins HostKey for Addr
	Dir        string        // its configuration, keys and authorized_keys
	UserCA     ssh.Signer    // nil unless requested; sign with [Certify]
	HostCA     ssh.Signer    // nil unless requested

	bin     string
	log     string
	proc    *process
	release func() // of the port
}

// SSHD starts an OpenSSH server with the default options, for the duration of the
// test.
func SSHD(tb testing.TB) *SSHServer {
	tb.Helper()
	return SSHDWith(tb, SSHOptions{})
}

// SSHDWith starts an OpenSSH server with options, for the duration of the test.
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
			tb.Logf("log of sshd:\n%s", s.Log())
		}
	})
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		tb.Fatalf("sshd: %v", err)
	}
	return s
}

// Start starts the server again, with the same keys, port and configuration. To
// change it, edit Dir/sshd_config between [SSHServer.Stop] and Start.
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
	err = s.proc.until(ctx, "sshd answers on "+s.Addr, func() error { return sshBanner(s.Addr) })
	if err != nil {
		s.Stop()
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	return nil
}

// Stop stops the listener. Open connections stay open, as when sshd is restarted on
// a machine.
func (s *SSHServer) Stop() {
	_ = s.proc.stop(syscall.SIGTERM, 5*time.Second)
}

// Log returns what the server has logged so far.
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
	host, err := newKey(filepath.Join(dir, "host_ed25519"))
	if err != nil {
		return nil, err
	}
	s.HostKey = host.PublicKey()
	return s, s.configure(o, me)
}

// configure writes the server's files.
func (s *SSHServer) configure(o SSHOptions, me *user.User) (err error) {
	hostKeyFile := filepath.Join(s.Dir, "host_ed25519")
	pin := knownhosts.Line([]string{knownhosts.Normalize(s.Addr)}, s.HostKey) + "\n"
	files := map[string][]byte{
		"authorized_keys": ssh.MarshalAuthorizedKey(s.Key.PublicKey()),
		"known_hosts":     []byte(pin),
	}
	conf := append([]string(nil), o.Config...)
	conf = append(conf,
		"ListenAddress "+s.Addr,
		"HostKey "+hostKeyFile,
		"AuthorizedKeysFile "+filepath.Join(s.Dir, "authorized_keys"),
		"PidFile none",
		"StrictModes no", // the directory may be below one that others can write to
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"PermitRootLogin prohibit-password",
		"UseDNS no",
		"PrintMotd no",
		"LogLevel VERBOSE",
		"Subsystem sftp internal-sftp",
		// bash reads .bashrc if it is the first shell below sshd. The .bashrc of the
		// user who runs the test must not affect the tests.
		"SetEnv SHLVL=1",
	)
	if o.UserCA {
		ca := filepath.Join(s.Dir, "user_ca")
		if s.UserCA, err = newKey(ca); err != nil {
			return err
		}
		conf = append(conf, "TrustedUserCAKeys "+ca+".pub")
	}
	if o.HostCert {
		if s.HostCA, err = newKey(filepath.Join(s.Dir, "host_ca")); err != nil {
			return err
		}
		cert, err := Certify(s.HostCA, s.HostKey, ssh.HostCert, "127.0.0.1", "localhost")
		if err != nil {
			return err
		}
		files["host_ed25519-cert.pub"] = ssh.MarshalAuthorizedKey(cert)
		conf = append(conf, "HostCertificate "+hostKeyFile+"-cert.pub")
	}
	if me.Uid == "0" {
		// As root, sshd separates privileges below this directory, which Debian's
		// unit creates and which is missing without that unit.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
		if accountLocked("/etc/shadow", me.Username) {
			conf = append(conf, "UsePAM yes") // without PAM sshd refuses a locked account, even with a key
		}
	}
	files["sshd_config"] = []byte(strings.Join(conf, "\n") + "\n")
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// accountLocked reports whether name's password in the shadow file begins with the
// character that means a locked account to sshd.
func accountLocked(shadow, name string) bool {
	b, _ := os.ReadFile(shadow)
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return bytes.HasPrefix(rest, []byte("!"))
		}
	}
	return false
}

// sshBanner succeeds if an SSH server sends its greeting on addr.
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
