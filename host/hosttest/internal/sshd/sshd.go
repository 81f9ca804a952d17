package sshd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// maxSessions is sshd's default of MaxSessions.
const maxSessions = 10

// Config is who may log in to a server, and what it presents.
type Config struct {
	HostKeys  []ssh.Signer
	UserCA    ssh.PublicKey // nil trusts no user certificates (TrustedUserCAKeys)
	Passwords bool          // PasswordAuthentication
}

// Counters count what a server had to do.
type Counters struct {
	Connections, Logins, Execs, Turns, In, Out atomic.Int64
}

// A Server is sshd on a loopback port of the host. Its users and their keys are those of the machine's files.
type Server struct {
	Faults Faults

	k        *kernel.Kernel
	cfg      Config
	listener net.Listener
	count    Counters

	mu       sync.Mutex // guards what follows
	hostKeys []ssh.Signer
	conns    map[*conn]bool
	closed   bool
}

// Listen starts a server.
func Listen(k *kernel.Kernel, cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{k: k, cfg: cfg, listener: l, hostKeys: cfg.HostKeys, conns: map[*conn]bool{}}
	k.Go(s.accept)
	return s, nil
}

// Addr is the host:port that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// HostKey is the first host key.
func (s *Server) HostKey() ssh.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hostKeys[0].PublicKey()
}

// SetHostKeys gives connections made from now on other host keys.
func (s *Server) SetHostKeys(keys []ssh.Signer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostKeys = keys
}

// Close ends listening. Connections last until Cut.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.listener.Close()
}

// Cut breaks the connections.
func (s *Server) Cut() {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		c.kill()
	}
}

func (s *Server) Counters() *Counters { return &s.count }

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		refuse, hole, latency := s.Faults.connecting()
		if refuse || s.k.Off() {
			if tc, ok := nc.(*net.TCPConn); ok {
				tc.SetLinger(0) // a reset, not an orderly end
			}
			nc.Close()
			continue
		}
		s.count.Connections.Add(1)
		c := &conn{Conn: nc, s: s}
		if latency > 0 {
			c.delay(latency)
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			nc.Close()
			return
		}
		s.conns[c] = true
		s.mu.Unlock()
		s.k.Go(func() {
			defer func() {
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			if hole {
				io.Copy(io.Discard, nc)
				return
			}
			s.serve(c)
		})
	}
}

// conn counts the bytes and the turns of a connection, and can be cut.
type conn struct {
	net.Conn
	s        *Server
	answered atomic.Bool // something was answered that the client may wait for
	open     atomic.Bool // the handshake is over: answers are marked where they are made
	sessions atomic.Int32

	queue chan packet
	done  chan struct{}
	once  sync.Once
}

type packet struct {
	due time.Time
	b   []byte
}

// delay sends everything d later, in order.
func (c *conn) delay(d time.Duration) {
	c.queue, c.done = make(chan packet, 1024), make(chan struct{})
	c.s.k.Go(func() {
		for {
			select {
			case p := <-c.queue:
				t := time.NewTimer(time.Until(p.due))
				select {
				case <-t.C:
				case <-c.done:
					t.Stop()
					return
				}
				if _, err := c.raw().Write(p.b); err != nil {
					c.kill()
					return
				}
			case <-c.done:
				return
			}
		}
	})
	c.latency(d)
}

func (c *conn) latency(d time.Duration) { c.Conn = &delayed{c.Conn, c, d} }

type delayed struct {
	net.Conn
	c *conn
	d time.Duration
}

func (d *delayed) Write(b []byte) (int, error) {
	select {
	case d.c.queue <- packet{time.Now().Add(d.d), bytes.Clone(b)}:
		return len(b), nil
	case <-d.c.done:
		return 0, net.ErrClosed
	}
}

func (c *conn) raw() net.Conn {
	if d, ok := c.Conn.(*delayed); ok {
		return d.Conn
	}
	return c.Conn
}

func (c *conn) Read(b []byte) (int, error) {
	blocked := !readable(c.raw())
	n, err := c.raw().Read(b)
	c.s.count.In.Add(int64(n))
	// Messages of the smallest size are ends of channels and window adjustments, for which nobody waits.
	small := n%smallest == 0 && n <= 8*smallest && c.open.Load()
	if n > 0 && blocked && !small && c.answered.Swap(false) {
		c.s.count.Turns.Add(1)
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if c.s.k.Off() {
		return 0, net.ErrClosed
	}
	n, drop := c.s.Faults.sending(len(b))
	c.s.count.Out.Add(int64(n))
	if !c.open.Load() {
		c.answered.Store(true)
	}
	n, err := c.Conn.Write(b[:n])
	if drop {
		c.kill()
		return n, net.ErrClosed
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		if c.done != nil {
			close(c.done)
		}
	})
	return c.raw().Close()
}

