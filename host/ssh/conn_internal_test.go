package ssh

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// far is one end of a connection with latency: everything takes half a round trip to arrive.
type far struct {
	net.Conn // an end of net.Pipe
	delay    time.Duration
	queue    chan packet
	closed   chan struct{}
	once     sync.Once

	mu      sync.Mutex
	rate    int       // bytes a second; 0 means no limit
	free    time.Time // when the link has sent everything before
	dropped bool      // what is sent does not arrive
}

type packet struct {
	at time.Time
	b  []byte
}

// newFar returns both ends.
func newFar(rtt time.Duration) (a, b *far) {
	x, y := net.Pipe()
	end := func(nc net.Conn) *far {
		f := &far{Conn: nc, delay: rtt / 2, queue: make(chan packet, 1<<12), closed: make(chan struct{})}
		go func() {
			for {
				select {
				case p := <-f.queue:
					select {
					case <-time.After(time.Until(p.at)):
					case <-f.closed:
						return
					}
					f.mu.Lock()
					dropped := f.dropped
					f.mu.Unlock()
					if dropped {
						continue
					}
					if _, err := f.Conn.Write(p.b); err != nil {
						return
					}
				case <-f.closed:
					return
				}
			}
		}()
		return f
	}
	return end(x), end(y)
}

func (f *far) Write(b []byte) (n int, err error) {
	f.mu.Lock()
	begin := time.Now()
	if f.rate > 0 {
		if f.free.After(begin) {
			begin = f.free
		}
		begin = begin.Add(time.Duration(len(b)) * time.Second / time.Duration(f.rate))
		f.free = begin
	}
	f.mu.Unlock()
	select {
	case f.queue <- packet{begin.Add(f.delay), append([]byte(nil), b...)}:
		return len(b), nil
	case <-f.closed:
		return 0, io.ErrClosedPipe
	}
}

// drop loses everything that is sent or is on its way.
func (f *far) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped = true
}

func (f *far) Close() error {
	f.once.Do(func() { close(f.closed) })
	return f.Conn.Close()
}

// behaviour is how a machine behaves.
type behaviour struct {
	silent  atomic.Bool  // it answers no keepalive request
	refuses atomic.Int32 // how many sessions it refuses before it opens one
}

// serve speaks SSH like a machine on which every script prints "done".
func serve(nc net.Conn, hostKey, user ssh.Signer, how *behaviour) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, errors.New("no")
		}
		return nil, nil
	}}
	config.AddHostKey(hostKey)
	conn, channels, requests, err := ssh.NewServerConn(nc, config)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() {
		for q := range requests {
			if q.WantReply && !how.silent.Load() {
				_ = q.Reply(false, nil)
			}
		}
	}()
	for c := range channels {
		if how.refuses.Add(-1) >= 0 {
			_ = c.Reject(ssh.ConnectionFailed, "open failed")
			continue
		}
		ch, in, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for q := range in {
				var exec struct{ Command string }
				_ = ssh.Unmarshal(q.Payload, &exec)
				_ = q.Reply(true, nil)
				go func() {
					_, args, _ := strings.Cut(exec.Command, "' sh ")
					marker, _, _ := strings.Cut(args, " ")
					_, _ = io.WriteString(ch.Stderr(), marker+" 4711\n")
					_, _ = io.WriteString(ch, marker+"\n")
					_, _ = io.Copy(io.Discard, ch)
					_, _ = io.WriteString(ch, "done\n")
					_, _ = ch.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
					ch.Close()
				}()
			}
		}()
	}
}

func signerOf(t *testing.T, seed byte) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+seed)), 32))))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bubble logs in to a machine with the round-trip time rtt, and returns how long that took.
func bubble(t *testing.T, rtt time.Duration, how *behaviour) (*Conn, time.Duration) {
	hostKey, user := signerOf(t, 0), signerOf(t, 1)
	near, there := newFar(rtt)
	go serve(there, hostKey, user, how)
	c := &Conn{sem: make(chan struct{}, 1), target: Target{
		Name: "pi1", Address: "pi1", User: "root", Auth: Auth{Signers: []ssh.Signer{user}},
		HostKeys: HostKeys{Pinned: []string{ssh.FingerprintSHA256(hostKey.PublicKey())}},
	}}
	begin := time.Now()
	l := &link{}
	h, err := c.login(t.Context(), l, c.target, "pi1:22", func(context.Context) (net.Conn, error) { return near, nil })
	if err != nil {
		t.Fatal(err)
	}
	l.add(h)
	c.register(l)
	c.link = l
	return c, time.Since(begin)
}

