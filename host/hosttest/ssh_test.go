package hosttest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func dialAs(m *hosttest.Machine, user string, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", m.Addr(),
		&ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(m.HostKey())})
}

// elevated is how package host runs a script: the length of it, then the bytes on standard input.
func elevated(script string) string {
	return fmt.Sprintf(`sudo -n -- setsid -w flock -n -o -E 75 /run/lab.lock sh -c 'eval "$(head -c %d)"'`, len(script))
}

func TestAuthentication(t *testing.T) {
	key, _ := hosttest.NewSigner()
	other, _ := hosttest.NewSigner()
	ca, _ := hosttest.NewSigner()
	cert := func(ca ssh.Signer, principal string, mod func(*ssh.Certificate)) ssh.AuthMethod {
		c := &ssh.Certificate{Key: other.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{principal},
			ValidBefore: ssh.CertTimeInfinity}
		if mod != nil {
			mod(c)
		}
		if err := c.SignCert(rand.Reader, ca); err != nil {
			t.Fatal(err)
		}
		s, err := ssh.NewCertSigner(c, other)
		if err != nil {
			t.Fatal(err)
		}
		return ssh.PublicKeys(s)
	}
	m := hosttest.New(t,
		hosttest.Config{AuthorizedKeys: []ssh.PublicKey{key.PublicKey()}, UserCA: ca.PublicKey(), Password: "hunter2"})
	kbd := func(answer string) ssh.AuthMethod {
		return ssh.KeyboardInteractive(func(_, _ string, q []string, _ []bool) ([]string, error) {
			if len(q) == 0 {
				return nil, nil
			}
			return []string{answer}, nil
		})
	}
	for name, c := range map[string]struct {
		user string
		auth ssh.AuthMethod
		ok   bool
	}{
		"key":                {"pi", ssh.PublicKeys(key), true},
		"other key":          {"pi", ssh.PublicKeys(other), false},
		"key of nobody":      {"nobody", ssh.PublicKeys(key), false},
		"unknown user":       {"ghost", ssh.PublicKeys(key), false},
		"password":           {"pi", ssh.Password("hunter2"), true},
		"wrong password":     {"pi", ssh.Password("hunter3"), false},
		"keyboard":           {"pi", kbd("hunter2"), true},
		"wrong at keyboard":  {"pi", kbd("x"), false},
		"certificate":        {"pi", cert(ca, "pi", nil), true},
		"certificate for x":  {"pi", cert(ca, "x", nil), false},
		"foreign authority":  {"pi", cert(other, "pi", nil), false},
		"expired":            {"pi", cert(ca, "pi", func(c *ssh.Certificate) { c.ValidBefore = 1000 }), false},
		"host certificate":   {"pi", cert(ca, "pi", func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), false},
		"root by no key":     {"root", ssh.PublicKeys(key), false},
		"certificate, ghost": {"ghost", cert(ca, "ghost", nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			cl, err := dialAs(m, c.user, c.auth)
			if (err == nil) != c.ok {
				t.Fatalf("login: %v, want ok=%v", err, c.ok)
			}
			if err == nil {
				cl.Close()
			}
		})
	}
	// A key that a program adds counts at once, unless the file could be written by others.
	if _, err := m.Exec(`cat >>/home/pi/.ssh/authorized_keys <<E
` + string(ssh.MarshalAuthorizedKey(other.PublicKey())) + `
E`); err != nil {
		t.Fatal(err)
	}
	if c, err := dialAs(m, "pi", ssh.PublicKeys(other)); err != nil {
		t.Error("added key:", err)
	} else {
		c.Close()
	}
	m.Exec("chmod g+w /home/pi/.ssh/authorized_keys; gpasswd -a daemon pi")
	if _, err := dialAs(m, "pi", ssh.PublicKeys(other)); err == nil {
		t.Error("a key file that another user may write was trusted")
	}
}

