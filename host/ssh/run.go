package ssh

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Command is a script to run on a machine.
type Command struct {
	// Script is for a POSIX sh. It goes over stdin, never as an argument, so secrets may be in it. A NUL byte cannot be in it.
	Script string

	// Stdin is what the script finds on its standard input; nil means nothing. It is read until it ends or the script does; a Read that
	// blocks then is not waited for.
	Stdin io.Reader

	// Stdout and Stderr get what the script prints, as it comes; nil means that it is collected in the Result. An error of theirs ends the
	// script as a cancelled context does.
	//
	// Nothing is written to them after Run has returned, but by a Write that does not return for seconds: that one is not waited for.
	Stdout, Stderr io.Writer

	// Root means that the script runs as root: as it is when that is who logged in, else through sudo.
	Root bool

	// Lock means that the script runs only while it alone holds the machine's lock (see [Target]), and not at all when somebody else does,
	// which is an [lab.ErrBlocked]. What the script leaves running does not hold the lock. It needs Root.
	Lock bool

	bare bool // when its context ends, leave it alone: it is what ends another
}

// maxCollected is how much of an output is collected that nobody takes.
const maxCollected = 1 << 20

// Result is what became of a script that ran to its end.
type Result struct {
	Exit   int    // exit status; -1 when a signal ended it
	Signal string // name of that signal, without SIG; empty when none did
	Stdout []byte // what was collected, at most 1 MiB
	Stderr []byte // what was collected, at most 1 MiB

	// Truncated means that there was more than was collected.
	Truncated bool

	target string
}

// Err returns an error unless the script ended with status 0. The last lines of what was collected of its standard error are in it.
func (r *Result) Err() error {
	if r.Exit == 0 && r.Signal == "" {
		return nil
	}
	how := "exit status " + strconv.Itoa(r.Exit)
	if r.Signal != "" {
		how = "ended by signal " + r.Signal
	}
	if last := lastLines(string(r.Stderr), 5); last != "" {
		how += ": " + last
	}
	return &lab.Error{Op: "run script", Target: r.target, Err: errors.New(how)}
}

// lastLines returns the last n lines of text that are not empty, fit for a terminal.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, lab.Printable(line))
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Run runs a script and returns what became of it, whatever its exit status: see [Result.Err]. An error means that it did not run to its end:
//
//   - [lab.ErrUnreachable]: the connection was lost. [lab.SafeToRetry] says whether the script certainly did not start.
//   - [lab.ErrUnauthorized]: sudo said no. It did not start.
//   - [lab.ErrBlocked]: somebody else holds the lock, or the machine opens no further session (MaxSessions of sshd_config(5)). It did not start.
//   - ctx's cause: ctx ended. The script and all processes of its session were told to end (TERM), and killed when they were still there
//     after 3 s; Run has waited for that, for 30 s at most. When they could not be ended, for the connection was lost too, the error says so.
//
// What a script leaves running may go on; when it holds the script's outputs open, Run does not wait for it longer than for 2 s without
// output. A script starts with nothing but what the machine gives it: no environment, locale or working folder is sent.
func (c *Conn) Run(ctx context.Context, cmd Command) (*Result, error) {
	fail := func(err error) (*Result, error) {
		return nil, lab.NotSent(&lab.Error{Op: "run script", Target: c.target.name(), Err: err})
	}
	asRoot := cmd.Root && c.target.User != "root"
	switch {
	case strings.Contains(cmd.Script, "\x00"):
		return fail(fmt.Errorf("%w: a script cannot have a NUL byte in it", lab.ErrInvalid))
	case cmd.Lock && !cmd.Root && c.target.User != "root":
		return fail(fmt.Errorf("%w: only root can hold the lock", lab.ErrInvalid))
	case ctx.Err() != nil:
		return fail(context.Cause(ctx))
	}
	r := newRun(c, cmd, asRoot)
	l, err := r.start(ctx)
	if err != nil {
		return nil, err
	}
	defer r.leave()
	return r.wait(ctx, l)
}

func newMark() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "lab-" + hex.EncodeToString(b[:])
}

