package ssh_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// proxy forwards TCP connections, and cuts them.
type proxy struct {
	addr  string
	mu    sync.Mutex
	limit int64 // bytes to the server after which each new connection is cut; below 0 means no limit
	open  []net.Conn
}

func newProxy(tb testing.TB, to string) *proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), limit: -1}
	var working sync.WaitGroup
	working.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, in, out)
			limit := p.limit
			p.mu.Unlock()
			working.Go(func() {
				if limit < 0 {
					_, _ = io.Copy(out, in)
				} else {
					_, _ = io.CopyN(out, in, limit)
				}
				in.Close()
				out.Close()
			})
			working.Go(func() {
				_, _ = io.Copy(in, out)
				in.Close()
				out.Close()
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		p.cut()
		working.Wait()
	})
	return p
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
}

// cutAfter cuts each new connection after n bytes to the server; below 0 means never.
func (p *proxy) cutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = n
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func write(tb testing.TB, name string, content []byte) string {
	tb.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return name
}

// newSigner creates an RSA key, a type that the test's sshd does not use, and a file with it.
func newSigner(tb testing.TB, passphrase string) (cryptossh.Signer, string) {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = cryptossh.MarshalPrivateKey(key, "")
	} else {
		block, err = cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := cryptossh.NewSignerFromKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	file := write(tb, filepath.Join(tb.TempDir(), "id"), pem.EncodeToMemory(block))
	write(tb, file+".pub", cryptossh.MarshalAuthorizedKey(signer.PublicKey()))
	return signer, file
}

