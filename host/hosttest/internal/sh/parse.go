package sh

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// parsed is a script and, when its end is not sh, what is wrong with it.
type parsed struct {
	stmts []*syntax.Stmt
	err   error
	line  int
}

// parseCache keeps scripts that many machines run: an engine sends the same text to all of them.
type parseCache struct {
	mu sync.Mutex
	m  map[string]*parsed
}

var scripts parseCache

const (
	parseCacheMin = 32
	parseCacheMax = 512
)

func (c *parseCache) parse(src string) *parsed {
	if len(src) < parseCacheMin {
		return parse(src)
	}
	c.mu.Lock()
	p := c.m[src]
	c.mu.Unlock()
	if p != nil {
		return p
	}
	p = parse(src)
	c.mu.Lock()
	if c.m == nil || len(c.m) >= parseCacheMax {
		c.m = map[string]*parsed{}
	}
	c.m[src] = p
	c.mu.Unlock()
	return p
}

func parse(src string) *parsed {
	p := &parsed{}
	raw := !utf8.ValidString(src)
	if raw {
		src = hideBytes(src)
	}
	for st, err := range syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).StmtsSeq(strings.NewReader(src)) {
		if err == nil {
			p.stmts = append(p.stmts, st)
			continue
		}
		if p.err == nil {
			p.err, p.line = err, 1
			var pe syntax.ParseError
			if errors.As(err, &pe) {
				p.line = int(pe.Pos.Line())
				p.err = errors.New(pe.Text)
			}
		}
	}
	if raw {
		for _, st := range p.stmts {
			syntax.Walk(st, func(n syntax.Node) bool {
				switch n := n.(type) {
				case *syntax.Lit:
					n.Value = showBytes(n.Value)
				case *syntax.SglQuoted:
					n.Value = showBytes(n.Value)
				}
				return true
			})
		}
	}
	if p.err != nil {
		// The shell reads, parses and runs line by line: what shares a line with the error does not run.
		for n := len(p.stmts); n > 0; n = len(p.stmts) {
			end := int(p.stmts[n-1].End().Offset())
			rest, _, more := strings.Cut(src[min(end, len(src)):], "\n")
			if more && strings.Trim(rest, " \t;") == "" {
				break
			}
			p.stmts = p.stmts[:n-1]
		}
	}
	return p
}

// hiddenBytes is where the parser sees the bytes that are not UTF-8: a plane of private use.
const hiddenBytes = 0x10ff00

// hideBytes makes a script valid UTF-8, which the parser insists on and a shell does not.
func hideBytes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && w == 1 {
			b.WriteRune(hiddenBytes + rune(s[i]))
		} else {
			b.WriteString(s[i : i+w])
		}
		i += w
	}
	return b.String()
}

func showBytes(s string) string {
	if !strings.Contains(s, "\xf4\x8f") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, w := utf8.DecodeRuneInString(s[i:])
		if r >= hiddenBytes && r < hiddenBytes+256 {
			b.WriteByte(byte(r - hiddenBytes))
		} else {
			b.WriteString(s[i : i+w])
		}
		i += w
	}
	return b.String()
}