// run is one script under way.
type run struct {
	conn     *Conn
	cmd      Command
	sudo     bool
	password bool   // sudo may ask
	nonce    string // marks where the script's own output begins, and on the way there where it begins and ends itself
	script   string // with those marks

	channel  ssh.Channel
	out, err *stream

	begun  chan struct{} // closed when the shell that reads the script has told its process id
	pid    int           // read it after begun
	boot   string        // read it after begun; empty where the machine has none
	sent   chan struct{} // closed when the script was sent, or will not be
	whole  bool          // it was sent whole; read it after sent
	exited chan struct{} // closed when the end of the shell was told; output may still come
	ended  chan struct{} // closed when the channel is
	broken chan error    // stdin could not be read, an output not be written, or sudo wants another password

	mu      sync.Mutex
	feeding bool // the script is being sent
	stopped bool // it must not be sent any more

	exit   int // -1 when none was told; read it after ended
	signal string
}

func newRun(c *Conn, cmd Command, sudo bool) *run {
	r := &run{
		conn: c, cmd: cmd, sudo: sudo, password: sudo && !c.target.SudoPassword.IsZero(), nonce: newMark(), exit: -1,
		begun: make(chan struct{}), sent: make(chan struct{}), exited: make(chan struct{}), ended: make(chan struct{}), broken: make(chan error, 4),
	}
	r.script = ": " + r.nonce + ";" + cmd.Script + "\n\n#" + r.nonce // two newlines, for a script that ends in a backslash
	out, err := cmd.Stdout, cmd.Stderr
	if out != nil && sameWriter(out, err) {
		out = &oneAtATime{w: out}
		err = out
	}
	r.out = &stream{mark: []byte(r.nonce + "\n"), to: out, broken: r.broken}
	r.err = &stream{mark: []byte(r.nonce + " "), to: err, broken: r.broken, begin: func(pid int, boot string) {
		r.pid, r.boot = pid, boot
		close(r.begun)
	}}
	if r.password {
		r.err.prompt, r.err.ask = []byte(r.prompt()), r.answer
	}
	return r
}

// line is the command line for the user's login shell, which may be any: only plain words and single quotes, without backslash, ! or newline.
//
// The shell tells its process id, which is that of its session too, and the machine's boot; reads as many bytes as the script has, and runs them when their beginning
// and end are there: what is left of a script that was cut off, or that a start file of the login shell took a line of, must not run. head of
// coreutils reads no byte more, so the rest of stdin is the script's.
func (r *run) line() string {
	var b strings.Builder
	switch {
	case r.password:
		b.WriteString("sudo -S -p " + r.prompt() + " -- ")
	case r.sudo:
		b.WriteString("sudo -n -- ")
	}
	if r.cmd.Lock {
		b.WriteString("flock -n -o -E " + strconv.Itoa(exitLocked) + " " + r.conn.target.lockFile() + " ")
	}
	fmt.Fprintf(&b, `setsid -w sh -c 'b=; { read -r b <%s; } 2>/dev/null; echo %s; echo %[2]s $$ $b >&2; s=$(head -c %d); case $s in :?%[2]s*%[2]s) eval "unset b s; $s";; *) echo %[2]s >&2; exit %[4]d;; esac'`, bootID, r.nonce, len(r.script), exitCut)
	return b.String()
}

// bootID is a file whose line is another one after each boot: proc_sys_kernel(5).
const bootID = "/proc/sys/kernel/random/boot_id"

// uptime is a file that begins with the seconds since the boot, with two decimals: proc_uptime(5).
const uptime = "/proc/uptime"

func (r *run) prompt() string { return r.nonce + "-sudo:" }

const (
	exitCut    = 71 // the script did not arrive whole
	exitLocked = 75 // flock's, when somebody else holds the lock
)