func contains(tb testing.TB, err error, parts ...string) {
	tb.Helper()
	if err == nil {
		tb.Error("no error")
		return
	}
	text := err.Error() + "\n" + strings.Join(lab.Hints(err), "\n")
	for _, p := range parts {
		if !strings.Contains(text, p) {
			tb.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

func TestDialHostKey(t *testing.T) {
	other, otherFile := newSigner(t, "")
	s := real.SSHDWith(t, real.SSHOptions{Config: []string{"HostKey " + otherFile}})
	dir := t.TempDir()
	stranger, _ := newSigner(t, "")
	ed := cryptossh.FingerprintSHA256(s.HostKey)
	authorizedKey := func(k cryptossh.PublicKey) string { return string(cryptossh.MarshalAuthorizedKey(k)) }
	strange := cryptossh.FingerprintSHA256(stranger.PublicKey())
	line := func(addr string, k cryptossh.PublicKey) string { return knownhosts.Line([]string{addr}, k) + "\n" }
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), []byte(content)) }
	normal := knownhosts.Normalize(s.Addr)
	accepted := filepath.Join(dir, "accepted")

	for _, test := range []struct {
		name string
		keys ssh.HostKeys
		want []string // parts of the error; nil means that it connects
	}{
		{"nothing set", ssh.HostKeys{},
			[]string{"no key of it is known", ed, `then trust "ssh-ed25519 AAAA`, "ssh_host_ed25519_key.pub"}},
		{"pinned key", ssh.HostKeys{Pinned: []string{authorizedKey(s.HostKey)}}, nil},
		{"pinned key with comment",
			ssh.HostKeys{Pinned: []string{strings.TrimSpace(authorizedKey(s.HostKey)) + " root@pi1"}}, nil},
		{"pinned fingerprint", ssh.HostKeys{Pinned: []string{ed}}, nil},
		{"pinned key of the other type", ssh.HostKeys{Pinned: []string{authorizedKey(other.PublicKey())}}, nil},
		{"one of two pins", ssh.HostKeys{Pinned: []string{strange, ed}}, nil},
		{"another pin", ssh.HostKeys{Pinned: []string{strange}},
			[]string{ed, strange, "is pinned", "trust that in place of the old one"}},
		{"another pin, though known", ssh.HostKeys{Pinned: []string{strange}, KnownHosts: []string{s.KnownHosts}},
			[]string{"is pinned"}},
		{"known", ssh.HostKeys{KnownHosts: []string{s.KnownHosts}}, nil},
		{"known by the other type only",
			ssh.HostKeys{KnownHosts: []string{file("rsa", line(s.Addr, other.PublicKey()))}}, nil},
		{"known, hashed",
			ssh.HostKeys{KnownHosts: []string{
				file("hashed", knownhosts.HashHostname(normal)+" "+authorizedKey(s.HostKey))}}, nil},
		{"known in the second file",
			ssh.HostKeys{KnownHosts: []string{file("empty", "# nothing\n"), s.KnownHosts}}, nil},
		{"known without a port",
			ssh.HostKeys{KnownHosts: []string{file("plain", line("127.0.0.1:22", s.HostKey))}}, nil},
		{"another key without a port",
			ssh.HostKeys{KnownHosts: []string{file("other", line("127.0.0.1:22", stranger.PublicKey()))}},
			[]string{"no key of it is known"}},
		{"known on another port",
			ssh.HostKeys{KnownHosts: []string{file("port", line("127.0.0.1:2022", s.HostKey))}},
			[]string{"no key of it is known"}},
		{"known by an alias",
			ssh.HostKeys{KnownHosts: []string{file("alias", line("pi1.lan", s.HostKey))}, Alias: "pi1.lan"}, nil},
		{"changed",
			ssh.HostKeys{KnownHosts: []string{file("changed", "\n"+line(s.Addr, stranger.PublicKey()))}},
			[]string{strange, filepath.Join(dir, "changed") + ":2", "SHA256:",
				"ssh-keygen -R '" + normal + "' -f " + filepath.Join(dir, "changed")}},
		{"changed, and accepting new ones", ssh.HostKeys{AcceptNew: filepath.Join(dir, "changed")},
			[]string{strange, "ssh-keygen -R"}},
		{"revoked",
			ssh.HostKeys{KnownHosts: []string{s.KnownHosts, file("revoked", "@revoked * "+authorizedKey(s.HostKey))}},
			[]string{"revoked by " + filepath.Join(dir, "revoked") + ":1", ed}},
		{"revoked, though pinned",
			ssh.HostKeys{Pinned: []string{ed}, KnownHosts: []string{filepath.Join(dir, "revoked")}},
			[]string{"revoked"}},
		{"accepted, first seen", ssh.HostKeys{AcceptNew: accepted}, nil},
		{"accepted before", ssh.HostKeys{KnownHosts: []string{accepted}}, nil},
		{"certificate required",
			ssh.HostKeys{KnownHosts: []string{file("ca", "@cert-authority * "+authorizedKey(stranger.PublicKey()))}},
			[]string{"a certificate of " + strange, "HostCertificate"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := target(s)
			to.HostKeys = test.keys
			c, err := ssh.Dial(t.Context(), to)
			if test.want == nil {
				if err != nil {
					t.Fatal(err, lab.Hints(err))
				}
				if !strings.HasPrefix(c.HostKey(), "SHA256:") {
					t.Errorf("HostKey() = %q", c.HostKey())
				}
				c.Close()
				return
			}
			if !errors.Is(err, lab.ErrHostKey) || !lab.SafeToRetry(err) {
				t.Fatalf("got %v", err)
			}
			contains(t, err, test.want...)
		})
	}
	if b, _ := os.ReadFile(accepted); string(b) != line(s.Addr, s.HostKey) {
		t.Errorf("the file of accepted keys has %q", b)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "changed")); string(b) != "\n"+line(s.Addr, stranger.PublicKey()) {
		t.Error("the file with the changed key was written to")
	}

	// a file that does not end with a newline
	file("accept2", strings.TrimSpace(line("192.0.2.1:22", stranger.PublicKey())))
	to := target(s)
	to.HostKeys = ssh.HostKeys{AcceptNew: filepath.Join(dir, "accept2")}
	dial(t, to)
	dial(t, to)
	if b, _ := os.ReadFile(filepath.Join(dir, "accept2")); strings.Count(string(b), "\n") != 2 {
		t.Errorf("accepted keys: %q", b)
	}

	for name, keys := range map[string]ssh.HostKeys{
		"no such file": {KnownHosts: []string{filepath.Join(dir, "nowhere")}},
		"broken file":  {KnownHosts: []string{file("broken", "pi1 ssh-ed25519 AAAA\n")}},
	} {
		to := target(s)
		to.HostKeys = keys
		if _, err := ssh.Dial(t.Context(), to); err == nil || !lab.SafeToRetry(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDialCertificates(t *testing.T) {
	s := real.SSHDWith(t, real.SSHOptions{UserCA: true, HostCert: true})
	if err := os.Truncate(s.Dir+"/authorized_keys", 0); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	knownHosts := func(name, pattern string) string {
		line := "@cert-authority " + pattern + " " + string(cryptossh.MarshalAuthorizedKey(s.HostCA.PublicKey()))
		return write(t, filepath.Join(dir, name), []byte(line))
	}
	hosts := knownHosts("known_hosts", knownhosts.Normalize(s.Addr))
	key, keyFile := newSigner(t, "")
	cert, err := real.Certify(s.UserCA, key.PublicKey(), cryptossh.UserCert, s.User)
	if err != nil {
		t.Fatal(err)
	}
	to := target(s)
	to.HostKeys = ssh.HostKeys{KnownHosts: []string{hosts}}
	to.Auth = ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: keyFile}}}
	_, err = ssh.Dial(t.Context(), to)
	if !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("without certificate: %v", err)
	}
	certFile := write(t, filepath.Join(dir, "cert"), cryptossh.MarshalAuthorizedKey(cert))
	to.Auth.KeyFiles[0].Certificate = certFile
	dial(t, to)
	write(t, keyFile+"-cert.pub", cryptossh.MarshalAuthorizedKey(cert))
	to.Auth.KeyFiles[0].Certificate = ""
	dial(t, to)
	to.HostKeys = ssh.HostKeys{KnownHosts: []string{knownHosts("any", "*")}}
	dial(t, to)

	// the key under the certificate, pinned
	to.HostKeys = ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(s.HostKey)}}
	dial(t, to)

	expired := *cert
	expired.ValidBefore = uint64(time.Now().Add(-time.Second).Unix())
	if err := expired.SignCert(rand.Reader, s.UserCA); err != nil {
		t.Fatal(err)
	}
	write(t, keyFile+"-cert.pub", cryptossh.MarshalAuthorizedKey(&expired))
	_, err = ssh.Dial(t.Context(), to)
	contains(t, err, "expired", `certificate "lab-test"`, s.User)
	_, foreign := newSigner(t, "")
	to.Auth.KeyFiles[0] = ssh.KeyFile{Path: foreign, Certificate: certFile}
	_, err = ssh.Dial(t.Context(), to)
	contains(t, err, "not for the key")

	// a host certificate for another name
	to.HostKeys = ssh.HostKeys{KnownHosts: []string{knownHosts("other", "pi9")}, Alias: "pi9"}
	to.Auth = ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: keyFile}}}
	if _, err = ssh.Dial(t.Context(), to); !errors.Is(err, lab.ErrHostKey) {
		t.Errorf("certificate for another name: %v", err)
	}
}

