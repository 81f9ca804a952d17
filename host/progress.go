package host

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// applyParser passes the frames of applyScript on to a recorder as they arrive.
type applyParser struct {
	target  string
	changes []change
	r       *lab.Recorder
	masker  *lab.Masker

	begun      map[int]bool
	done       []string // IDs
	rolledBack []rolledBack
	ended      bool
	last       tail   // the end of the running change's output
	line       []byte // its current line
	running    int    // index of the running change; -1 if none runs
	problem    error
}

// rolledBack is a change that another one rolled back, see [RolledBack].
type rolledBack struct{ name, by string }

// means reports whether the name is that of the change or its resource.
func (b rolledBack) means(c change) bool {
	return c.resource.ID() == b.name || c.op.Name != "" && c.resource.ID()+"/"+c.op.Name == b.name
}

// index returns the index of a change in a frame, -1 if it is out of range.
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
			p.running, p.last = n, tail{masker: p.masker}
			if !p.begun[n] {
				p.begun[n] = true
				p.r.Start(p.changes[n].id)
			}
		}
	case len(f) == 1 && f[0] == "C":
		p.last = tail{masker: p.masker}
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

// failure returns the error of change n, whose script ended with the exit status; nil for 0.
func (p *applyParser) failure(n int, status string) error {
	if status == "0" {
		return nil
	}
	err := fmt.Errorf("exit status %s", status)
	if text := p.last.String(); text != "" {
		err = fmt.Errorf("exit status %s: %s", status, text)
	}
	return &lab.Error{Op: "make change", Target: p.target, Path: p.changes[n].resource.ID(),
		Hint: "fix the cause and run it again: it continues from here", Err: err}
}

func (p *applyParser) data(b []byte) {
	if p.running < 0 {
		return
	}
	_, _ = p.last.Write(b) // it has no errors
	p.line = append(p.line, b...)
	rest := p.line
	for {
		line, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			break
		}
		p.print(p.masker.Mask(string(line)))
		rest = after
	}
	p.line = append(p.line[:0], rest...)
	if len(p.line) > maxRaw {
		masked, rest := p.masker.Split(string(p.line))
		p.print(masked)
		p.line = []byte(rest)
	}
}

// flushLine ends the current line.
func (p *applyParser) flushLine() {
	p.print(p.masker.Mask(string(p.line)))
	p.line = nil
}

// print passes on output of the running change.
func (p *applyParser) print(masked string) {
	if masked != "" && p.running >= 0 {
		p.r.Output(p.changes[p.running].id, masked)
	}
}