// start opens a channel and starts the shell. When the connection turns out to be lost it connects anew, once. A session that is refused is asked
// for once more: sshd takes one for ended (MaxSessions) only after it has dealt with all that has arrived, so when it reads the end of the last and
// the beginning of the next at one go it refuses the next.
func (r *run) start(ctx context.Context) (*link, error) {
	for lost, full := false, false; ; {
		l, err := r.conn.live(ctx)
		if err != nil {
			return nil, err
		}
		requests, err := r.open(ctx, l)
		if err == nil {
			r.conn.execs.Add(1)
			l.settle()
			go r.listen(requests)
			go r.feed(ctx)
			return l, nil
		}
		var refused *ssh.OpenChannelError
		e := &lab.Error{Op: "run script", Target: r.conn.target.name()}
		switch {
		case ctx.Err() != nil:
			e.Err = context.Cause(ctx)
		case errors.As(err, &refused) && !full:
			full = true
			continue
		case errors.As(err, &refused):
			e.Hint = "run fewer scripts at once, or raise MaxSessions in its sshd_config"
			e.Err = fmt.Errorf("%w: the machine opens no session: %s", lab.ErrBlocked, lab.Printable(refused.Message))
		case errors.Is(err, errNoExec):
			e.Hint = "does its sshd force another command (ForceCommand), and has the user a login shell?"
			e.Err = fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
		case !lost:
			lost = true
			l.cut()
			<-l.lost
			continue
		default:
			e.Err = fmt.Errorf("%w: the connection was lost before the script was sent", lab.ErrUnreachable)
		}
		return nil, lab.NotSent(e)
	}
}

var errNoExec = errors.New("the machine runs no commands")

// errLost tells that the connection was lost while a channel was opened. Package ssh does not always tell: its mux forgets its channels first
// and refuses to write then (mux.loop, handshakeTransport.readLoop), and who opens one between the two waits for ever for an answer. wire
// refuses earlier when it cannot be read any more; what remains are connections that the machine takes leave of (SSH_MSG_DISCONNECT).
var errLost = errors.New("the connection was lost")

// open opens the channel and asks for the shell. Nothing of the script is sent yet, so it may be done again.
func (r *run) open(ctx context.Context, l *link) (<-chan *ssh.Request, error) {
	type opened struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	done := make(chan opened, 1)
	go func() {
		channel, requests, err := l.client.OpenChannel("session", nil)
		if err == nil {
			var ok bool
			ok, err = channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{r.line()}))
			if err == nil && !ok {
				err = errNoExec
			}
			if err != nil {
				channel.Close()
				go ssh.DiscardRequests(requests)
			}
		}
		done <- opened{channel, requests, err}
	}()
	var err error
	select {
	case o := <-done:
		r.channel = o.channel
		return o.requests, o.err
	case <-l.lost:
		err = errLost
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	go func() {
		if o := <-done; o.err == nil {
			o.channel.Close()
			ssh.DiscardRequests(o.requests)
		}
	}()
	return nil, err
}

// answer tells sudo the password, once: when it asks again the password is wrong.
func (r *run) answer(times int) {
	if times > 1 {
		tell(r.broken, errWrongPassword)
		return
	}
	_, _ = io.WriteString(r.channel, r.conn.target.SudoPassword.Reveal()+"\n")
}

var (
	errWrongPassword = errors.New("sudo does not accept the password")
	errSudoSilent    = errors.New("sudo neither asks for the password nor starts the script")
)

// listen reads what comes back, until the channel is closed.
func (r *run) listen(requests <-chan *ssh.Request) {
	defer close(r.ended)
	var streams sync.WaitGroup
	streams.Go(func() { _, _ = io.Copy(r.out, r.channel) })
	streams.Go(func() { _, _ = io.Copy(r.err, r.channel.Stderr()) })
	for q := range requests {
		switch q.Type {
		case "exit-status":
			var status struct{ Status uint32 }
			if ssh.Unmarshal(q.Payload, &status) == nil {
				r.exit = int(status.Status)
			}
		case "exit-signal":
			var signal struct {
				Name   string
				Dumped bool
				Error  string
				Lang   string
			}
			if ssh.Unmarshal(q.Payload, &signal) == nil {
				r.signal = signal.Name
			}
		}
		if (r.exit >= 0 || r.signal != "") && !isClosed(r.exited) {
			close(r.exited)
		}
		if q.WantReply {
			_ = q.Reply(false, nil)
		}
	}
	streams.Wait()
	r.channel.Close()
}