func TestDialAuth(t *testing.T) {
	s := real.SSHD(t)
	locked, lockedFile := newSigner(t, "open sesame")
	f, err := os.OpenFile(s.Dir+"/authorized_keys", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(cryptossh.MarshalAuthorizedKey(locked.PublicKey())); err != nil {
		t.Fatal(err)
	}
	f.Close()
	stranger, strangerFile := newSigner(t, "")
	_, open := newSigner(t, "")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	garbage := write(t, filepath.Join(t.TempDir(), "garbage"), []byte("hello\n"))

	ring := agent.NewKeyring()
	socket := filepath.Join(t.TempDir(), "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = agent.ServeAgent(ring, c)
			}()
		}
	}()
	to := target(s)
	attempt := func(a ssh.Auth) error {
		to.Auth = a
		c, err := ssh.Dial(t.Context(), to)
		if err == nil {
			c.Close()
		} else if !lab.SafeToRetry(err) {
			t.Errorf("not safe to retry: %v", err)
		}
		return err
	}
	contains(t, attempt(ssh.Auth{AgentSocket: socket}), "it holds no key", "ssh-add -l")
	raw, err := cryptossh.ParseRawPrivateKey(must(os.ReadFile(s.KeyFile)))
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}

	secret := "not the passphrase"
	for name, test := range map[string]struct {
		auth ssh.Auth
		kind error
		want []string
	}{
		"signer": {ssh.Auth{Signers: []cryptossh.Signer{s.Key}}, nil, nil},
		"file":   {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: s.KeyFile}}}, nil, nil},
		"the second key": {ssh.Auth{Signers: []cryptossh.Signer{stranger},
			KeyFiles: []ssh.KeyFile{{Path: s.KeyFile}}}, nil, nil},
		"ssh-agent": {ssh.Auth{AgentSocket: socket}, nil, nil},
		"encrypted": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: lockedFile,
			Passphrase: lab.NewSecret("open sesame")}}}, nil, nil},
		"no passphrase": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: lockedFile}}}, lab.ErrUnauthorized,
			[]string{lockedFile, "encrypted", "passphrase"}},
		"wrong passphrase": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: lockedFile,
			Passphrase: lab.NewSecret(secret)}}}, lab.ErrUnauthorized, []string{lockedFile, "ssh-keygen -y"}},
		"refused": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: strangerFile}}}, lab.ErrUnauthorized,
			[]string{"tried publickey", cryptossh.FingerprintSHA256(stranger.PublicKey()), strangerFile,
				s.User + "@" + s.Addr, "authorized_keys"}},
		"password not accepted": {ssh.Auth{Password: lab.NewSecret(secret)}, lab.ErrUnauthorized,
			[]string{"none of the methods"}},
		"no such file": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: "/nowhere/id"}}}, lab.ErrNotFound,
			[]string{"/nowhere/id", "ssh-keygen -t ed25519"}},
		"readable by others": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: open}}}, lab.ErrRefused,
			[]string{"0644", "chmod 600 " + open}},
		"public half": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: strangerFile + ".pub"}}}, lab.ErrInvalid,
			[]string{"public half", "without .pub"}},
		"not a key": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: garbage}}}, lab.ErrInvalid, []string{garbage}},
		"two bad files": {ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: garbage}, {Path: "/nowhere/id"}}},
			lab.ErrInvalid, []string{garbage, "/nowhere/id"}},
		"no ssh-agent": {ssh.Auth{AgentSocket: "/nowhere/socket"},
			lab.ErrUnreachable, []string{"/nowhere/socket"}},
		"nothing": {ssh.Auth{}, lab.ErrInvalid, []string{"no way to log in"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := attempt(test.auth)
			if test.kind == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, test.kind) {
				t.Errorf("not %v: %v", test.kind, err)
			}
			contains(t, err, test.want...)
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) {
				t.Error("a secret is in the error")
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestDialJumps(t *testing.T) {
	a, b, c := real.SSHD(t), real.SSHD(t), real.SSHD(t)
	to := target(c)
	hop := func(s *real.SSHServer, name string) ssh.Target {
		h := target(s)
		h.Name = name
		return h
	}
	to.Jump = []ssh.Target{hop(a, "gate"), hop(b, "inner")}
	conn := dial(t, to)
	r, err := conn.Run(t.Context(), ssh.Command{Script: `echo "$SSH_CONNECTION"; cat`, Stdin: strings.NewReader("x")})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(r.Stdout), fmt.Sprint(c.Port)) || conn.Counters().Connections != 1 {
		t.Errorf("%s %+v", r.Stdout, conn.Counters())
	}
	for _, s := range []*real.SSHServer{a, b, c} {
		if n := strings.Count(s.Log(), "Accepted publickey"); n != 1 {
			t.Errorf("%d logins at %s", n, s.Addr)
		}
	}

	// the same rules apply to a jump
	to.Jump[1].HostKeys = ssh.HostKeys{}
	_, err = ssh.Dial(t.Context(), to)
	if !errors.Is(err, lab.ErrHostKey) {
		t.Error(err)
	}
	contains(t, err, "inner: ")
	to.Jump[1] = hop(b, "inner")
	to.Boundary = &lab.Boundary{Ports: []uint16{uint16(a.Port), uint16(b.Port)}}
	forbidden, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer forbidden.Close()
	go func() {
		for {
			nc, err := forbidden.Accept()
			if err != nil {
				return
			}
			t.Error("a forbidden address was dialled")
			nc.Close()
		}
	}()
	to.Address = forbidden.Addr().String()
	if _, err = ssh.Dial(t.Context(), to); !errors.Is(err, lab.ErrRefused) || !lab.SafeToRetry(err) {
		t.Error(err)
	}
	to.Boundary = nil
	to.Address = fmt.Sprintf("localhost:%d", forbidden.Addr().(*net.TCPAddr).Port)
	if _, err = ssh.Dial(t.Context(), to); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a name that the jump would resolve: %v", err)
	}
	to = target(c)
	to.Jump = []ssh.Target{hop(a, "gate")}
	to.Address = "127.0.0.1:1"
	_, err = ssh.Dial(t.Context(), to)
	if !errors.Is(err, lab.ErrUnreachable) {
		t.Error(err)
	}
	contains(t, err, "pi1: ", "the jump cannot connect to it")
}