// TestRoundTrips counts, with a fake clock, the round trips of a login and a script. TCP needs one
// more.
func TestRoundTrips(t *testing.T) {
	const rtt = time.Second
	synctest.Test(t, func(t *testing.T) {
		c, login := bubble(t, rtt, new(behaviour))
		if login != 6*rtt {
			t.Errorf("login: %s round trips", login)
		}
		for _, stdin := range []io.Reader{nil, strings.NewReader(strings.Repeat("x", 1<<20))} {
			begin := time.Now()
			r, err := c.Run(t.Context(), Command{Script: "x", Stdin: stdin, Root: true})
			if err != nil || string(r.Stdout) != "done\n" {
				t.Fatal(r, err)
			}
			if took := time.Since(begin); took != 3*rtt {
				t.Errorf("script: %s round trips", took)
			}
		}
		c.Close()
	})
}

// TestRefusedSession: a session that is refused is requested once more, on the same connection.
func TestRefusedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		how := new(behaviour)
		c, _ := bubble(t, time.Millisecond, how)
		for refuses, want := range []error{nil, nil, lab.ErrBlocked} {
			how.refuses.Store(int32(refuses))
			if _, err := c.Run(t.Context(), Command{Script: "x"}); !errors.Is(err, want) ||
				err != nil && !lab.SafeToRetry(err) {
				t.Errorf("refused %d times: %v", refuses, err)
			}
		}
		if n := c.Counters().Connections; n != 1 {
			t.Errorf("%d connections", n)
		}
		c.Close()
	})
}

// TestSlowLink sends over links that take minutes, through something that accepts everything at once:
// the answers to keepalive requests wait behind it. A link that dies meanwhile is noticed all the same.
func TestSlowLink(t *testing.T) {
	const size = 200 << 10
	for _, rate := range []int{100 << 10, 10 << 10, 1 << 10} {
		for _, dies := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				c, _ := bubble(t, 20*time.Millisecond, new(behaviour))
				near := c.link.hops[0].wire.Conn.(*far)
				near.mu.Lock()
				near.rate = rate
				near.mu.Unlock()
				if dies {
					time.AfterFunc(size*time.Second/time.Duration(rate)/2, near.drop)
				}
				begin := time.Now()
				_, err := c.Run(t.Context(), Command{Script: "x", Stdin: strings.NewReader(strings.Repeat("x", size))})
				took := time.Since(begin)
				switch {
				case !dies && (err != nil || took < size*time.Second/time.Duration(rate)):
					t.Errorf("%d bytes a second: %v after %s", rate, err, took)
				case dies && (!errors.Is(err, lab.ErrUnreachable) || took > 10*time.Minute):
					t.Errorf("%d bytes a second, lost: %v after %s", rate, err, took)
				}
				c.Close()
			})
		}
	}
}

// TestUnacknowledged: the kernel tells what the other side has not acknowledged.
func TestUnacknowledged(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		real.Missing(t, "Linux or macOS, whose kernels tell what was not acknowledged")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := (*lab.Boundary)(nil).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	end, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	full := make(chan int64)
	go func() {
		var sent int64
		buf := make([]byte, 1<<20)
		for unacknowledged(near) == 0 { // until the other side, which does not read, takes no more
			n, err := near.Write(buf)
			sent += int64(n)
			if err != nil {
				break
			}
		}
		full <- sent
	}()
	sent := <-full
	if n := unacknowledged(near); n <= 0 || n >= sent {
		t.Errorf("%d of %d bytes are not acknowledged", n, sent)
	}
	if _, err := io.CopyN(io.Discard, end, sent); err != nil {
		t.Fatal(err)
	}
	for unacknowledged(near) > 0 && t.Context().Err() == nil { // the last acknowledgement may be on its way
		runtime.Gosched()
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if n := unacknowledged(a); n != 0 {
		t.Errorf("a pipe: %d", n)
	}
}

// TestKeepAlive has a machine that answers keepalive requests, and then stops.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		how := new(behaviour)
		c, _ := bubble(t, time.Millisecond, how)
		time.Sleep(10 * time.Minute)
		if isClosed(c.link.lost) {
			t.Fatal("the connection was cut although the machine answers")
		}
		how.silent.Store(true)
		begin := time.Now()
		in, w := io.Pipe()
		_, err := c.Run(t.Context(), Command{Script: "x", Stdin: in})
		if !errors.Is(err, lab.ErrUnreachable) || lab.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took < 45*time.Second || took > 90*time.Second {
			t.Errorf("the connection was cut after %s", took)
		}
		w.Close()
		c.Close()
	})
}

