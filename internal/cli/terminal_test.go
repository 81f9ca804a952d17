package cli

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// terminal is a terminal as most are today: it wraps what is too long when the next rune comes, scrolls,
// and wraps its lines anew when it is resized. It knows the sequences that [screen] writes and no others.
type terminal struct {
	t             *testing.T
	columns, high int
	rows          []row // all that there ever were; the screen is the last of them
	at, column    int   // the cursor: an index of rows, and a column
}

// row is a row of the terminal. A cell is a rune with what combines with it; the second cell of a wide
// one is empty.
type row struct {
	cells   []string
	wrapped bool // it goes on in the next row
}

func newTerminal(t *testing.T, columns, high int) *terminal {
	return &terminal{t: t, columns: columns, high: high, rows: []row{{}}}
}

func (m *terminal) size() (int, int) { return m.columns, m.high }

// Write implements [io.Writer].
func (m *terminal) Write(b []byte) (int, error) {
	for s := string(b); s != ""; {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			m.control(rest[:end], rest[end])
			s = rest[end+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		m.print(r)
		s = s[n:]
	}
	return len(b), nil
}

func (m *terminal) control(argument string, final byte) {
	n := 1
	fmt.Sscan(argument, &n)
	switch final {
	case 'm':
	case 'A':
		m.at = max(m.at-n, len(m.rows)-m.high, 0)
	case 'J':
		m.rows = m.rows[:m.at+1]
		last := &m.rows[m.at]
		last.cells, last.wrapped = last.cells[:min(m.column, len(last.cells))], false
	default:
		m.t.Errorf("an unknown sequence %q%c", argument, final)
	}
}

func (m *terminal) print(r rune) {
	n := cells(r)
	switch {
	case r == '\r':
		m.column = 0
	case r == '\n':
		m.down()
	case n == 0:
		if c := m.rows[m.at].cells; len(c) > 0 {
			c[len(c)-1] += string(r)
		}
	default:
		if m.column+n > m.columns {
			m.rows[m.at].wrapped = true
			m.down()
		}
		c := &m.rows[m.at].cells
		*c = append((*c)[:min(m.column, len(*c))], string(r))
		if n == 2 {
			*c = append(*c, "")
		}
		m.column += n
	}
}

func (m *terminal) down() {
	m.at, m.column = m.at+1, 0
	if m.at == len(m.rows) {
		m.rows = append(m.rows, row{})
	}
}

// resize wraps the lines anew; the cursor stays at the character that it was at, at the end.
func (m *terminal) resize(columns, high int) {
	lines, rest := m.lines(), strings.Join(m.rows[len(m.rows)-1].cells, "")
	m.columns, m.high, m.rows, m.at, m.column = columns, high, []row{{}}, 0, 0
	for _, l := range lines[:len(lines)-1] {
		_, _ = m.Write([]byte(l + "\n"))
	}
	_, _ = m.Write([]byte(rest))
}

// lines returns all lines that there ever were.
func (m *terminal) lines() []string {
	lines := []string{""}
	for _, r := range m.rows {
		lines[len(lines)-1] += strings.Join(r.cells, "")
		if !r.wrapped {
			lines = append(lines, "")
		}
	}
	return lines[:len(lines)-1]
}

// text returns everything that is on the terminal, with what has scrolled away.
func (m *terminal) text() string { return strings.Join(m.lines(), "\n") }
