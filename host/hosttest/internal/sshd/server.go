package sshd

import (
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

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

// maxSessions is sshd's default of MaxSessions.
const maxSessions = 10