func TestHostPort(t *testing.T) {
	for in, want := range map[string]string{
		"pi1": "pi1:22", "Pi1.LAN": "pi1.lan:22", "pi1:2222": "pi1:2222", "192.0.2.1": "192.0.2.1:22",
		"192.0.2.1:1": "192.0.2.1:1", "pi1:022": "pi1:22",
		"::1": "[::1]:22", "[::1]": "[::1]:22", "[::1]:65535": "[::1]:65535", "fe80::1%eth0": "[fe80::1%eth0]:22",
		"": "", "pi1:": "", "pi1:0": "", "pi1:65536": "", "pi1:ssh": "", ":22": "", "a:b:c": "", "[pi1]:22": "",
		"[::1": "", "a b": "", "-oProxyCommand=x": "", "pi@pi1": "", "a/b": "",
		"192.168.1.999": "", "192.168.1": "", "192.168.1.1.1:22": "", "10": "", "rack.1.": "", "pi1.2nd": "pi1.2nd:22",
	} {
		got, err := HostPort(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// TestKeyboardInteractive logs in where only that method is accepted, as with PAM and
// PasswordAuthentication no.
func TestKeyboardInteractive(t *testing.T) {
	hostKey := signerOf(t, 0)
	for _, test := range []struct {
		questions []string // each asked by itself; the answer to the first is the password
		echo      bool
	}{
		{[]string{"Password: "}, false},
		{[]string{"Verification code: "}, true},
		{[]string{"Password: ", "Verification code: "}, false},
		{[]string{"Password: ", "New password: "}, false},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		config := &ssh.ServerConfig{KeyboardInteractiveCallback: func(
			_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge,
		) (*ssh.Permissions, error) {
			for _, question := range test.questions {
				answers, err := ask("", "", []string{question}, []bool{test.echo})
				if err != nil || len(answers) != 1 || answers[0] != "secret" {
					return nil, errors.New("no")
				}
			}
			return nil, nil
		}}
		config.AddHostKey(hostKey)
		go func() {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			if conn, _, requests, err := ssh.NewServerConn(nc, config); err == nil {
				go ssh.DiscardRequests(requests)
				_ = conn.Wait()
			}
		}()
		c, err := Dial(t.Context(), Target{Address: l.Addr().String(), User: "pi",
			Auth:     Auth{Password: lab.NewSecret("secret")},
			HostKeys: HostKeys{Pinned: []string{ssh.FingerprintSHA256(hostKey.PublicKey())}}})
		switch {
		case !test.echo && len(test.questions) == 1 && err != nil:
			t.Error(err)
		case !test.echo && len(test.questions) == 1:
			c.Close()
		case !errors.Is(err, lab.ErrUnauthorized) ||
			!strings.Contains(err.Error(), strings.TrimSpace(test.questions[len(test.questions)-1])) ||
			strings.Contains(err.Error(), "secret"):
			t.Errorf("got %v", err)
		}
	}
}

func FuzzHostPort(f *testing.F) {
	for _, s := range []string{"pi1", "pi1:22", "[::1]:2", "::1", "fe80::1%eth0", "a:b:c", "[", "-x", "::%A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := HostPort(s)
		if err != nil {
			return
		}
		if b, err := HostPort(a); err != nil || a != b {
			t.Errorf("%q: %q, then %q, %v", s, a, b, err)
		}
		if h, port, err := net.SplitHostPort(a); err != nil || h == "" || port == "" || h[0] == '-' {
			t.Errorf("%q: %q", s, a)
		}
	})
}

func FuzzParsePin(f *testing.F) {
	f.Add("SHA256:" + strings.Repeat("a", 43))
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFen9avunlaGyf9lKk1X3ryPGQOIcCwuCtCiw37oj8UD pi1")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePin(s)
		if err == nil && (len(p.fingerprint) != 50 || p.key != nil && ssh.FingerprintSHA256(p.key) != p.fingerprint) {
			t.Errorf("%q: %+v", s, p)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add("a", "b c")
	f.Add("", "~/x")
	f.Add("\xd2", "\x80")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a+b, "\"") {
			return
		}
		if got := fields(" \"" + a + "\"\t\"" + b + "\""); len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("%q", got)
		}
	})
}