func TestHostKeys(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rk, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	es, _ := ssh.NewSignerFromKey(ec)
	rs, _ := ssh.NewSignerFromKey(rk)
	m := hosttest.New(t, hosttest.Config{HostKeys: []ssh.Signer{es, rs}})
	for _, algo := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512} {
		var got ssh.PublicKey
		c, err := ssh.Dial("tcp", m.Addr(),
			&ssh.ClientConfig{User: "pi", Auth: []ssh.AuthMethod{ssh.PublicKeys(m.ClientKey())},
				HostKeyAlgorithms: []string{algo},
				HostKeyCallback:   func(_ string, _ net.Addr, k ssh.PublicKey) error { got = k; return nil }})
		if err != nil {
			t.Fatal(algo, err)
		}
		c.Close()
		if want := map[string]string{ssh.KeyAlgoRSASHA512: ssh.KeyAlgoRSA}[algo]; got.Type() != algo && got.Type() != want {
			t.Errorf("asked for %s, got %s", algo, got.Type())
		}
	}
	old := m.HostKey()
	if err := m.Faults().ChangeHostKey(); err != nil {
		t.Fatal(err)
	}
	_, err = ssh.Dial("tcp", m.Addr(),
		&ssh.ClientConfig{User: "pi", Auth: []ssh.AuthMethod{ssh.PublicKeys(m.ClientKey())},
			HostKeyCallback: ssh.FixedHostKey(old)})
	if err == nil || !strings.Contains(err.Error(), "host key mismatch") {
		t.Errorf("after ChangeHostKey: %v", err)
	}
}

func TestSudo(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{SudoPassword: "secret"})
	c := debiantest.Dial(t, m)
	for _, x := range []struct {
		name, cmd, stdin string
		out, errs        string
		code             int
		left             string
	}{
		{"no password given", "sudo -n -- id -u", "", "", "sudo: a password is required\n", 1, ""},
		{"right", "sudo -S -p '[sudo-1] ' -- sh -c 'id -u; cat'", "secret\nrest of input", "0\nrest of input",
			"[sudo-1] ", 0, ""},
		{"second try", "sudo -S -p '> ' -- id -u", "wrong\nsecret\n", "0\n", "> Sorry, try again.\n> ", 0, ""},
		{"wrong thrice", "sudo -S -p '> ' -- id -u", "a\nb\nc\nd\n", "",
			"> Sorry, try again.\n> Sorry, try again.\n> sudo: 3 incorrect password attempts\n", 1, ""},
		{"ends", "sudo -S -p '> ' -- id -u", "", "",
			"> \nsudo: no password was provided\nsudo: a password is required\n", 1, ""},
		{"no terminal", "sudo id", "", "",
			"sudo: a terminal is required to read the password; either use the -S option to read from standard input " +
				"or configure an askpass helper\nsudo: a password is required\n", 1, ""},
		{"unknown user", "sudo -u ghost id", "", "",
			"sudo: unknown user ghost\nsudo: error initializing audit plugin sudoers_audit\n", 1, ""},
		{"unknown command", "sudo -S -p '' -- nosuch", "secret\n", "", "sudo: nosuch: command not found\n", 1, ""},
		{"environment", "X=1 HOME=/x sudo -S -p '' -- sh -c 'echo $HOME $USER $SUDO_USER $SUDO_UID ${X-unset} $PATH'",
			"secret\n", "/root root pi 1000 unset /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", "",
			0, ""},
		{"another user", "sudo -S -p '' -u daemon -- id -un", "secret\n", "daemon\n", "", 0, ""},
		{"exit code", "sudo -S -p '' -- sh -c 'exit 7'", "secret\n", "", "", 7, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			out, errs, err := debiantest.Exec(t, c, x.cmd, x.stdin)
			code, _ := debiantest.ExitOf(err)
			if out != x.out || errs != x.errs || code != x.code {
				t.Errorf("got %q, %q, %d\nwant %q, %q, %d", out, errs, code, x.out, x.errs, x.code)
			}
		})
	}
}

