package ssh

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// session is a script that is being run, on a channel of its own.
type session struct {
	conn     *Conn
	cmd      Command
	sudo     bool
	password bool   // sudo may ask for it
	marker   string // random; precedes the script's output
	script   string // as it is sent, with the marker at its beginning and its end

	channel        ssh.Channel
	stdout, stderr *stream

	started chan struct{} // closed when the shell that reads the script has reported its process ID
	pid     int           // valid once started is closed
	boot    string        // ID of the boot, valid once started is closed; empty if the machine has none
	sent    chan struct{} // closed when the script has been sent, or will not be
	sentAll bool          // the whole script has been sent; valid once sent is closed
	exited  chan struct{} // closed when the shell's end was reported; output may still arrive
	closed  chan struct{} // closed when the channel is
	failed  chan error    // stdin cannot be read, an output cannot be written, or sudo rejects the password

	mu        sync.Mutex
	sending   bool // the script is being sent
	cancelled bool // the script must not be sent any more

	exit   int    // -1 if none was reported; valid once closed is closed
	signal string // the same; empty if none ended the script
}

func newSession(c *Conn, cmd Command, sudo bool) *session {
	s := &session{
		conn: c, cmd: cmd, sudo: sudo, password: sudo && !c.target.SudoPassword.IsZero(),
		marker: newMarker(), exit: -1,
		started: make(chan struct{}), sent: make(chan struct{}),
		exited: make(chan struct{}), closed: make(chan struct{}),
		failed: make(chan error, 4),
	}
	text := cmd.Script
	if cmd.Lock || cmd.guard {
		text = "\n" + c.target.guarded(text, cmd.Lock)
	}
	// two newlines, for a script that ends with a backslash
	s.script = ": " + s.marker + ";" + text + "\n\n#" + s.marker
	stdout, stderr := cmd.Stdout, cmd.Stderr
	if stdout != nil && sameWriter(stdout, stderr) {
		stdout = &syncWriter{w: stdout}
		stderr = stdout
	}
	s.stdout = &stream{marker: []byte(s.marker + "\n"), dest: stdout, failed: s.failed}
	s.stderr = &stream{marker: []byte(s.marker + " "), dest: stderr, failed: s.failed,
		onMarker: func(pid int, boot string) {
			s.pid, s.boot = pid, boot
			close(s.started)
		}}
	if s.password {
		s.stderr.prompt, s.stderr.onPrompt = []byte(s.prompt()), s.answerPrompt
	}
	return s
}

func newMarker() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "lab-" + hex.EncodeToString(b[:])
}

// start opens a channel and starts the shell. If the connection turns out to be lost, start reconnects,
// once. If the session is refused, start asks once more: sshd counts a session as open (MaxSessions)
// until it has processed everything that has arrived, so when it reads the end of the last session
// together with the request for the next one, it refuses the latter.
func (s *session) start(ctx context.Context) error {
	for reconnected, refusedBefore := false, false; ; {
		l, err := s.conn.live(ctx)
		if err != nil {
			return err
		}
		requests, err := s.open(ctx, l)
		if err == nil {
			s.conn.execs.Add(1)
			l.markInUse()
			go s.receive(requests)
			go s.send(ctx)
			return nil
		}
		var refused *ssh.OpenChannelError
		e := &lab.Error{Op: "run script", Target: s.conn.target.name()}
		switch {
		case ctx.Err() != nil:
			e.Err = context.Cause(ctx)
		case errors.As(err, &refused) && !refusedBefore:
			refusedBefore = true
			continue
		case errors.As(err, &refused):
			e.Hint = "run fewer scripts at the same time, or raise MaxSessions in the machine's sshd_config"
			e.Err = fmt.Errorf("%w: the machine refused to open a session: %s",
				lab.ErrBlocked, lab.Printable(refused.Message))
		case errors.Is(err, errNoExec):
			e.Hint = "check that its sshd forces no other command (ForceCommand), and that the user has a login shell"
			e.Err = fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
		case !reconnected:
			reconnected = true
			l.cut()
			<-l.lost
			continue
		default:
			e.Err = fmt.Errorf("%w: the connection was lost before the script was sent", lab.ErrUnreachable)
		}
		return lab.NotSent(e)
	}
}

// errLost means that the connection was lost while a channel was being opened. Package ssh does not
// always report that: its mux first forgets its channels and only then refuses writes (mux.loop,
// handshakeTransport.readLoop), so a channel that is opened in between waits forever for an answer.
// wire refuses writes as soon as reads fail; what remains are connections that the machine ends
// with SSH_MSG_DISCONNECT.
var errLost = errors.New("the connection was lost")

