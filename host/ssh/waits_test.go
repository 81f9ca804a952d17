package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// stuck is a connection through a jump that does not answer any more while there is much to send: whatever is written waits until the wire to the
// jump is cut, and to close it is to write.
type stuck struct {
	ssh.Conn
	cut chan struct{}
}

func (s stuck) SendRequest(string, bool, []byte) (bool, []byte, error) {
	<-s.cut
	return false, nil, io.EOF
}

func (s stuck) Close() error { <-s.cut; return nil }

// closing tells when it is closed, once.
type closing struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// TestSilentJump: a machine behind a jump that falls silent while it is sent much is given up like any other, and a chain that is closed does not wait
// for it.
func TestSilentJump(t *testing.T) {
	for name, end := range map[string]func(*link){
		"keepalive": func(l *link) { keepAlive(l, new(atomic.Int64), time.Second) },
		"close":     func(l *link) { l.close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tcp := &closing{closed: make(chan struct{})}
				through := func() *hop {
					return &hop{client: &ssh.Client{Conn: stuck{cut: tcp.closed}}, wire: &wire{Conn: tcp, lost: make(chan struct{})}}
				}
				l := &link{hops: []*hop{through(), through()}, lost: make(chan struct{})}
				l.client = l.hops[1].client
				ended := make(chan struct{})
				go func() {
					end(l)
					close(ended)
				}()
				within(time.Minute, ended)
				if !isClosed(tcp.closed) || !isClosed(ended) {
					t.Errorf("the wire is cut: %v; it has ended: %v", isClosed(tcp.closed), isClosed(ended))
					tcp.Close()
				}
			})
		})
	}
}

// mute is a channel of a jump: closing it here does not end a read, only the jump's answer does, or the end of the connection to it.
type mute struct {
	net.Conn
	cut chan struct{}
}

func (m mute) Read([]byte) (int, error)    { <-m.cut; return 0, io.EOF }
func (m mute) Write(b []byte) (int, error) { return len(b), nil }
func (m mute) Close() error                { return nil }
func (m mute) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
func (m mute) LocalAddr() net.Addr         { return &net.TCPAddr{} }

// TestLoginThroughSilentJump: a login through a jump that falls silent ends with its time.
func TestLoginThroughSilentJump(t *testing.T) {
	key := signerOf(t, 0)
	synctest.Test(t, func(t *testing.T) {
		tcp := &closing{closed: make(chan struct{})}
		l := &link{hops: []*hop{{wire: &wire{Conn: tcp}}}}
		to := Target{Name: "pi1", Address: "pi1", User: "root", Auth: Auth{Signers: []ssh.Signer{key}}, HostKeys: HostKeys{Pinned: []string{ssh.FingerprintSHA256(key.PublicKey())}}}
		c := &Conn{target: to}
		failed := make(chan error, 1)
		go func() {
			_, err := c.login(t.Context(), l, to, "pi1:22", func(context.Context) (net.Conn, error) { return mute{cut: tcp.closed}, nil })
			failed <- err
		}()
		time.Sleep(time.Hour)
		select {
		case err := <-failed:
			if !errors.Is(err, lab.ErrTimeout) || !errors.Is(err, lab.ErrUnreachable) {
				t.Error(err)
			}
		default:
			t.Error("it waits still")
			tcp.Close()
			<-failed
		}
	})
}

// TestSilentAgent: an ssh-agent that asks a person who is not there is left when the context ends.
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
			_, _ = io.ReadFull(conn, make([]byte, 5)) // what it is asked
			cancel(enough)
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	_, err = (Auth{AgentSocket: socket}).login(ctx, "pi1")
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

// blocked is a channel that takes nothing any more, not even its end.
type blocked struct {
	ssh.Channel
	until chan struct{}
}

func (b blocked) Close() error                { <-b.until; return nil }
func (b blocked) Write(p []byte) (int, error) { return len(p), nil }

// TestGivingUp: a script whose channel cannot be closed is left all the same, nothing is written to its outputs afterwards, and a machine that asks for the
// password again and again holds nobody up.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRun(&Conn{target: Target{SudoPassword: lab.NewSecret("x")}}, Command{Script: ":", Stdout: &out}, true)
		until := make(chan struct{})
		defer close(until)
		r.channel = blocked{until: until}
		_, _ = r.out.Write([]byte(r.nonce + "\nbefore"))
		begin := time.Now()
		r.close()
		r.leave()
		if took := time.Since(begin); took > 2*closeGrace {
			t.Errorf("it took %s", took)
		}
		_, _ = r.out.Write([]byte("after"))
		if out.String() != "before" {
			t.Errorf("its output is %q", out.String())
		}
		for n := range 20 {
			r.answer(n + 1)
		}
		if err := <-r.broken; !errors.Is(err, errWrongPassword) {
			t.Error(err)
		}
	})
}
