package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// stuck is a connection through a jump that stopped responding while much is waiting to be sent:
// every write, and so Close too, blocks until the wire to the jump is cut.
type stuck struct {
	ssh.Conn
	cut chan struct{}
}

func (s stuck) SendRequest(string, bool, []byte) (bool, []byte, error) {
	<-s.cut
	return false, nil, io.EOF
}

func (s stuck) Close() error { <-s.cut; return nil }

// closing is a connection that records that it was closed.
type closing struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// TestSilentJump: if a jump stops responding while it is sent much, the connection through it is
// cut like any other, and closing the chain does not wait for the jump.
func TestSilentJump(t *testing.T) {
	for name, end := range map[string]func(*link){
		"keepalive": func(l *link) { keepAlive(l, time.Second) },
		"close":     func(l *link) { l.close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tcp := &closing{closed: make(chan struct{})}
				through := func() *hop {
					return &hop{client: &ssh.Client{Conn: stuck{cut: tcp.closed}},
						wire: newWire(tcp)}
				}
				l := &link{hops: []*hop{through(), through()}, lost: make(chan struct{})}
				l.client = l.hops[1].client
				ended := make(chan struct{})
				go func() {
					end(l)
					close(ended)
				}()
				waitEither(time.Minute, ended, nil)
				if !isClosed(tcp.closed) || !isClosed(ended) {
					t.Errorf("the wire is cut: %v; it has ended: %v", isClosed(tcp.closed), isClosed(ended))
					tcp.Close()
				}
			})
		})
	}
}

// mute is a channel of a jump: closing it on this side does not end a read, only the jump's answer
// or the end of the connection to it does.
type mute struct {
	net.Conn
	cut chan struct{}
}

func (m mute) Read([]byte) (int, error)    { <-m.cut; return 0, io.EOF }
func (m mute) Write(b []byte) (int, error) { return len(b), nil }
func (m mute) Close() error                { return nil }
func (m mute) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
func (m mute) LocalAddr() net.Addr         { return &net.TCPAddr{} }

// TestLoginThroughSilentJump: a login through a jump that stops responding times out.
func TestLoginThroughSilentJump(t *testing.T) {
	key := signerOf(t, 0)
	synctest.Test(t, func(t *testing.T) {
		tcp := &closing{closed: make(chan struct{})}
		l := &link{hops: []*hop{{wire: &wire{Conn: tcp}}}}
		to := Target{Name: "pi1", Address: "pi1", User: "root", Auth: Auth{Signers: []ssh.Signer{key}},
			HostKeys: HostKeys{Pinned: []string{ssh.FingerprintSHA256(key.PublicKey())}}}
		c := &Conn{target: to}
		failed := make(chan error, 1)
		go func() {
			_, err := c.login(t.Context(), l, to, "pi1:22",
				func(context.Context) (net.Conn, error) { return mute{cut: tcp.closed}, nil })
			failed <- err
		}()
		time.Sleep(time.Hour)
		select {
		case err := <-failed:
			if !errors.Is(err, lab.ErrTimeout) || !errors.Is(err, lab.ErrUnreachable) {
				t.Error(err)
			}
		default:
			t.Error("the login is still waiting")
			tcp.Close()
			<-failed
		}
	})
}

// TestSilentAgent: an ssh-agent that waits for a person to confirm is abandoned when the context ends.
func TestSilentAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			_, _ = io.ReadFull(conn, make([]byte, 5)) // the request
			cancel(enough)
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	_, err = (Auth{AgentSocket: socket}).load(ctx, "pi1", slog.New(slog.DiscardHandler))
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

// blocked is a channel that cannot be closed.
type blocked struct {
	ssh.Channel
	until chan struct{}
}

func (b blocked) Close() error                { <-b.until; return nil }
func (b blocked) Write(p []byte) (int, error) { return len(p), nil }

// TestGivingUp: a script whose channel cannot be closed is abandoned, nothing is written to its outputs
// afterwards, and a machine that asks for the password again and again blocks nothing.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := newSession(&Conn{target: Target{SudoPassword: lab.NewSecret("x")}}, Command{Script: ":", Stdout: &out}, true)
		until := make(chan struct{})
		defer close(until)
		s.channel = blocked{until: until}
		_, _ = s.stdout.Write([]byte(s.marker + "\nbefore"))
		begin := time.Now()
		s.close()
		s.detach()
		if took := time.Since(begin); took > 2*closeGrace {
			t.Errorf("it took %s", took)
		}
		_, _ = s.stdout.Write([]byte("after"))
		if out.String() != "before" {
			t.Errorf("its output is %q", out.String())
		}
		for n := range 20 {
			s.answerPrompt(n + 1)
		}
		if err := <-s.failed; !errors.Is(err, errWrongPassword) {
			t.Error(err)
		}
	})
}