// open opens the channel and requests the shell. It sends nothing of the script, so it may be repeated.
func (s *session) open(ctx context.Context, l *link) (<-chan *ssh.Request, error) {
	type result struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	done := make(chan result, 1)
	go func() {
		channel, requests, err := l.client.OpenChannel("session", nil)
		if err == nil {
			var ok bool
			ok, err = channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{s.commandLine()}))
			if err == nil && !ok {
				err = errNoExec
			}
			if err != nil {
				channel.Close()
				go ssh.DiscardRequests(requests)
			}
		}
		done <- result{channel, requests, err}
	}()
	var err error
	select {
	case r := <-done:
		s.channel = r.channel
		return r.requests, r.err
	case <-l.lost:
		err = errLost
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	go func() {
		if r := <-done; r.err == nil {
			r.channel.Close()
			ssh.DiscardRequests(r.requests)
		}
	}()
	return nil, err
}

// answerPrompt gives sudo the password, once: if sudo asks again, the password is wrong.
func (s *session) answerPrompt(n int) {
	if n > 1 {
		sendError(s.failed, errWrongPassword)
		return
	}
	_, _ = io.WriteString(s.channel, s.conn.target.SudoPassword.Reveal()+"\n")
}

// receive takes what the machine sends, until the channel is closed.
func (s *session) receive(requests <-chan *ssh.Request) {
	defer close(s.closed)
	var streams sync.WaitGroup
	streams.Go(func() { _, _ = io.Copy(s.stdout, s.channel) })
	streams.Go(func() { _, _ = io.Copy(s.stderr, s.channel.Stderr()) })
	for q := range requests {
		switch q.Type {
		case "exit-status":
			var status struct{ Status uint32 }
			if ssh.Unmarshal(q.Payload, &status) == nil {
				s.exit = int(status.Status)
			}
		case "exit-signal":
			var signal struct {
				Name   string
				Dumped bool
				Error  string
				Lang   string
			}
			if ssh.Unmarshal(q.Payload, &signal) == nil {
				s.signal = signal.Name
			}
		}
		if (s.exit >= 0 || s.signal != "") && !isClosed(s.exited) {
			close(s.exited)
		}
		if q.WantReply {
			_ = q.Reply(false, nil)
		}
	}
	streams.Wait()
	s.channel.Close()
}

// send sends the script and then its stdin. If sudo may ask for a password, send waits until the script
// is being read: sudo would take the script for the password.
func (s *session) send(ctx context.Context) {
	defer func() {
		if !isClosed(s.sent) {
			close(s.sent)
		}
	}()
	if s.password {
		select {
		case <-s.started:
		case <-s.closed:
			return
		}
	}
	s.mu.Lock()
	if s.cancelled {
		s.mu.Unlock()
		return
	}
	s.sending = true
	s.mu.Unlock()
	n, err := io.WriteString(s.channel, s.script)
	s.sentAll = n == len(s.script)
	close(s.sent)
	if err == nil {
		s.sendStdin(ctx)
	}
}

func (s *session) sendStdin(ctx context.Context) {
	if s.cmd.Stdin == nil {
		_ = s.channel.CloseWrite()
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := s.cmd.Stdin.Read(buf)
		if ctx.Err() != nil {
			return // without an end of file, which would make what was sent look complete
		}
		if n > 0 {
			if _, err := s.channel.Write(buf[:n]); err != nil {
				return // the script has ended, or has closed its stdin
			}
		}
		if err == io.EOF {
			_ = s.channel.CloseWrite()
			return
		}
		if err != nil {
			sendError(s.failed, fmt.Errorf("read the script's stdin: %w", err))
			return
		}
	}
}

// close closes the channel and waits for the other side to do the same, but no longer than closeGrace:
// the connection may be dead. Closing then blocks until the data sent before has been accepted.
func (s *session) close() {
	go s.channel.Close()
	waitEither(closeGrace, s.closed, nil)
}

// detach makes sure that nothing is written to the outputs any more.
func (s *session) detach() {
	if !isClosed(s.closed) {
		s.stdout.close()
		s.stderr.close()
	}
}

// sendError sends err unless the channel is full: the first error is enough, and the sender takes what
// the machine sends, which must not wait.
func sendError(failed chan<- error, err error) {
	select {
	case failed <- err:
	default:
	}
}

// waitEither waits until a or b is closed, but no longer than limit. A nil channel is never closed.
func waitEither(limit time.Duration, a, b <-chan struct{}) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-a:
	case <-b:
	case <-t.C:
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