// smallest is the size on the wire of a message of up to eleven bytes, with the ciphers that Go and OpenSSH prefer.
const smallest = 36

// kill breaks the connection without a goodbye.
func (c *conn) kill() {
	if tc, ok := c.raw().(*net.TCPConn); ok {
		tc.SetLinger(0)
	}
	c.Close()
}

// readable tells whether bytes have arrived already.
func readable(nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	got := false
	raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|msgDontWait)
		got = n > 0 || err == nil
	})
	return got
}

var errAuth = errors.New("permission denied")

func (s *Server) serverConfig() *ssh.ServerConfig {
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6",
		MaxAuthTries:  6,
	}
	checker := &ssh.CertChecker{
		IsUserAuthority: func(k ssh.PublicKey) bool {
			return s.cfg.UserCA != nil && bytes.Equal(k.Marshal(), s.cfg.UserCA.Marshal())
		},
		UserKeyFallback: func(md ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.authorized(md.User(), key) {
				return &ssh.Permissions{}, nil
			}
			return nil, errAuth
		},
		Clock: s.k.Now,
	}
	cfg.PublicKeyCallback = func(md ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if cert, ok := key.(*ssh.Certificate); ok && libc.UserByName(s.k, md.User()) == nil {
			_ = cert
			return nil, errAuth
		}
		return checker.Authenticate(md, key)
	}
	if s.cfg.Passwords {
		cfg.PasswordCallback = func(md ssh.ConnMetadata, pw []byte) (*ssh.Permissions, error) {
			if libc.CheckPassword(s.k, md.User(), string(pw)) {
				return &ssh.Permissions{}, nil
			}
			return nil, errAuth
		}
		cfg.KeyboardInteractiveCallback = func(md ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err == nil && len(a) == 1 && libc.CheckPassword(s.k, md.User(), a[0]) {
				return &ssh.Permissions{}, nil
			}
			return nil, errAuth
		}
	}
	s.mu.Lock()
	for _, k := range s.hostKeys {
		cfg.AddHostKey(k)
	}
	s.mu.Unlock()
	return cfg
}

// authorized reads the user's authorized_keys, as sshd does with StrictModes.
func (s *Server) authorized(user string, key ssh.PublicKey) bool {
	u := libc.UserByName(s.k, user)
	if u == nil {
		return false
	}
	b, err := s.k.FS().ReadFile(u.Home + "/.ssh/authorized_keys")
	if err != nil {
		return false
	}
	for _, p := range []string{u.Home, u.Home + "/.ssh", u.Home + "/.ssh/authorized_keys"} {
		st, err := s.k.FS().Stat(p)
		if err != nil || st.Mode&0o022 != 0 || st.UID != 0 && st.UID != u.UID {
			return false
		}
	}
	want := key.Marshal()
	for len(b) > 0 {
		k, _, _, rest, err := ssh.ParseAuthorizedKey(b)
		if err != nil {
			return false
		}
		if bytes.Equal(k.Marshal(), want) {
			return true
		}
		b = rest
	}
	return false
}

// serve speaks SSH on one connection until it ends.
func (s *Server) serve(c *conn) {
	c.Conn.SetDeadline(time.Now().Add(2 * time.Minute)) // LoginGraceTime
	sc, chans, reqs, err := ssh.NewServerConn(c, s.serverConfig())
	if err != nil {
		return
	}
	c.Conn.SetDeadline(time.Time{})
	c.open.Store(true)
	c.answered.Store(true)
	s.count.Logins.Add(1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for r := range reqs {
			// sshd knows keepalive@openssh.com as any unknown request: it answers, with a failure.
			if r.WantReply {
				r.Reply(false, nil)
				c.answered.Store(true)
			}
		}
	})
	for nc := range chans {
		switch nc.ChannelType() {
		case "session":
			if c.sessions.Add(1) > maxSessions {
				c.sessions.Add(-1)
				nc.Reject(ssh.ConnectionFailed, "open failed")
				c.answered.Store(true)
				continue
			}
			ch, creqs, err := nc.Accept()
			if err != nil {
				continue
			}
			c.answered.Store(true)
			wg.Go(func() {
				defer c.sessions.Add(-1)
				(&session{c: c, ch: ch, user: sc.User()}).run(creqs)
			})
		case "direct-tcpip":
			var d struct {
				Host       string
				Port       uint32
				OriginHost string
				OriginPort uint32
			}
			if ssh.Unmarshal(nc.ExtraData(), &d) != nil {
				nc.Reject(ssh.ConnectionFailed, "bad request")
				continue
			}
			wg.Go(func() {
				s.forward(c, nc, func() (net.Conn, error) {
					return s.k.Dial(net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port))))
				})
			})
		case "direct-streamlocal@openssh.com":
			var d struct {
				Path     string
				Reserved string
				Port     uint32
			}
			if ssh.Unmarshal(nc.ExtraData(), &d) != nil {
				nc.Reject(ssh.ConnectionFailed, "bad request")
				continue
			}
			wg.Go(func() { s.forward(c, nc, func() (net.Conn, error) { return s.dialUnix(sc.User(), d.Path) }) })
		default:
			nc.Reject(ssh.UnknownChannelType, "unknown channel type")
			c.answered.Store(true)
		}
	}
	wg.Wait()
}