func TestUploadIsExact(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	big := make([]byte, 100<<20)
	rand.Read(big[:4096])
	for n := 4096; n < len(big); n *= 2 {
		copy(big[n:], big[:n])
	}
	small := []byte("second\nfile\x00with\xffbytes")
	script := fmt.Sprintf("set -e; cd /var/tmp; head -c %d >one; echo got one; head -c %d >two; read line; "+
		"echo \"$line\"; sha256sum one two; cat", len(big), len(small))
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s.Stdout = &out
	s.Stdin = io.MultiReader(strings.NewReader(script), bytes.NewReader(big), bytes.NewReader(small),
		strings.NewReader("a line\nthe rest"))
	if err := s.Run(elevated(script)); err != nil {
		t.Fatal(err, out.String())
	}
	h1, h2 := sha256.Sum256(big), sha256.Sum256(small)
	want := "got one\na line\n" + hex.EncodeToString(h1[:]) + "  one\n" + hex.EncodeToString(h2[:]) + "  two\nthe rest"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
}

func TestOutputStreams(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	s, err := debiantest.Dial(t, m).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Start(`printf 'ready\n'; read x; printf 'got %s\n' "$x"; cat`); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, _ := io.ReadFull(out, buf[:6])
	if string(buf[:n]) != "ready\n" {
		t.Fatalf("%q", buf[:n])
	}
	io.WriteString(in, "it\n")
	n, _ = io.ReadFull(out, buf[:7])
	if string(buf[:n]) != "got it\n" {
		t.Fatalf("%q", buf[:n])
	}
	in.Close()
	if err := s.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestCancelByProcessGroup(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	// The leader of the session is flock, which setsid became; the shell is its child.
	script := `ps -o pgid= -p $$; sleep 1000; touch /var/tmp/survived`
	if err := s.Start(elevated(script)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, script)
	var pgid int
	if _, err := fmt.Fscan(out, &pgid); err != nil {
		t.Fatal(err)
	}
	// what the shell printed came before it started the sleep
	ps, _, err := debiantest.Exec(t, c,
		fmt.Sprintf("until ps -eo args= | grep -q '^sleep 1000'; do :; done; ps -o pid=,pgid=,sid= -p %d; "+
			"ps -eo args= | grep -c '^sleep 1000'; flock -n -E 75 /run/lab.lock true; echo $?", pgid), "")
	if err != nil || strings.Join(strings.Fields(ps), " ") != fmt.Sprintf("%d %d %d 1 75", pgid, pgid, pgid) {
		t.Fatalf("ps: %q %v", ps, err)
	}
	if _, errs, err := debiantest.Exec(t, c, fmt.Sprintf("kill -TERM -- -%d", pgid), ""); err == nil ||
		!strings.Contains(errs, "Operation not permitted") {
		t.Errorf("another user's processes were killed: %q %v", errs, err)
	}
	if _, errs, err := debiantest.Exec(t, c, fmt.Sprintf("sudo kill -TERM -- -%d", pgid), ""); err != nil {
		t.Fatal(errs, err)
	}
	if code, sig := debiantest.ExitOf(s.Wait()); code == 0 {
		t.Errorf("exit %d %s", code, sig)
	}
	ps, _, _ = debiantest.Exec(t, c, "ps -eo args= | grep '[s]leep 1000'; flock -n -E 75 /run/lab.lock echo free", "")
	if ps != "free\n" {
		t.Errorf("left over: %q", ps)
	}
	if _, err := m.FS().Stat("/var/tmp/survived"); err == nil {
		t.Error("the script went on")
	}
}

func TestSignalRequest(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	s, err := debiantest.Dial(t, m).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.StdoutPipe()
	if err := s.Start("echo up; sleep 1000"); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(out, make([]byte, 3))
	if err := s.Signal(ssh.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, sig := debiantest.ExitOf(s.Wait())
	if sig != "TERM" {
		t.Errorf("exit %d, signal %q", code, sig)
	}
}

func TestClosedChannelIsSIGPIPE(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.StdoutPipe()
	if err := s.Start("while :; do echo line; done"); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(out, make([]byte, 5))
	c.Close()
	debiantest.WaitFor(t, func() bool { return len(processesOf(m, "bash")) == 0 })
}

// processesOf lists what runs under a name.
func processesOf(m *hosttest.Machine, name string) (out []*kernel.Process) {
	for _, p := range m.Kernel().Processes() {
		if p.Comm() == name {
			out = append(out, p)
		}
	}
	return out
}

func TestJumpAndSockets(t *testing.T) {
	behind := hosttest.New(t, hosttest.Config{Hostname: "behind"})
	jump := hosttest.New(t, hosttest.Config{Hostname: "jump", Dial: func(_, addr string) (net.Conn, error) {
		if addr != "behind:22" {
			return nil, errors.New("no route")
		}
		return net.Dial("tcp", behind.Addr())
	}})
	c := debiantest.Dial(t, jump)
	nc, err := c.Dial("tcp", "behind:22")
	if err != nil {
		t.Fatal(err)
	}
	cc, chans, reqs, err := ssh.NewClientConn(nc, "behind:22",
		&ssh.ClientConfig{User: "pi", Auth: []ssh.AuthMethod{ssh.PublicKeys(behind.ClientKey())},
			HostKeyCallback: ssh.FixedHostKey(behind.HostKey())})
	if err != nil {
		t.Fatal(err)
	}
	through := ssh.NewClient(cc, chans, reqs)
	if out, _, err := debiantest.Exec(t, through, "hostname", ""); out != "behind\n" || err != nil {
		t.Errorf("%q %v", out, err)
	}
	through.Close()
	if _, err := c.Dial("tcp", "elsewhere:1"); err == nil {
		t.Error("dialled what is not there")
	}
	echo := func(c net.Conn) { io.Copy(c, c); c.Close() }
	behind.Listen(5432, echo)
	if err := behind.ListenUnix("/run/x.sock", 0, echo); err != nil {
		t.Fatal(err)
	}
	if err := behind.ListenUnix("/run/docker.sock", 1000, echo); err != nil {
		t.Fatal(err)
	}
	b := debiantest.Dial(t, behind)
	for _, a := range [][2]string{{"tcp", "127.0.0.1:5432"}, {"tcp", "localhost:5432"}, {"unix", "/run/docker.sock"}} {
		x, err := b.Dial(a[0], a[1])
		if err != nil {
			t.Fatal(a, err)
		}
		io.WriteString(x, "ping")
		buf := make([]byte, 4)
		if _, err := io.ReadFull(x, buf); err != nil || string(buf) != "ping" {
			t.Error(a, err, string(buf))
		}
		x.Close()
	}
	if _, err := b.Dial("unix", "/run/x.sock"); err == nil {
		t.Error("a socket of root's was opened by pi")
	}
	if _, err := b.Dial("unix", "/run/nosuch.sock"); err == nil {
		t.Error("a socket that is not there was opened")
	}
	if _, err := b.Dial("tcp", "localhost:5433"); err == nil {
		t.Error("a port that is closed was opened")
	}
}

func TestKeepaliveAndSessions(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	if ok, _, err := c.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("keepalive: %v %v", ok, err)
	}
	var open []*ssh.Session
	for range 10 { // MaxSessions
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
	}
	if _, err := c.NewSession(); err == nil {
		t.Error("more sessions than MaxSessions")
	}
	open[0].Close()
	debiantest.WaitFor(t, func() bool {
		s, err := c.NewSession()
		if err == nil {
			s.Close()
		}
		return err == nil
	})
}

func TestFaultsOfTheConnection(t *testing.T) {
	t.Run("FailExec", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().FailExec(2)
		c := debiantest.Dial(t, m)
		if _, _, err := debiantest.Exec(t, c, "true", ""); err != nil {
			t.Error(err)
		}
		if _, _, err := debiantest.Exec(t, c, "true", ""); err == nil {
			t.Error("the second exec was not refused")
		}
		if _, _, err := debiantest.Exec(t, c, "true", ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("CutAfter", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().CutAfter(1, 10)
		out, _, err := debiantest.Exec(t, debiantest.Dial(t, m), "seq 100; sleep 1000", "")
		if out != "1\n2\n3\n4\n5\n" || err == nil {
			t.Errorf("%q %v", out, err)
		}
	})
	t.Run("CutWhen", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().CutWhen(func(b []byte) bool { return bytes.Contains(b, []byte("frame 2")) })
		out, _, err := debiantest.Exec(t, debiantest.Dial(t, m), "echo frame 1; sleep 0.05; echo frame 2; sleep 1000", "")
		if strings.Contains(out, "frame 2") || err == nil {
			t.Errorf("%q %v", out, err)
		}
	})
	t.Run("LostAnswer", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().LostAnswer(1)
		out, _, err := debiantest.Exec(t, debiantest.Dial(t, m), "sudo touch /done; echo ok", "")
		if out != "" || err == nil {
			t.Errorf("%q %v", out, err)
		}
		if _, err := m.FS().Stat("/done"); err != nil {
			t.Error("the command was not done")
		}
	})
	t.Run("DropAfterBytes", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().DropAfterBytes(500)
		if c, err := dialAs(m, "pi", ssh.PublicKeys(m.ClientKey())); err == nil {
			c.Close()
			t.Error("the handshake got through 500 bytes")
		}
		c, err := dialAs(m, "pi", ssh.PublicKeys(m.ClientKey()))
		if err != nil {
			t.Fatal("it drops more than once:", err)
		}
		c.Close()
	})
	t.Run("Refuse", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().Refuse(true)
		if _, err := dialAs(m, "pi", ssh.PublicKeys(m.ClientKey())); err == nil {
			t.Error("connected")
		}
		m.Faults().Refuse(false)
		debiantest.Dial(t, m)
	})
	t.Run("Latency", func(t *testing.T) {
		m := hosttest.New(t, hosttest.Config{})
		m.Faults().Latency(5 * time.Millisecond)
		if out, _, err := debiantest.Exec(t, debiantest.Dial(t, m), "echo $((6*7))", ""); out != "42\n" || err != nil {
			t.Errorf("%q %v", out, err)
		}
	})
}