// feed sends the script, and then its stdin. Where sudo may ask, it waits until sudo has done so: it would take the script for the password.
func (r *run) feed(ctx context.Context) {
	defer func() {
		select {
		case <-r.sent:
		default:
			close(r.sent)
		}
	}()
	if r.password {
		select {
		case <-r.begun:
		case <-r.ended:
			return
		}
	}
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return
	}
	r.feeding = true
	r.mu.Unlock()
	n, err := io.WriteString(r.channel, r.script)
	r.whole = n == len(r.script)
	close(r.sent)
	if err != nil {
		return
	}
	if r.cmd.Stdin == nil {
		_ = r.channel.CloseWrite()
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.cmd.Stdin.Read(buf)
		if ctx.Err() != nil {
			return // without an end of file: the script would take what it has for the whole
		}
		if n > 0 {
			if _, err := r.channel.Write(buf[:n]); err != nil {
				return // the script has ended, or reads no further
			}
		}
		if err == io.EOF {
			_ = r.channel.CloseWrite()
			return
		}
		if err != nil {
			tell(r.broken, fmt.Errorf("read what goes to its stdin: %w", err))
			return
		}
	}
}

// How long is waited for what usually takes no time.
const (
	sudoTimeout = 30 * time.Second // from the exec to sudo's question or the script's start; PAM may wait for a directory service
	killGrace   = 3 * time.Second  // from TERM to KILL; also in killScript
	killTimeout = 30 * time.Second // for the whole of ending a script, connecting anew included: 8 s of killScript, and the rest for a busy machine
	closeGrace  = 3 * time.Second  // for a channel to close
	outputGrace = 2 * time.Second  // for more output after the end of the shell: what it left running may hold the outputs open
)

// wait waits for the end of the script, or ends it.
func (r *run) wait(ctx context.Context, l *link) (*Result, error) {
	begun, exited := r.begun, r.exited
	var late, silent <-chan time.Time
	if r.password {
		t := time.NewTimer(sudoTimeout)
		defer t.Stop()
		late = t.C
	}
	for {
		var cause error
		select {
		case <-r.ended:
		case <-begun:
			begun, late = nil, nil
			continue
		case <-exited:
			exited, silent = nil, time.After(outputGrace)
			continue
		case <-silent:
			if left := outputGrace - min(r.out.idle(), r.err.idle()); left > 0 {
				silent = time.After(left)
				continue
			}
		case <-ctx.Done():
			cause = context.Cause(ctx)
		case cause = <-r.broken:
		case <-late:
			cause = errSudoSilent
		}
		if isClosed(r.exited) {
			r.close()
		}
		if isClosed(r.ended) {
			return r.result()
		}
		if cause == nil {
			cause = fmt.Errorf("%w: the machine does not answer any more", lab.ErrUnreachable)
		}
		return r.stop(ctx, l, cause)
	}
}

// result says how the script ended, after r.ended.
func (r *run) result() (*Result, error) {
	e := &lab.Error{Op: "run script", Target: r.conn.target.name()}
	begun := isClosed(r.begun)
	switch {
	case r.exit < 0 && r.signal == "":
		<-r.sent
		if !r.whole {
			e.Err = fmt.Errorf("%w: the connection was lost before the script was sent", lab.ErrUnreachable)
			return nil, lab.NotSent(e)
		}
		e.Hint = "run it again when the machine answers: it looks first at what was done"
		e.Err = fmt.Errorf("%w: the connection was lost while the script ran; how it ended is not known", lab.ErrUnreachable)
		return nil, e
	case !begun:
		return nil, lab.NotSent(r.notBegun())
	case r.out.failure != nil:
		e.Err = fmt.Errorf("write its output: %w", r.out.failure)
		return nil, e
	case r.err.failure != nil:
		e.Err = fmt.Errorf("write its standard error: %w", r.err.failure)
		return nil, e
	case r.exit == exitCut && bytes.Contains(r.err.last, []byte(r.nonce)):
		e.Hint = "the start files of the user's login shell must not read stdin: ~/.bashrc, ~/.zshenv, config.fish"
		e.Err = fmt.Errorf("%w: something on the machine took a part of the script", lab.ErrConflict)
		return nil, lab.NotSent(e)
	}
	return &Result{
		Exit: r.exit, Signal: r.signal, Stdout: r.out.kept.Bytes(), Stderr: r.err.kept.Bytes(),
		Truncated: r.out.truncated || r.err.truncated, target: r.conn.target.name(),
	}, nil
}

