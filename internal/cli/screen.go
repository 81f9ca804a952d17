package cli

import (
	"fmt"
	"io"
	"strings"
)

// screen is what is written to: permanent text and, on a terminal, live lines below it, which the
// next write replaces.
type screen struct {
	out  io.Writer
	size func() (columns, rows int) // of the terminal; nil means that there is none, and no live lines

	drawn   []string // the live lines that are on the terminal
	partial bool     // the permanent text does not end with a line break: no live lines can follow
}

// write adds permanent text and replaces the live lines, in one write, so that nothing flickers.
func (s *screen) write(text string, live []string) {
	var b strings.Builder
	b.WriteString(s.erase())
	b.WriteString(text)
	if text != "" {
		s.partial = !strings.HasSuffix(text, "\n")
	}
	if s.size != nil && !s.partial {
		for _, line := range live {
			b.WriteString(line + "\n")
		}
		s.drawn = live
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(s.out, b.String()) // [Output] stops the program
	}
}

// erase returns what removes the live lines: to the first column, since a terminal echoes ^C, up by
// the rows that they take now, since it may have been resized, and erase to its end (ECMA-48 CUU, ED).
func (s *screen) erase() string {
	if len(s.drawn) == 0 {
		return ""
	}
	columns, height := s.size()
	rows := 0
	for _, line := range s.drawn {
		rows += rowsOf(line, columns)
	}
	s.drawn = nil
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", min(rows, max(height-1, 1)))
}
