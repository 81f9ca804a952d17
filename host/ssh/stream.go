package ssh

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxPreamble = 64 << 10
	maxTail     = 256

	maxMarkerLine = 80 // what follows the marker, see markerLine
)

// stream takes one output of a session. Everything before the marker is not the script's: messages of
// sudo, of the login shell and its startup files.
type stream struct {
	marker   []byte
	onMarker func(pid int, boot string) // gets what the marker's line says; nil if it says nothing
	prompt   []byte                     // of sudo; empty if it cannot ask
	onPrompt func(n int)                // gets how often sudo has asked so far
	dest     io.Writer                  // nil means that the output is collected
	failed   chan<- error

	mu        sync.Mutex   // held while output is written to dest
	discard   atomic.Bool  // drop what arrives from now on
	lastWrite atomic.Int64 // when output last arrived, in Unix nanoseconds

	prompts   int
	marked    bool   // the marker has arrived
	preamble  []byte // before the marker
	tail      []byte // the last bytes of the output
	collected bytes.Buffer
	truncated bool
	destErr   error
}

// Write never fails: output must be taken from the channel, or its other streams block too.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.lastWrite.Store(time.Now().UnixNano()) }()
	n := len(p)
	if s.discard.Load() {
		return n, nil
	}
	if !s.marked {
		s.preamble = append(s.preamble, p...)
		if p = s.scan(); p == nil {
			return n, nil
		}
	}
	s.pass(p)
	return n, nil
}

// close discards whatever arrives from now on. It waits for a write that is in progress, but no longer
// than closeGrace.
func (s *stream) close() {
	s.discard.Store(true)
	written := make(chan struct{})
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(written)
	}()
	waitEither(closeGrace, written, nil)
}

// idle returns how long no output has arrived; 0 while some is being written.
func (s *stream) idle() time.Duration {
	if !s.mu.TryLock() {
		return 0
	}
	defer s.mu.Unlock()
	return time.Since(time.Unix(0, s.lastWrite.Load()))
}

// markerLine is what follows the marker on its line: the process ID, and the ID of the boot if known.
var markerLine = regexp.MustCompile(`^([0-9]{1,10})(?: ([0-9a-f-]{1,64}))?\n`)

// scan looks for the prompt and the marker in the preamble. It returns the output that follows the
// marker, nil if the marker has not arrived.
func (s *stream) scan() []byte {
	for len(s.prompt) > 0 {
		i := bytes.Index(s.preamble, s.prompt)
		if i < 0 {
			break
		}
		s.preamble = append(s.preamble[:i:i], s.preamble[i+len(s.prompt):]...)
		s.prompts++
		s.onPrompt(s.prompts)
	}
	for from := 0; ; {
		i := bytes.Index(s.preamble[from:], s.marker)
		if i < 0 {
			break
		}
		from += i + len(s.marker)
		rest := s.preamble[from:]
		if s.onMarker != nil {
			found := markerLine.FindSubmatch(rest)
			if found == nil {
				continue // a shell that echoes the command line
			}
			rest = rest[len(found[0]):]
			pid, _ := strconv.Atoi(string(found[1]))
			s.onMarker(pid, string(found[2]))
		}
		s.marked = true
		s.preamble = s.preamble[: from-len(s.marker) : from-len(s.marker)]
		return rest
	}
	if len(s.preamble) > maxPreamble {
		kept := s.preamble[len(s.preamble)-maxPreamble/2:]
		if i := bytes.IndexByte(kept, '\n'); i >= 0 {
			kept = kept[i+1:] // whole lines: a part of a secret could not be masked
		} else {
			kept = kept[len(kept)-len(s.marker)-len(s.prompt)-maxMarkerLine:]
		}
		s.preamble = append([]byte(nil), kept...)
	}
	return nil
}

// pass hands on output of the script.
func (s *stream) pass(p []byte) {
	s.tail = append(s.tail, p[max(0, len(p)-maxTail):]...)
	s.tail = s.tail[max(0, len(s.tail)-maxTail):]
	switch {
	case len(p) == 0 || s.destErr != nil:
	case s.dest != nil:
		if _, err := s.dest.Write(p); err != nil {
			s.destErr = err
			sendError(s.failed, fmt.Errorf("write the script's output: %w", err))
		}
	default:
		if room := maxCollected - s.collected.Len(); len(p) > room {
			s.truncated = true
			p = p[:room]
		}
		s.collected.Write(p)
	}
}

// sameWriter reports whether both are the same, as package os/exec does for the outputs of a command.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() { _ = recover() }() // for types that cannot be compared
	return a == b
}

// syncWriter lets two streams share a writer.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *syncWriter) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}