// notBegun says why the shell did not start, from what was printed in its place.
func (r *run) notBegun() error {
	t := r.conn.target
	said := lab.Mask(lastLines(string(r.out.early)+"\n"+string(r.err.early), 5), t.SudoPassword)
	e := &lab.Error{Op: "run script", Target: t.name()}
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(said, p) {
				return true
			}
		}
		return false
	}
	switch {
	case r.cmd.Lock && r.exit == exitLocked:
		e.Path = t.lockFile()
		e.Hint = fmt.Sprintf("wait for it, or see who it is: sudo fuser -v %s, on the machine", t.lockFile())
		e.Err = fmt.Errorf("%w: somebody else works on this machine and holds the lock", lab.ErrBlocked)
	case r.cmd.Lock && has("flock: "):
		e.Path = t.lockFile()
		e.Err = fmt.Errorf("lock: %s", said)
	case r.sudo && r.exit == 127, r.sudo && has("sudo: not found", "sudo: command not found"):
		e.Hint = "as root: apt-get install sudo, or log in as root"
		e.Err = fmt.Errorf("%w: sudo is not installed", lab.ErrNotFound)
	case has("setsid: not found", "setsid: command not found", "flock: not found", "flock: command not found"), r.exit == 127:
		e.Hint = "as root: apt-get install util-linux"
		e.Err = fmt.Errorf("%w: %s", lab.ErrNotFound, said)
	case r.sudo && has("must have a tty", "tty present"):
		e.Hint = "put into a file of /etc/sudoers.d, with visudo: Defaults:" + t.User + " !requiretty"
		e.Err = fmt.Errorf("%w: sudo wants a terminal: %s", lab.ErrUnauthorized, said)
	case r.sudo && has("not in the sudoers", "not allowed to"):
		e.Hint = "put into a file of /etc/sudoers.d, with visudo: " + t.User + " ALL=(ALL) NOPASSWD: ALL"
		e.Err = fmt.Errorf("%w: sudo: %s", lab.ErrUnauthorized, said)
	case r.sudo && !r.password && r.exit == 1:
		e.Hint = "set the sudo password, or put into a file of /etc/sudoers.d, with visudo: " + t.User + " ALL=(ALL) NOPASSWD: ALL"
		e.Err = fmt.Errorf("%w: sudo: %s", lab.ErrUnauthorized, said)
	case r.sudo && r.exit == 1:
		e.Hint = "log in and try: sudo -v"
		e.Err = fmt.Errorf("%w: sudo: %s", lab.ErrUnauthorized, said)
	default:
		e.Hint = "log in and try: sh -c 'echo works'"
		how := "with status " + strconv.Itoa(r.exit)
		if r.signal != "" {
			how = "by signal " + r.signal
		}
		e.Err = fmt.Errorf("%w: the login shell of %s ended %s and did not start it: %s", lab.ErrConflict, t.User, how, said)
	}
	return e
}

// stop ends the script, waits until it is gone, and says so.
func (r *run) stop(ctx context.Context, l *link, cause error) (*Result, error) {
	r.mu.Lock()
	r.stopped = true
	feeding := r.feeding
	r.mu.Unlock()
	e := &lab.Error{Op: "run script", Target: r.conn.target.name()}
	if errors.Is(cause, errWrongPassword) {
		e.Hint = "log in and try it: sudo -k; sudo -v"
		cause = fmt.Errorf("%w: %w", lab.ErrUnauthorized, cause)
	}
	if errors.Is(cause, errSudoSilent) {
		e.Hint = "log in and see what sudo asks for: sudo -k; sudo -v"
		cause = fmt.Errorf("%w: %w within %s", lab.ErrTimeout, cause, sudoTimeout)
	}
	if !feeding {
		r.close()
		e.Err = cause
		return nil, lab.NotSent(e)
	}
	if r.cmd.bare {
		r.close()
		e.Err = cause
		return nil, e
	}
	within(killGrace, r.begun, r.ended)
	if isClosed(r.exited) {
		r.close()
	}
	if isClosed(r.exited) && isClosed(r.ended) {
		return r.result()
	}
	if !isClosed(r.begun) {
		r.close()
		e.Err = fmt.Errorf("%w; the machine does not answer, so the script may run on", cause)
		return nil, e
	}
	how, err := r.conn.kill(context.WithoutCancel(ctx), r)
	if err == nil {
		within(closeGrace, r.ended)
	}
	if how == "" && err == nil && isClosed(r.exited) && isClosed(r.ended) {
		return r.result() // it had ended before it was told to
	}
	r.close()
	if how == "" {
		how = "gone before"
	}
	if err != nil {
		e.Hint = fmt.Sprintf("on the machine: ps -o pid,args -s %d", r.pid)
		e.Err = fmt.Errorf("%w; its processes may run on, for they could not be ended: %w", cause, err)
	} else {
		e.Err = fmt.Errorf("%w; its processes were %s", cause, how)
	}
	return nil, e
}