func (s *Server) forward(c *conn, nc ssh.NewChannel, dial func() (net.Conn, error)) {
	t, err := dial()
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, "Connection refused")
		c.answered.Store(true)
		return
	}
	defer t.Close()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	c.answered.Store(true)
	go ssh.DiscardRequests(reqs)
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(t, ch)
		if w, ok := t.(interface{ CloseWrite() error }); ok {
			w.CloseWrite()
		} else {
			t.Close()
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := t.Read(buf)
		if n > 0 {
			if _, werr := ch.Write(buf[:n]); werr != nil {
				break
			}
			c.answered.Store(true)
		}
		if err != nil {
			break
		}
	}
	ch.CloseWrite()
	ch.Close()
	t.Close()
	wg.Wait()
}

// dialUnix connects to a socket as a user.
func (s *Server) dialUnix(user, path string) (net.Conn, error) {
	u := libc.UserByName(s.k, user)
	if u == nil {
		return nil, syscall.EACCES
	}
	return s.k.DialUnix(kernel.Cred{UID: u.UID, GID: u.GID, Groups: libc.GroupsOf(s.k, u.Name)}, path)
}

// A session is one "session" channel.
type session struct {
	c    *conn
	ch   ssh.Channel
	user string
	env  []string
	proc *kernel.Process
	ends sessionEnds
	done chan struct{}
}

func (s *session) run(reqs <-chan *ssh.Request) {
	defer s.ch.Close()
	m := s.c.s
	for r := range reqs {
		ok := false
		switch r.Type {
		case "env":
			var e struct{ Name, Value string }
			// AcceptEnv LANG LC_* is Debian's default.
			if ssh.Unmarshal(r.Payload, &e) == nil && (e.Name == "LANG" || strings.HasPrefix(e.Name, "LC_")) {
				s.env = append(s.env, e.Name+"="+e.Value)
				ok = true
			}
		case "exec", "shell":
			if s.proc != nil {
				break
			}
			var e struct{ Command string }
			if r.Type == "exec" && ssh.Unmarshal(r.Payload, &e) != nil {
				break
			}
			f := execFaults{cut: -1}
			if r.Type == "exec" {
				f = m.Faults.exec(m.count.Execs.Add(1))
				if f.fail {
					break
				}
			}
			if err := s.start(e.Command, r.Type == "shell", f); err != nil {
				break
			}
			ok = true
		case "signal":
			var e struct{ Name string }
			if ssh.Unmarshal(r.Payload, &e) == nil && s.proc != nil {
				if n := kernel.SignalNumber(e.Name); n > 0 {
					// sshd signals the process group of the session's child.
					_, pgid, _ := s.proc.Family()
					for _, p := range m.k.ProcessGroup(pgid) {
						p.Signal(n)
					}
					ok = true
				}
			}
		}
		if r.WantReply {
			r.Reply(ok, nil)
			s.c.answered.Store(true)
		}
		if ok && s.proc != nil && s.done == nil {
			s.begin()
		}
	}
	if s.done != nil {
		<-s.done
	}
}

