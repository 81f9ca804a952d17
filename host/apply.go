package host

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// maxLastLines is how much of a change's output, in bytes, is kept for the error of a change that fails.
const maxLastLines = 2 << 10

// applyParser reads the frames of applyScript as they come and tells them to a recorder.
type applyParser struct {
	target  string
	changes []change
	r       *lab.Recorder
	masker  *lab.Masker

	begun      map[int]bool
	done       []string // IDs
	rolledBack []rolledBack
	ended      bool
	last       []byte // of the output of the change that runs
	line       []byte
	running    int // the last that began; -1 when none runs
	problem    error
}

// rolledBack is a change that another rolled back, see [RolledBack].
type rolledBack struct{ name, by string }

func (u rolledBack) means(c change) bool {
	return c.resource.ID() == u.name || c.op.Name != "" && c.resource.ID()+"/"+c.op.Name == u.name
}

func (p *applyParser) index(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n >= len(p.changes) {
		p.problem = fmt.Errorf("a frame names change %q of %d", s, len(p.changes))
		return -1
	}
	return n
}

func (p *applyParser) header(h string) {
	p.flushLine()
	f := strings.Fields(h)
	switch {
	case len(f) == 1 && f[0] == "D":
		p.ended = true
	case len(f) == 2 && f[0] == "S":
		if n := p.index(f[1]); n >= 0 {
			p.running, p.last = n, nil
			if !p.begun[n] {
				p.begun[n] = true
				p.r.Start(p.changes[n].id)
			}
		}
	case len(f) == 3 && f[0] == "E":
		if n := p.index(f[1]); n >= 0 {
			err := p.failure(n, f[2])
			if err == nil {
				p.done = append(p.done, p.changes[n].id)
			}
			p.r.Done(p.changes[n].id, err)
			if p.running == n {
				p.running = -1
			}
		}
	case len(f) > 1 && f[0] == "U" && p.running >= 0:
		for _, word := range f[1:] {
			name, err := hex.DecodeString(word)
			if err != nil {
				p.problem = fmt.Errorf("a frame names %q, which is not hexadecimal", word)
			}
			p.rolledBack = append(p.rolledBack, rolledBack{name: string(name), by: p.changes[p.running].id})
		}
	case len(f) == 3 && f[0] == "K":
		n, d := p.index(f[1]), p.index(f[2])
		if n >= 0 && d >= 0 {
			p.r.Skip(p.changes[n].id, p.changes[d].id+" was not done")
		}
	default:
		p.problem = fmt.Errorf("an unknown frame %q", h)
	}
}

// failure returns the error of a change by the exit status of its script.
func (p *applyParser) failure(n int, status string) error {
	if status == "0" {
		return nil
	}
	text := strings.TrimSpace(p.masker.Mask(string(p.last)))
	err := fmt.Errorf("exit status %s", status)
	if text != "" {
		err = fmt.Errorf("exit status %s: %s", status, text)
	}
	return &lab.Error{Op: "make change", Target: p.target, Path: p.changes[n].resource.ID(), Hint: "mend the cause and run it again: it goes on from here", Err: err}
}

func (p *applyParser) data(b []byte) {
	if p.running < 0 {
		return
	}
	p.last = append(p.last, b...)
	if len(p.last) > 2*maxLastLines {
		p.last = append([]byte("..."), p.last[len(p.last)-maxLastLines:]...)
	}
	p.line = append(p.line, b...)
	for {
		line, rest, ok := bytes.Cut(p.line, []byte{'\n'})
		if !ok {
			break
		}
		p.line = line
		p.flushLine()
		p.line = append([]byte(nil), rest...)
	}
	if len(p.line) > maxContent {
		p.flushLine()
	}
}

func (p *applyParser) flushLine() {
	if len(p.line) > 0 && p.running >= 0 {
		p.r.Output(p.changes[p.running].id, p.masker.Mask(string(p.line)))
	}
	p.line = nil
}

// payloads reads the payloads of the changes one after the other, in the order in which the script takes them. The files are opened when
// their turn comes.
type payloads struct {
	rest    []*Payload
	current io.ReadCloser
	left    int64
}

func (p *payloads) Read(b []byte) (int, error) {
	for p.left == 0 {
		if p.current != nil {
			_ = p.current.Close() // it was only read
			p.current = nil
		}
		if len(p.rest) == 0 {
			return 0, io.EOF
		}
		r, err := p.rest[0].open()
		if err != nil {
			return 0, err
		}
		p.current, p.left, p.rest = r, p.rest[0].Size, p.rest[1:]
	}
	if int64(len(b)) > p.left {
		b = b[:p.left]
	}
	n, err := p.current.Read(b)
	p.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 && p.left > 0 {
			// The script waits for bytes that are not there. Zeros in their place keep the stream in step; the checksum then refuses the file.
			n = len(b)
			clear(b)
			p.left -= int64(n)
		}
	}
	return n, err
}

// applyChanges makes the changes by one exec. It returns the IDs of those that were done, and what was rolled back.
func (m *Machine) applyChanges(ctx context.Context, changes []change, masker *lab.Masker, r *lab.Recorder) ([]string, []rolledBack, error) {
	if len(changes) == 0 {
		return nil, nil, nil
	}
	p := &applyParser{target: m.name(), changes: changes, r: r, masker: masker, begun: map[int]bool{}, running: -1}
	nonce := newNonce()
	frames := &frameParser{nonce: nonce, header: p.header, data: p.data, ended: p.flushLine}
	in := &payloads{}
	for _, c := range changes {
		if c.op.Payload != nil {
			in.rest = append(in.rest, c.op.Payload)
		}
	}
	var stderr tail
	res, err := m.run(ctx, ssh.Command{Script: applyScript(nonce, changes), Stdin: in, Stdout: frames, Stderr: &stderr, Root: true, Lock: true})
	_ = frames.Close() // it only passes on what is left
	p.flushLine()
	fail := func(err error) ([]string, []rolledBack, error) {
		return p.done, p.rolledBack, &lab.Error{Op: "apply plan", Target: m.name(), Hint: "run it again: it goes on from here", Err: err}
	}
	switch {
	case err != nil:
		return p.done, p.rolledBack, err
	case p.problem != nil:
		return fail(p.problem)
	case !p.ended || res.Exit != 0:
		return fail(fmt.Errorf("%w: the script ended early, exit status %d: %s", lab.ErrDrift, res.Exit, masker.Mask(stderr.String())))
	}
	return p.done, p.rolledBack, nil
}

// tail keeps the last bytes that were written to it.
type tail struct{ b []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	if len(t.b) > 2*maxLastLines {
		t.b = append(t.b[:0], t.b[len(t.b)-maxLastLines:]...)
	}
	return len(b), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.b)) }