func TestTurns(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	turns := func(script string) int64 {
		before := m.Counters().Turns
		debiantest.Exec(t, c, script, "")
		return m.Counters().Turns - before
	}
	// A turn is not seen when the client was faster than this machine's next look at the connection.
	const tries = 20
	one := int64(0)
	for range tries {
		one = max(one, turns("true"))
	}
	if one < 2 || one > 4 {
		t.Errorf("an exec takes %d turns: opening the channel and the exec are two", one)
	}
	if many := turns("seq 100000"); many > one+3 {
		t.Errorf("an exec takes %d turns, with much output %d", one, many)
	}
	if n := m.Counters().Execs; n != tries+1 {
		t.Errorf("%d execs", n)
	}
}

func TestRebootAndPowerCut(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	boot := m.BootID()
	do := func(script string) {
		t.Helper()
		if _, err := m.Exec(script); err != nil {
			t.Fatal(err)
		}
	}
	get := func(script string) string {
		t.Helper()
		out, err := m.Exec(script)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	c := debiantest.Dial(t, m)
	do("echo old >/etc/r; sync; echo a >/etc/unsynced; echo b >/etc/synced; sync /etc/synced; echo c >/run/volatile; " +
		"echo new >/etc/r.tmp; mv /etc/r.tmp /etc/r; sysctl -q -w vm.swappiness=1; modprobe overlay; sleep 1000 &")
	m.PowerCut()
	if b := m.BootID(); b == boot {
		t.Error("boot id did not change")
	}
	if _, err := c.NewSession(); err == nil {
		t.Error("the connection survived")
	}
	if got, want := get("cat /etc/synced; wc -c </etc/unsynced; wc -c </etc/r; ls /run/volatile 2>&1; "+
		"sysctl -n vm.swappiness; lsmod | grep -c overlay; pgrep sleep; cat /proc/sys/kernel/random/boot_id; true"),
		"b\n0\n0\nls: cannot access '/run/volatile': No such file or directory\n60\n0\n"+m.BootID()+"\n"; got != want {
		t.Errorf("after a power cut: %q, want %q", got, want)
	}
	do("echo a >/etc/unsynced")
	addr := m.Addr()
	m.Reboot()
	if got := get("cat /etc/unsynced; systemctl is-active ssh cron"); got != "a\nactive\nactive\n" {
		t.Errorf("after a reboot: %q", got)
	}
	if m.Addr() != addr {
		t.Error("the address changed")
	}
	// By itself, as a client asks for it.
	b := m.BootID()
	c = debiantest.Dial(t, m)
	debiantest.Exec(t, c, "sudo systemctl reboot", "")
	debiantest.WaitFor(t, func() bool { return m.BootID() != b })
	debiantest.WaitFor(t, func() bool {
		c, err := dialAs(m, "pi", ssh.PublicKeys(m.ClientKey()))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestPowerCutAtEveryWrite(t *testing.T) {
	script := "mkdir /srv/a; echo 1 >/srv/a/tmp; sync /srv/a/tmp; mv /srv/a/tmp /srv/a/f; chmod 600 /srv/a/f; " +
		"ln -s f /srv/a/l"
	full := hosttest.New(t, hosttest.Config{})
	before := full.Counters().Writes
	if _, err := full.Exec(script); err != nil {
		t.Fatal(err)
	}
	n := int(full.Counters().Writes - before)
	if n < 6 {
		t.Fatalf("%d writes", n)
	}
	seen := map[string]bool{}
	for k := 1; k <= n; k++ {
		m := hosttest.New(t, hosttest.Config{})
		done := m.Faults().PowerCutAtWrite(k)
		m.Exec(script)
		<-done
		out, err := m.Exec("find /srv -printf '%p %y %m %s\n' | sort")
		if err != nil {
			t.Fatal(err)
		}
		seen[out] = true
	}
	if len(seen) < n-1 {
		t.Errorf("%d writes, but only %d different states", n, len(seen))
	}
}

func TestDiskFaults(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	m.Faults().DiskFullAfter(10)
	if _, err := m.Exec("printf 12345678 >/a"); err != nil {
		t.Error(err)
	}
	if _, err := m.Exec("echo 12345678 | cat >/b"); err == nil ||
		!strings.Contains(err.Error(), "cat: write error: No space left on device") {
		t.Error(err)
	}
	m.Faults().Reset()
	m.Faults().ReadOnly(true)
	if _, err := m.Exec("echo x >/c"); err == nil ||
		!strings.Contains(err.Error(), "cannot create /c: Read-only file system") {
		t.Error(err)
	}
	if _, err := m.Exec("echo x >/run/c"); err != nil {
		t.Error(err)
	}
	m.Faults().ReadOnly(false)
	m.Faults().KillCommand("chmod", 2)
	if out, err := m.Exec("chmod 600 /a; echo $?; chmod 600 /a; echo $?; chmod 600 /a; echo $?"); out != "0\n137\n0\n" {
		t.Error(out, err)
	}
}

func TestHandle(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	m.Handle("/usr/local/bin/k3s", func(p *hosttest.Process) int {
		fmt.Fprintf(p.Stdout(), "k3s %s as %d in %s with %s\n", strings.Join(p.Args[1:], ","), p.UID(), p.Dir, p.Getenv("X"))
		b, _ := io.ReadAll(p.Stdin())
		fmt.Fprintf(p.Stderr(), "%d bytes\n", len(b))
		return p.Run("sh", "-c", "exit 3")
	})
	out, err := m.Exec("cd /tmp; echo abc | X=1 k3s server --flag; echo $?; command -v k3s; k3s() { echo no; }; " +
		"unset -f k3s; stat -c %a /usr/local/bin/k3s")
	if want := "k3s server,--flag as 0 in /tmp with 1\n3\n/usr/local/bin/k3s\n755\n"; out != want || err != nil {
		t.Errorf("%q %v", out, err)
	}
	m.Handle("docker", func(p *hosttest.Process) int { return 0 })
	if out, _ := m.Exec("docker ps; echo $?"); out != "127\n" {
		t.Errorf("a program without a file ran: %q", out)
	}
	if err := m.FS().WriteFile("/usr/bin/mystery", kernel.Binary("mystery")); err != nil {
		t.Fatal(err)
	}
	m.FS().Chmod("/usr/bin/mystery", 0o755)
	if _, err := m.Exec("mystery"); err == nil || !strings.Contains(err.Error(), "hosttest:") {
		t.Errorf("a program that nobody gave: %v", err)
	}
	// A command that does not look at its context is left behind when its process is killed.
	stuck := make(chan struct{})
	m.Handle("/usr/local/bin/waits", func(p *hosttest.Process) int {
		io.WriteString(p.Stdout(), "up")
		<-p.Context().Done()
		close(stuck)
		return 0
	})
	out, _ = m.Exec("waits >/up & until grep -q up /up 2>/dev/null; do :; done; kill $!; wait $!; echo $?")
	if out != "143\n" {
		t.Errorf("%q", out)
	}
	<-stuck
}

func TestSSHClient(t *testing.T) {
	bin, err := exec.LookPath("ssh")
	if err != nil {
		real.Missing(t, "the ssh client of OpenSSH")
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := ssh.NewSignerFromKey(ec)
	m := hosttest.New(t, hosttest.Config{AuthorizedKeys: []ssh.PublicKey{signer.PublicKey()}})
	dir := t.TempDir()
	block, err := ssh.MarshalPrivateKey(ec, "")
	if err != nil {
		t.Fatal(err)
	}
	key, known := filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")
	os.WriteFile(key, pem.EncodeToMemory(block), 0o600)
	host, port, _ := net.SplitHostPort(m.Addr())
	os.WriteFile(known, []byte("["+host+"]:"+port+" "+string(ssh.MarshalAuthorizedKey(m.HostKey()))), 0o600)
	ssh := func(stdin string, args ...string) (string, string, int) {
		c := exec.CommandContext(t.Context(), bin,
			append([]string{"-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o",
				"UserKnownHostsFile=" + known, "-i", key, "-p", port, "pi@" + host}, args...)...)
		c.Stdin = strings.NewReader(stdin)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		c.Run()
		return out.String(), errs.String(), c.ProcessState.ExitCode()
	}
	if out, errs, code := ssh("in put", "cat; echo err >&2; exit 5"); out != "in put" || errs != "err\n" || code != 5 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	script := "hostname; cat"
	if out, errs, code := ssh(script+"tail", elevated(script)); out != "pi1\ntail" || code != 0 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if _, errs, code := ssh("", "nosuch"); errs != "bash: line 1: nosuch: command not found\n" || code != 127 {
		t.Errorf("%q %d", errs, code)
	}
	if out, _, code := ssh("", "seq 200000 | tail -1"); out != "200000\n" || code != 0 {
		t.Errorf("%q %d", out, code)
	}
	if _, _, code := ssh("", "kill -9 $$"); code != 255 && code != 137 {
		t.Errorf("killed: %d", code)
	}
	if out, _, code := ssh("echo from stdin\nexit 3\n"); out != "from stdin\n" || code != 3 {
		t.Errorf("login shell: %q %d", out, code)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	warm, err := hosttest.Start(hosttest.Config{}) // makes what machines share
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	debiantest.WaitFor(t, func() bool { runtime.GC(); return true })
	before := runtime.NumGoroutine()
	for range 5 {
		m, err := hosttest.Start(hosttest.Config{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := dialAs(m, "pi", ssh.PublicKeys(m.ClientKey()))
		if err != nil {
			t.Fatal(err)
		}
		s, _ := c.NewSession()
		s.Start("sleep 1000 & sleep 1000 | cat")
		s2, _ := c.NewSession()
		s2.Run("sudo sh -c 'printf \"[Service]\\nExecStart=/bin/sleep infinity\\nRestart=always\\n\" " +
			">/etc/systemd/system/x.service; systemctl daemon-reload; systemctl start x'")
		m.Close()
		c.Close()
	}
	debiantest.WaitFor(t, func() bool { return runtime.NumGoroutine() <= before+1 })
}