func TestDialRefuses(t *testing.T) {
	s := real.SSHD(t)
	to := target(s)
	to.Address = "192.0.2.1"
	if _, err := ssh.Dial(t.Context(), to); !errors.Is(err, lab.ErrRefused) || !lab.SafeToRetry(err) {
		t.Errorf("outside the boundary: %v", err)
	}
	to.Address = "127.0.0.1:1"
	if _, err := ssh.Dial(t.Context(), to); !errors.Is(err, lab.ErrUnreachable) || !lab.SafeToRetry(err) {
		t.Errorf("nothing listens: %v", err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	to.Address, to.ConnectTimeout = silent.Addr().String(), 50*time.Millisecond
	if _, err := ssh.Dial(t.Context(), to); !errors.Is(err, lab.ErrTimeout) || !errors.Is(err, lab.ErrUnreachable) {
		t.Errorf("silent: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	to.ConnectTimeout = 0
	go func() {
		c, err := silent.Accept()
		cancel()
		if err == nil {
			defer c.Close()
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	if _, err := ssh.Dial(ctx, to); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	_, err = ssh.Dial(t.Context(), ssh.Target{Address: "a b", Jump: []ssh.Target{{Address: "x:99999"}}, LockFile: "x y",
		SudoPassword: lab.NewSecret("a\nb"), HostKeys: ssh.HostKeys{Pinned: []string{"nonsense"}}})
	if !errors.Is(err, lab.ErrInvalid) {
		t.Error(err)
	}
	contains(t, err, "address: ", "user: ", "lockFile: ", "sudoPassword: ", "hostKeys.pinned[0]: ",
		"auth: no way to log in", "jump[0].address: ", "jump[0].user: ", "jump[0].auth: ")
}

// TestReconnect loses the connection between scripts, and while a script is running.
func TestReconnect(t *testing.T) {
	s := real.SSHD(t)
	p := newProxy(t, s.Addr)
	to := target(s)
	to.Address = p.addr
	to.HostKeys = ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(s.HostKey)}}
	c := dial(t, to)
	for range 3 {
		p.cut()
		r, err := c.Run(t.Context(), ssh.Command{Script: "echo again"})
		if err != nil || string(r.Stdout) != "again\n" {
			t.Fatal(err)
		}
	}
	if n := c.Counters().Connections; n != 4 {
		t.Errorf("%d connections", n)
	}
	count := filepath.Join(t.TempDir(), "count")
	seen := &firstWrite{make(chan struct{})}
	go func() {
		<-seen.seen
		p.cut()
	}()
	_, err := c.Run(t.Context(), ssh.Command{Script: "echo x >>" + ssh.Quote(count) + "; echo begun; cat",
		Stdin: neverEnding(t), Stdout: seen})
	if !errors.Is(err, lab.ErrUnreachable) || lab.SafeToRetry(err) {
		t.Errorf("lost in the middle: %v", err)
	}
	if b := must(os.ReadFile(count)); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
	s.Stop()
	p.cut()
	if _, err := c.Run(t.Context(), ssh.Command{Script: "true"}); !errors.Is(err, lab.ErrUnreachable) ||
		!lab.SafeToRetry(err) {
		t.Errorf("gone: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context(), ssh.Command{Script: "true"}); err != nil {
		t.Errorf("back: %v", err)
	}
	c.Close()
	if _, err := c.Run(t.Context(), ssh.Command{Script: "true"}); err == nil {
		t.Error("ran after Close")
	}
}

// neverEnding is a stdin that never delivers anything.
func neverEnding(tb testing.TB) io.Reader {
	in, w := io.Pipe()
	tb.Cleanup(func() { w.Close() })
	return in
}

// TestCut cuts the connection after more and more bytes, until they suffice: a script runs once or
// not at all, and not at all if the error is safe to retry.
func TestCut(t *testing.T) {
	s := real.SSHD(t)
	p := newProxy(t, s.Addr)
	to := target(s)
	to.Address = p.addr
	to.HostKeys = ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(s.HostKey)}}
	run := func(count string) error {
		c, err := ssh.Dial(t.Context(), to)
		if err != nil {
			return err
		}
		defer c.Close()
		r, err := c.Run(t.Context(),
			ssh.Command{Script: "echo x | dd status=none oflag=append conv=notrunc,nocreat of=" + ssh.Quote(count) +
				"\n: " + strings.Repeat("0123456789", 200)})
		if err == nil {
			err = r.Err()
		}
		return err
	}
	step := int64(61)
	if testing.Short() {
		step = 509
	}
	dir := t.TempDir()
	kinds := map[string]int{}
	// A script may run after its error was returned, so each has its own file, and creates none itself.
	var errs []error
	for kinds["done"] == 0 {
		n := int64(len(errs)) * step
		if n > 64<<10 {
			t.Fatalf("%d bytes do not suffice: %v, %v", n, kinds, errs[len(errs)-1])
		}
		count := write(t, filepath.Join(dir, fmt.Sprint(len(errs))), nil)
		p.cutAfter(n)
		err := run(count)
		errs = append(errs, err)
		switch {
		case err == nil:
			kinds["done"]++
			if string(must(os.ReadFile(count))) != "x\n" {
				t.Errorf("cut after %d bytes: no error, but the script did not run", n)
			}
		case !errors.Is(err, lab.ErrUnreachable):
			t.Errorf("cut after %d bytes: %v", n, err)
		case lab.SafeToRetry(err):
			kinds["safe"]++
		default:
			kinds["unknown"]++
		}
	}
	if kinds["safe"] == 0 || kinds["unknown"] == 0 {
		t.Errorf("not all cases were covered: %v", kinds)
	}
	for i, err := range errs {
		ran := strings.Count(string(must(os.ReadFile(filepath.Join(dir, fmt.Sprint(i))))), "x\n")
		if ran > 1 || ran != 0 && err != nil && lab.SafeToRetry(err) {
			t.Errorf("cut after %d bytes: it ran %d times, %v", int64(i)*step, ran, err)
		}
	}
	t.Log(kinds)
}

func TestForward(t *testing.T) {
	s := real.SSHD(t)
	p := newProxy(t, s.Addr)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	u, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []net.Listener{l, u} {
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.Copy(c, c)
				}()
			}
		}()
	}
	to := target(s)
	to.Address = p.addr
	to.HostKeys = ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(s.HostKey)}}
	to.Boundary = &lab.Boundary{Unix: []string{socket}}
	c := dial(t, to)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for network, addr := range map[string]string{"tcp": l.Addr().String(), "unix": socket} {
		f, err := c.DialContext(t.Context(), network, addr)
		if err != nil {
			t.Fatal(network, err)
		}
		if f.RemoteAddr().Network() != network || f.RemoteAddr().String() != addr {
			t.Error(f.RemoteAddr())
		}
		go func() { _, _ = f.Write(big) }()
		got := make([]byte, len(big))
		if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, big) {
			t.Errorf("%s: %v", network, err)
		}
		if err := f.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Error(err)
		}
		if _, err := f.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("deadline: %v", err)
		}
		f.Close()
	}
	p.cut()
	f, err := c.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal("after the connection was lost:", err)
	}
	if c.Counters().Connections != 2 {
		t.Error(c.Counters())
	}
	for network, addr := range map[string]string{"tcp": "192.0.2.1:5432",
		"tcp4": "localhost:22", "unix": "/run/docker.sock"} {
		if _, err := c.DialContext(t.Context(), network, addr); !errors.Is(err, lab.ErrRefused) || !lab.SafeToRetry(err) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := c.DialContext(t.Context(), "udp", "127.0.0.1:53"); !errors.Is(err, lab.ErrInvalid) {
		t.Error(err)
	}
	if _, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, lab.ErrUnreachable) {
		t.Error(err)
	}
	c.Close()
	if _, err := f.Read(make([]byte, 1)); err == nil {
		t.Error("a forwarded connection outlives the connection")
	}
}

