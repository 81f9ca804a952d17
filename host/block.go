package host

import (
	"cmp"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Block is a sequence of lines, between two marker lines, in a file that others edit too. They end as the
// other lines of the file do. If a block of this name occurs more than once, the first is kept. A marker
// without the other one is removed, and the lines after it stay.
type Block struct {
	Order `yaml:",inline"`

	Path    string `yaml:"path,required"` // absolute
	Name    string `yaml:"name,required"` // distinguishes the blocks of a file; part of the markers
	Content string `yaml:"content"`       // the lines
	Comment string `yaml:"comment"`       // start of a comment in the file; empty means "#"
	Absent  bool   `yaml:"absent"`        // the block must not exist

	InsertAfter  string `yaml:"insertAfter"`  // as in [Line]
	InsertBefore string `yaml:"insertBefore"` // as in [Line]
	Create       bool   `yaml:"create"`       // as in [Line]
	Mode         Mode   `yaml:"mode"`         // as in [Line]
	Owner        string `yaml:"owner"`        // as in [Line]
	Group        string `yaml:"group"`        // as in [Line]
	ValidateWith string `yaml:"validate"`     // as in [File]
}

// ID returns "block:PATH:NAME".
func (b Block) ID() string { return "block:" + b.Path + ":" + b.Name }

// Validate implements [Resource].
func (b Block) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", b.Path)
	compile(&ps, "insertAfter", b.InsertAfter)
	compile(&ps, "insertBefore", b.InsertBefore)
	checkValidate(&ps, b.ValidateWith)
	checkMode(&ps, b.Mode)
	checkOwner(&ps, "owner", b.Owner)
	checkOwner(&ps, "group", b.Group)
	if !b.Absent {
		checkSudoers(&ps, b.Path, b.Mode, b.Owner)
	}
	if strings.TrimSpace(b.Name) != b.Name || b.Name == "" || strings.ContainsAny(b.Name, "\r\n\x00") {
		ps = append(ps, lab.Problem{Path: "name", Text: b.Name,
			Message: "is empty, contains a newline, or begins or ends with a blank"})
	}
	if strings.TrimLeft(b.Comment, " \t") != b.Comment || strings.ContainsAny(b.Comment, "\r\n\x00") {
		ps = append(ps, lab.Problem{Path: "comment", Text: b.Comment,
			Message: "contains a newline, or begins with a blank"})
	}
	for line := range strings.Lines(b.Content) {
		if b.isMarker(line) {
			ps.Add("content", "contains a marker of a block")
		}
	}
	if b.InsertAfter != "" && b.InsertBefore != "" {
		ps.Add("insertBefore", "excludes insertAfter")
	}
	return ps
}

func (b Block) markers() (begin, end string) {
	c := cmp.Or(b.Comment, "#")
	return c + " BEGIN lab " + b.Name, c + " END lab " + b.Name
}

// Relations implements [Related].
func (b Block) Relations() Relations {
	return Relations{
		Provides: editTokens(b.Path),
		Needs:    editNeeds(b.Path, b.Owner, b.Group),
		Claims:   []Claim{{Path: b.Path, Part: true}},
		Files:    []string{b.Path},
	}
}

// Fingerprint implements [Fingerprinter].
func (b Block) Fingerprint() string { return fmt.Sprintf("block %q %t", b.Content, b.Absent) }

// Observe implements [Resource].
func (b Block) Observe(q *Query) { q.Content(b.Path) }

// Plan implements [Resource].
func (b Block) Plan(o *Observation) ([]Op, error) {
	have, _ := o.Content(b.Path)
	_, stray := b.find(splitKeep(strings.TrimPrefix(string(have), byteOrderMark)))
	if b.Absent && len(stray) > 0 {
		return nil, &lab.Error{Op: "remove block", Hint: "remove its lines and its marker by hand",
			Err: fmt.Errorf("%w: line %d is a marker of the block without the other one: its lines cannot be told from others",
				lab.ErrConflict, stray[0]+1)}
	}
	e := edit{b.Path, b.Create && !b.Absent, b.Mode, b.Owner, b.Group, b.ValidateWith}
	return e.plan(o, b.change)
}

// find returns the first and the last line of each block of this name, and the markers of its name that
// belong to none. A block ends before the next marker of any block: where the own end marker is missing,
// its lines cannot be told from those of others.
func (b Block) find(lines []string) (whole [][2]int, stray []int) {
	begin, end := b.markers()
	from := -1
	for i, l := range lines {
		switch l = strings.TrimRight(l, " \t\r\n"); {
		case l == end && from >= 0:
			whole, from = append(whole, [2]int{from, i}), -1
		case l == end:
			stray = append(stray, i)
		case b.isMarker(l):
			if from >= 0 {
				stray = append(stray, from)
			}
			from = -1
			if l == begin {
				from = i
			}
		}
	}
	if from >= 0 {
		stray = append(stray, from)
	}
	return whole, stray
}

// isMarker reports whether the line is a marker of this or another block with the same comment.
func (b Block) isMarker(line string) bool {
	begin, end := (Block{Comment: b.Comment}).markers()
	return strings.HasPrefix(line, begin) || strings.HasPrefix(line, end)
}

// change returns the lines with the block in them, in place of the first of its name, or without any.
// Where one of the markers is missing, only the other one is removed.
func (b Block) change(lines []string) []string {
	end := lineEnd(lines)
	whole, stray := b.find(lines)
	gone := map[int]bool{}
	for _, i := range stray {
		gone[i] = true
	}
	for _, w := range whole {
		for i := w[0]; i <= w[1]; i++ {
			gone[i] = true
		}
	}
	var out []string
	for i, l := range lines {
		if len(whole) > 0 && i == whole[0][0] && !b.Absent {
			out = insertText(out, len(out), end, b.lines()...)
			if !strings.HasSuffix(lines[whole[0][1]], "\n") {
				out[len(out)-1] = strings.TrimSuffix(out[len(out)-1], end) // the block ends the file, without a newline
			}
		}
		if !gone[i] {
			out = append(out, l)
		}
	}
	if len(whole) == 0 && !b.Absent {
		return insertText(out, place(out, compile(nil, "", b.InsertAfter), compile(nil, "", b.InsertBefore)), end, b.lines()...)
	}
	return out
}

// lines returns the lines of the block, without their ends.
func (b Block) lines() []string {
	begin, end := b.markers()
	out := []string{begin}
	for _, l := range splitKeep(b.Content) {
		out = append(out, lineText(l))
	}
	return append(out, end)
}
