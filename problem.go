package lab

import (
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing that is wrong with an input.
type Problem struct {
	File    string  `json:"file,omitempty"`   // empty if the input is not a file
	Line    int     `json:"line,omitempty"`   // counted from 1; 0 if unknown
	Column  int     `json:"column,omitempty"` // counted from 1; 0 if unknown
	Path    string  `json:"path,omitempty"`   // the field: "machines[2].address"; empty if it is the whole
	Text    string  `json:"text,omitempty"`   // the offending text; empty if there is none, or if it may be a secret
	Message string  `json:"message"`          // what is wrong
	Hint    string  `json:"hint,omitempty"`   // what to write instead; empty if there is nothing to suggest
	Set     Setting `json:"-"`                // what Hint asks to set; the zero value if nothing
}

// String returns "file:line:column: path: message: text (hint)", without the parts that are empty.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, "%d:", p.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if p.Path != "" {
		b.WriteString(Printable(p.Path) + ": ")
	}
	b.WriteString(p.Message)
	if p.Text != "" {
		fmt.Fprintf(&b, ": %s", Printable(p.Text))
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, " (%s)", p.Hint)
	}
	return b.String()
}

// Problems is everything that is wrong with an input, as one error. It is an [ErrInvalid].
type Problems []Problem

// Error returns the problems, one per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns [ErrInvalid].
func (ps Problems) Unwrap() error { return ErrInvalid }

// Err returns the problems as an error, sorted by file, line and column, or nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	sorted := append(Problems(nil), ps...)
	sort.SliceStable(sorted, func(i, j int) bool {
		a, b := sorted[i], sorted[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return sorted
}

// Add appends a problem with the field at path; format and args are those of [fmt.Sprintf].
func (ps *Problems) Add(path, format string, args ...any) {
	*ps = append(*ps, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// AddError adds a problem at path that is an error, with its hints.
func (ps *Problems) AddError(path string, err error) {
	*ps = append(*ps, Problem{Path: path, Message: err.Error(), Hint: strings.Join(Hints(err), "; ")})
}

// Under returns the problems with prefix in front of each path, for a spec that contains other specs.
func (ps Problems) Under(prefix string) Problems {
	out := make(Problems, len(ps))
	for i, p := range ps {
		switch {
		case p.Path == "":
			p.Path = prefix
		case strings.HasPrefix(p.Path, "["):
			p.Path = prefix + p.Path
		default:
			p.Path = prefix + "." + p.Path
		}
		out[i] = p
	}
	return out
}

// Nearest returns the candidate that was most likely meant by word, or "" if none is near. A
// candidate is near if no more than a third of the letters of the longer word differ, regardless of
// case, or if only one does; two letters that are swapped count as one. Of equally near candidates
// it returns the first in alphabetical order.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", -1
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if d > max(len(word), len(c))/3 && d > 1 {
			continue
		}
		if d >= max(len(word), len(c)) {
			continue
		}
		if bestDistance < 0 || d < bestDistance || d == bestDistance && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance returns how many bytes must be inserted, removed, replaced, or swapped with the next to
// turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := row[j-1]
			if a[i-1] != b[j-1] {
				cost++
			}
			next[j] = min(cost, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