// tell tells an error if it is the first: nobody wants to know of a second, and what comes from the machine must not wait for that.
func tell(broken chan<- error, err error) {
	select {
	case broken <- err:
	default:
	}
}

// close closes the channel and waits for the other side to do so, but not long: the connection may be dead. Then closing waits too, until what
// was sent before is taken.
func (r *run) close() {
	go r.channel.Close()
	within(closeGrace, r.ended)
}

// leave lets nothing more be written to the outputs.
func (r *run) leave() {
	if !isClosed(r.ended) {
		r.out.shut()
		r.err.shut()
	}
}

// within waits until one of the channels is closed, no longer than limit.
func within(limit time.Duration, either ...<-chan struct{}) {
	t := time.NewTimer(limit)
	defer t.Stop()
	a := either[0]
	var b <-chan struct{}
	if len(either) > 1 {
		b = either[1]
	}
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

// killScript ends the processes of a session: TERM, and KILL after 3 s. Those that made a process group of their own, as jobs of a shell
// with job control do, are found by their session in /proc; zombies do not count. After another boot they are gone,
// and their number may be somebody else's. It goes by the clock, hundredths of a second since the boot, for on a busy machine each look takes long; where
// there is none it counts its looks. It prints "ended" when there were any, and "killed" when TERM was not enough.
const killScript = `b=
{ read -r b <"$boot"; } 2>/dev/null
[ "$b" = "$of" ] || exit 0
n=
members() {
	n=
	for f in /proc/[0-9]*/stat; do
		{ IFS= read -r s <"$f"; } 2>/dev/null || continue
		set -- ${s##*) }
		[ "${4-}" = "$p" ] || continue
		case $1 in Z | X) continue ;; esac
		f=${f#/proc/}
		n="$n ${f%/stat}"
	done
	[ -n "$n" ] || { [ ! -r "/proc/$$/stat" ] && kill -s 0 -- "-$p" 2>/dev/null; }
}
signal() {
	kill -s "$1" -- "-$p" 2>/dev/null
	[ -z "$n" ] || kill -s "$1" $n 2>/dev/null
}
now() {
	{ IFS='. ' read -r u c rest <"$uptime"; } 2>/dev/null && t=$((u * 100 + 1$c - 100)) || t=$((t + 10))
}
t=0 how=
while members; do
	now
	case $how in
	'') how=ended since=$t && signal TERM ;;
	ended) [ $((t - since)) -lt 300 ] || { how=killed since=$t && signal KILL; } ;;
	killed) [ $((t - since)) -lt 500 ] || exit 1; signal KILL ;;
	esac
	sleep 0.1
done
printf %s "$how"
`

// kill ends the session of a script, and says whether it was "ended" or "killed"; "" when nobody was there any more. A machine that opens
// no further session is connected to a second time.
func (c *Conn) kill(ctx context.Context, r *run) (how string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, killTimeout, fmt.Errorf("%w after %s", lab.ErrTimeout, killTimeout))
	defer cancel()
	cmd := Command{Script: fmt.Sprintf("p=%d boot=%s uptime=%s of=%s\n%s", r.pid, bootID, uptime, Quote(r.boot), killScript), Root: r.cmd.Root, bare: true}
	res, err := c.Run(ctx, cmd)
	if errors.Is(err, lab.ErrBlocked) {
		var second *Conn
		if second, err = Dial(ctx, c.target); err == nil {
			res, err = second.Run(ctx, cmd)
			second.Close()
			s := second.Counters()
			c.connections.Add(s.Connections)
			c.execs.Add(s.Execs)
			c.sent.Add(s.BytesSent)
			c.received.Add(s.BytesReceived)
		}
	}
	if err != nil {
		return "", err
	}
	if res.Exit != 0 {
		return "", fmt.Errorf("%w: some are still there 5 s after KILL", lab.ErrTimeout)
	}
	return string(res.Stdout), nil
}