// TestStream splits the output at every place.
func TestStream(t *testing.T) {
	text := "noise lab-x $$ lab-x1 \nASK:mask\nlab-x 42 0-af\nout\nlab-x 43\n"
	for size := 1; size <= len(text); size++ {
		pid, prompts, boot := 0, 0, ""
		s := &stream{
			marker: []byte("lab-x "), onMarker: func(n int, b string) { pid, boot = n, b },
			prompt: []byte("ASK:"), onPrompt: func(n int) { prompts = n },
		}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			_, _ = s.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		output, preamble := s.collected.String(), string(s.preamble)
		if pid != 42 || boot != "0-af" || prompts != 1 ||
			output != "out\nlab-x 43\n" || preamble != "noise lab-x $$ lab-x1 \nmask\n" {
			t.Errorf("%d bytes at a time: %d %q %d %q %q", size, pid, boot, prompts, output, preamble)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add("a\nlab-x 1\n", "rest", 3)
	f.Add("lab-x \nlab-x lab-x 9", "\n", 1)
	f.Fuzz(func(t *testing.T, before, after string, size int) {
		if strings.Contains(before, "lab-x ") || size < 1 || len(before) > maxPreamble/4 {
			return
		}
		pid, boot := 0, "none"
		s := &stream{marker: []byte("lab-x "), onMarker: func(n int, b string) { pid, boot = n, b }}
		for rest := before + "lab-x 7\n" + after; rest != ""; {
			n := min(size, len(rest))
			_, _ = s.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if pid != 7 || boot != "" || s.collected.String() != after || string(s.preamble) != before {
			t.Errorf("%d %q %q", pid, s.collected.String(), s.preamble)
		}
	})
}

// deaf is a connection whose mux ended while a channel was being opened: there is no answer before
// the end of the test.
type deaf struct {
	ssh.Conn
	end <-chan struct{}
}

func (d deaf) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	<-d.end
	return nil, nil, io.EOF
}

// TestLostWhileOpening: opening a channel fails when the connection is lost; it does not wait for
// an answer.
func TestLostWhileOpening(t *testing.T) {
	lost, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	client := &ssh.Client{Conn: deaf{end: end}}
	l := &link{client: client, lost: lost}
	failed := make(chan error, 2)
	go func() {
		_, err := newSession(&Conn{}, Command{Script: ":"}, false).open(t.Context(), l)
		failed <- err
	}()
	go func() {
		_, err := dialThrough(t.Context(), client, lost, "tcp", "127.0.0.1:1")
		failed <- err
	}()
	close(lost)
	for range 2 {
		if err := <-failed; !errors.Is(err, errLost) {
			t.Errorf("got %v", err)
		}
	}
}

// TestBrokenWire: once reading has failed, writing fails too, because a request would wait forever
// for its answer.
func TestBrokenWire(t *testing.T) {
	near, end := net.Pipe()
	go io.Copy(io.Discard, end)
	w := newWire(unreadable{near})
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("written: %v", err)
	}
	if n := w.sent.Load(); n != 1 {
		t.Errorf("sent %d bytes", n)
	}
	near.Close()
}

// unreadable is a connection that cannot be read.
type unreadable struct{ net.Conn }

func (unreadable) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestLoginWhileBooting: a machine that lets nobody in because it is booting or going down is waited for, unlike one that
// does not accept who logs in.
func TestLoginWhileBooting(t *testing.T) {
	for banner, kind := range map[string]error{
		"System is going down. Unprivileged users are not permitted to log in anymore. For technical details, see " +
			"pam_nologin(8).\n": lab.ErrUnreachable,
		"System is booting up. Unprivileged users are not permitted to log in yet. Please come back later. For technical " +
			"details, see pam_nologin(8).\n": lab.ErrUnreachable,
		"Your account has expired; please contact your system administrator.\n": lab.ErrUnauthorized,
	} {
		err := loginError(t.Context(), Target{Name: "pi1", User: "pi"}, "192.0.2.1:22", &credentials{banner: banner},
			&hostKeyVerifier{fingerprint: "SHA256:x"}, errors.New("ssh: handshake failed: EOF"))
		if !errors.Is(err, kind) || !lab.SafeToRetry(err) {
			t.Errorf("%q: %v", banner, err)
		}
	}
}