func TestForwardNotAllowed(t *testing.T) {
	s := real.SSHDWith(t, real.SSHOptions{Config: []string{"AllowTcpForwarding no"}})
	c := dial(t, target(s))
	_, err := c.DialContext(t.Context(), "tcp", s.Addr)
	if !errors.Is(err, lab.ErrUnauthorized) {
		t.Error(err)
	}
	contains(t, err, "AllowTcpForwarding")
}

// TestLeaks looks for goroutines that outlive their connection.
func TestLeaks(t *testing.T) {
	// Goroutines of earlier tests: package ssh may leave one behind when a connection is lost, see
	// errLost.
	before := map[string]bool{}
	for _, g := range goroutines() {
		before[goroutineID(g)] = true
	}
	s := real.SSHD(t)
	to := target(s)
	to.Jump = []ssh.Target{target(s)}
	c, err := ssh.Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context(), ssh.Command{Script: "cat", Stdin: strings.NewReader("x")}); err != nil {
		t.Error(err)
	}
	if _, err := c.DialContext(t.Context(), "tcp", s.Addr); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := &firstWrite{make(chan struct{})}
	go func() { <-seen.seen; cancel() }()
	if _, err := c.Run(ctx, ssh.Command{Script: "echo; sleep 1000", Stdout: seen}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.Close()
	to.HostKeys = ssh.HostKeys{}
	if _, err := ssh.Dial(t.Context(), to); err == nil {
		t.Error("connected")
	}
	err = lab.Wait(t.Context(), lab.Poll{What: "goroutines to end", Timeout: 2 * time.Minute},
		func(context.Context) (bool, error) {
			return !slices.ContainsFunc(goroutines(), func(g string) bool {
				return !before[goroutineID(g)] &&
					(strings.Contains(g, "x/crypto/ssh") || strings.Contains(g, "lab/host/ssh."))
			}), nil
		})
	if err != nil {
		t.Errorf("%v:\n%s", err, strings.Join(goroutines(), "\n\n"))
	}
}

// goroutineID returns the number of a goroutine from its stack. Numbers are not reused.
func goroutineID(stack string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
	return id
}

// goroutines returns the stacks of all goroutines except that of the test itself.
func goroutines() []string {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	return slices.DeleteFunc(strings.Split(string(b), "\n\n"),
		func(g string) bool { return strings.Contains(g, "ssh_test.TestLeaks") })
}