// stream takes one output of a command: what comes before the mark is not the script's.
type stream struct {
	mark   []byte
	begin  func(pid int, boot string) // told of what is in the mark's line; nil when there is nothing
	prompt []byte                     // of sudo; empty when it cannot ask
	ask    func(times int)
	asked  int
	to     io.Writer // nil means that it is kept
	broken chan<- error

	busy  sync.Mutex   // held while to is written to
	over  atomic.Bool  // what comes is dropped
	wrote atomic.Int64 // when something came last, in Unix nanoseconds

	marked    bool
	early     []byte // before the mark
	last      []byte // the last bytes
	kept      bytes.Buffer
	truncated bool
	failure   error // of to
}

const (
	maxEarly = 64 << 10
	maxLast  = 256
)

var markPattern = regexp.MustCompile(`^([0-9]{1,10})(?: ([0-9a-f-]{1,64}))?\n`)

// Write never fails: what comes must be taken, or nothing else does.
func (s *stream) Write(p []byte) (int, error) {
	s.busy.Lock()
	defer s.busy.Unlock()
	defer func() { s.wrote.Store(time.Now().UnixNano()) }()
	n := len(p)
	if s.over.Load() {
		return n, nil
	}
	if !s.marked {
		s.early = append(s.early, p...)
		if p = s.scan(); p == nil {
			return n, nil
		}
	}
	s.pass(p)
	return n, nil
}

// shut drops all that comes from now on, and waits for what is being written, but not long.
func (s *stream) shut() {
	s.over.Store(true)
	written := make(chan struct{})
	go func() {
		s.busy.Lock()
		defer s.busy.Unlock()
		close(written)
	}()
	within(closeGrace, written)
}

// idle returns for how long nothing has come; 0 while what came is being taken.
func (s *stream) idle() time.Duration {
	if !s.busy.TryLock() {
		return 0
	}
	defer s.busy.Unlock()
	return time.Since(time.Unix(0, s.wrote.Load()))
}

// scan looks for the prompt and the mark in what has come so far, and returns what follows the mark: nil before it is there.
func (s *stream) scan() []byte {
	for len(s.prompt) > 0 {
		i := bytes.Index(s.early, s.prompt)
		if i < 0 {
			break
		}
		s.early = append(s.early[:i:i], s.early[i+len(s.prompt):]...)
		s.asked++
		s.ask(s.asked)
	}
	for from := 0; ; {
		i := bytes.Index(s.early[from:], s.mark)
		if i < 0 {
			break
		}
		from += i + len(s.mark)
		rest := s.early[from:]
		if s.begin != nil {
			found := markPattern.FindSubmatch(rest)
			if found == nil {
				continue // a shell that shows the command line
			}
			rest = rest[len(found[0]):]
			pid, _ := strconv.Atoi(string(found[1]))
			s.begin(pid, string(found[2]))
		}
		s.marked = true
		s.early = s.early[: from-len(s.mark) : from-len(s.mark)]
		return rest
	}
	if len(s.early) > maxEarly {
		s.early = append([]byte(nil), s.early[len(s.early)-maxEarly/2:]...)
	}
	return nil
}

func (s *stream) pass(p []byte) {
	s.last = append(s.last, p[max(0, len(p)-maxLast):]...)
	s.last = s.last[max(0, len(s.last)-maxLast):]
	switch {
	case len(p) == 0 || s.failure != nil:
	case s.to != nil:
		if _, err := s.to.Write(p); err != nil {
			s.failure = err
			tell(s.broken, fmt.Errorf("write its output: %w", err))
		}
	default:
		if room := maxCollected - s.kept.Len(); len(p) > room {
			s.truncated = true
			p = p[:room]
		}
		s.kept.Write(p)
	}
}

// sameWriter reports whether both are the same, as package os/exec does for a command's outputs.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() { _ = recover() }() // of types that cannot be compared
	return a == b
}

// oneAtATime lets two streams share a writer.
type oneAtATime struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}