// start prepares the login user's shell; begin lets it run once the request is answered.
func (s *session) start(command string, login bool, f execFaults) error {
	m := s.c.s
	u := libc.UserByName(m.k, s.user)
	if u == nil || m.k.Off() {
		return syscall.ENOENT
	}
	p := m.k.NewProcess(nil)
	libc.BecomeUser(p, u)
	home := u.Home
	if st, err := m.k.FS().Stat(u.Home); err != nil || !st.IsDir() {
		home = "/"
	}
	p.Chdir(home)
	la, ra := s.c.LocalAddr().String(), s.c.RemoteAddr().String()
	lh, lp, _ := net.SplitHostPort(la)
	rh, rp, _ := net.SplitHostPort(ra)
	p.SetEnv(append([]string{
		"HOME=" + u.Home, "LOGNAME=" + u.Name, "MAIL=/var/mail/" + u.Name,
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "PWD=" + home, "SHELL=" + u.Shell, "USER=" + u.Name,
		"SSH_CLIENT=" + rh + " " + rp + " " + lp, "SSH_CONNECTION=" + rh + " " + rp + " " + lh + " " + lp,
	}, s.env...))
	args := []string{u.Shell[strings.LastIndexByte(u.Shell, '/')+1:], "-c", command}
	if login {
		args = []string{"-" + args[0]}
	}
	p.SetArgs(args)
	s.proc = p
	in, out, errs := kernel.NewPipe(kernel.PipeSize), kernel.NewPipe(kernel.PipeSize), kernel.NewPipe(kernel.PipeSize)
	inR, inW := in.Descriptions()
	outR, outW := out.Descriptions()
	errR, errW := errs.Descriptions()
	p.Give(inR, outW, errW)
	s.ends = sessionEnds{inW, outR, errR, out, errs, f}
	return nil
}

type sessionEnds struct {
	in, out, err      *kernel.File
	outPipe, errsPipe *kernel.Pipe
	f                 execFaults
}

func (s *session) begin() {
	m := s.c.s
	s.done = make(chan struct{})
	e := s.ends
	p := s.proc
	var pumps sync.WaitGroup
	go func() { // ends when the channel does
		buf := make([]byte, 32<<10)
		for {
			n, err := s.ch.Read(buf)
			if n > 0 {
				if _, werr := e.in.Write(nil, buf[:n]); werr != nil {
					io.Copy(io.Discard, s.ch)
					break
				}
			}
			if err != nil {
				break
			}
		}
		e.in.Release()
	}()
	boot := m.k.BootID()
	m.k.Watch(e.outPipe, e.errsPipe)
	pumps.Go(func() { s.pump(e.out, s.ch, e.f, true) })
	pumps.Go(func() { s.pump(e.err, s.ch.Stderr(), execFaults{cut: -1, lost: e.f.lost}, false) })
	shell := p.Args[0]
	p.Go(func(p *kernel.Process) int {
		u := libc.UserByName(m.k, s.user)
		code, err := p.Exec(u.Shell, p.Args, p.Env)
		if err != nil {
			p.Warnf("%s: %s\n", shell, kernel.Strerror(err))
			return 127
		}
		return code
	})
	m.k.Go(func() {
		defer close(s.done)
		<-p.Done
		pumps.Wait()
		m.k.Unwatch(e.outPipe, e.errsPipe)
		if m.k.Off() || m.k.BootID() != boot {
			return
		}
		if e.f.lost {
			s.c.kill()
			return
		}
		s.c.answered.Store(true)
		if sig := p.Status.Signal; sig != 0 {
			s.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
				Signal string
				Core   bool
				Error  string
				Lang   string
			}{kernel.SignalNames[sig], false, "", ""}))
		} else {
			s.ch.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(p.Status.Code)))
		}
		s.ch.CloseWrite()
		s.ch.Close()
	})
}

// pump sends what the processes write until all of them have closed it.
func (s *session) pump(d *kernel.File, w io.Writer, f execFaults, stdout bool) {
	defer d.Release()
	m := s.c.s
	buf := make([]byte, 32<<10)
	var sent int64
	var all []byte
	for {
		n, err := d.Read(nil, buf)
		if n > 0 && !f.lost {
			b := buf[:n]
			cut := false
			if stdout && f.cut >= 0 && sent+int64(n) >= f.cut {
				b, cut = b[:f.cut-sent], true
			}
			if stdout && (all != nil || m.Faults.watching()) {
				all = append(all, b...)
				if m.Faults.cutNow(all) {
					s.c.kill()
					return
				}
			}
			if _, werr := w.Write(b); werr != nil {
				return // the client is gone: the next write of a process is its SIGPIPE
			}
			s.c.answered.Store(true)
			sent += int64(n)
			if cut {
				s.c.Close() // what was sent arrives
				return
			}
		}
		if err != nil {
			return
		}
	}
}
