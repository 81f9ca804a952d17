package utillinux

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A column of a sheet.
type column struct {
	name  string
	right bool
	kind  byte // how JSON shows it: 0 a string, 'n' a number, 'b' a boolean, 'a' an array
}

// A sheet is a table as the tools of util-linux print it (libsmartcols).
type sheet struct {
	name string // of the array in JSON
	cols []column
	rows []*sheetRow
	tree int // the column that shows the tree; < 0 for none
}

// A sheetRow has one cell a column; a cell of several lines holds newlines.
type sheetRow struct {
	cells []string
	kids  []*sheetRow
}

// pickColumns finds the columns of a -o list. A leading "+" adds to the default.
func pickColumns(p *kernel.Process, all []column, list []string, def string) ([]column, bool) {
	names := def
	for _, l := range list {
		if more, ok := strings.CutPrefix(l, "+"); ok {
			names += "," + more
		} else {
			names = l
		}
	}
	var out []column
	for n := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(c column) bool { return strings.EqualFold(c.name, n) })
		if i < 0 {
			p.Errorf("unknown column: %s", n)
			return nil, false
		}
		out = append(out, all[i])
	}
	return out, true
}

// print prints the sheet in the form that the options of lsblk and findmnt ask for.
func (s *sheet) print(p *kernel.Process, o *libc.Options) {
	switch head := !o.Has("n"); {
	case o.Has("J"):
		s.json(p)
	case o.Has("P"):
		s.pairs(p)
	case o.Has("r"):
		s.raw(p, head)
	default:
		s.table(p, head)
	}
}

// flat marks the rows with their place in the tree, and returns them in order.
func (s *sheet) flat(unicode bool) []*sheetRow {
	more, last, down, gap := "|-", "`-", "| ", "  "
	if unicode {
		more, last, down = "├─", "└─", "│ "
	}
	var out []*sheetRow
	var walk func(r *sheetRow, mark, below string)
	walk = func(r *sheetRow, mark, below string) {
		c := &sheetRow{cells: slices.Clone(r.cells)}
		if s.tree >= 0 {
			c.cells[s.tree] = mark + c.cells[s.tree]
		}
		out = append(out, c)
		for i, k := range r.kids {
			if i == len(r.kids)-1 {
				walk(k, below+last, below+gap)
			} else {
				walk(k, below+more, below+down)
			}
		}
	}
	for _, r := range s.rows {
		walk(r, "", "")
	}
	return out
}

// table prints columns that are padded.
func (s *sheet) table(p *kernel.Process, head bool) {
	rows := s.flat(libc.UTF8(p))
	if len(rows) == 0 {
		return
	}
	width := make([]int, len(s.cols))
	for i, c := range s.cols {
		width[i] = len(c.name) // also when it is not shown, as libsmartcols does
		for _, r := range rows {
			for l := range strings.SplitSeq(r.cells[i], "\n") {
				width[i] = max(width[i], utf8.RuneCountInString(l))
			}
		}
	}
	line := func(cells []string) {
		for i, v := range cells {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(v))
			switch {
			case s.cols[i].right:
				p.Print(pad, v)
			case i == len(cells)-1:
				p.Print(v)
			default:
				p.Print(v, pad)
			}
			if i < len(cells)-1 {
				p.Print(" ")
			}
		}
		p.Print("\n")
	}
	if head {
		h := make([]string, len(s.cols))
		for i, c := range s.cols {
			h[i] = c.name
		}
		line(h)
	}
	for _, r := range rows {
		lines := 1
		for _, v := range r.cells {
			lines = max(lines, strings.Count(v, "\n")+1)
		}
		for n := range lines {
			part := make([]string, len(r.cells))
			for i, v := range r.cells {
				if ls := strings.Split(v, "\n"); n < len(ls) {
					part[i] = ls[n]
				}
			}
			line(part)
		}
	}
}

// blankless writes what would split a word as \xNN.
func blankless(v string, quotes bool) string {
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		if !quotes && c == ' ' || c < ' ' || c == 0x7f || c == '\\' || quotes && strings.IndexByte("\"$`", c) >= 0 {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// raw prints words with one space between.
func (s *sheet) raw(p *kernel.Process, head bool) {
	s.tree = -1
	rows := s.flat(false)
	if len(rows) == 0 {
		return
	}
	if head {
		h := &sheetRow{}
		for _, c := range s.cols {
			h.cells = append(h.cells, c.name)
		}
		rows = append([]*sheetRow{h}, rows...)
	}
	for _, r := range rows {
		for i, v := range r.cells {
			if i > 0 {
				p.Print(" ")
			}
			p.Print(blankless(v, false))
		}
		p.Print("\n")
	}
}

// pairs prints NAME="value".
func (s *sheet) pairs(p *kernel.Process) {
	s.tree = -1
	for _, r := range s.flat(false) {
		for i, v := range r.cells {
			if i > 0 {
				p.Print(" ")
			}
			p.Print(s.cols[i].name, `="`, blankless(v, true), `"`)
		}
		p.Print("\n")
	}
}

// json prints an object with one array.
func (s *sheet) json(p *kernel.Process) {
	var rows func(list []*sheetRow, indent string)
	str := func(v string) string {
		b := &strings.Builder{}
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // a string encodes
		return strings.TrimSuffix(b.String(), "\n")
	}
	rows = func(list []*sheetRow, indent string) {
		if len(list) == 0 {
			p.Print("\n\n")
			return
		}
		p.Print("\n", indent)
		for i, r := range list {
			if i > 0 {
				p.Print(",")
			}
			p.Print("{\n")
			for j, v := range r.cells {
				p.Print(indent, "   ", strconv.Quote(strings.ToLower(s.cols[j].name)), ": ")
				switch k := s.cols[j].kind; {
				case k == 'a':
					p.Print("[\n", indent, "       ")
					for n, l := range strings.Split(v, "\n") {
						if n > 0 {
							p.Print(",")
						}
						if l == "" {
							p.Print("null")
						} else {
							p.Print(str(l))
						}
					}
					p.Print("\n", indent, "   ]")
				case k == 'b':
					p.Print(strconv.FormatBool(v == "1"))
				case v == "":
					p.Print("null")
				case k == 'n':
					p.Print(v)
				default:
					p.Print(str(v))
				}
				if j < len(r.cells)-1 || len(r.kids) > 0 {
					p.Print(",")
				}
				p.Print("\n")
			}
			if len(r.kids) > 0 {
				p.Print(indent, `   "children": [`)
				rows(r.kids, indent+"      ")
				p.Print(indent, "   ]\n")
			}
			p.Print(indent, "}")
		}
		p.Print("\n")
	}
	p.Print("{\n   ", strconv.Quote(s.name), ": [")
	rows(s.rows, "      ")
	p.Print("   ]\n}\n")
}

// humanSize writes a size as lsblk does: powers of 1024 with at most one decimal.
func humanSize(n int64) string {
	const units = "BKMGTPE"
	exp := 0
	for v := n; v >= 1024 && exp < len(units)-1; v /= 1024 {
		exp++
	}
	unit := int64(1) << (10 * exp)
	whole, frac := n/unit, n%unit
	if frac != 0 {
		// Rounded to one decimal, half up, as size_to_human_string of util-linux does.
		tenth := (frac*1000/unit + 50) / 100
		if exp == 0 {
			tenth = 0
		}
		if tenth == 10 {
			whole, tenth = whole+1, 0
		}
		if tenth > 0 {
			return fmt.Sprintf("%d.%d%c", whole, tenth, units[exp])
		}
	}
	return fmt.Sprintf("%d%c", whole, units[exp])
}
