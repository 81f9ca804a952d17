package host

import (
	"cmp"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Block is a sequence of lines, between two marker lines, in a file that others edit too.
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
	if b.Name == "" || strings.ContainsAny(b.Name, "\n\x00") {
		ps.Add("name", "is empty or contains a newline")
	}
	if strings.ContainsAny(b.Comment, "\n\x00") {
		ps.Add("comment", "contains a newline")
	}
	begin, end := b.markers()
	for line := range strings.Lines(b.Content) {
		if line = strings.TrimSuffix(line, "\n"); line == begin || line == end {
			ps.Add("content", "contains a marker of the block itself")
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

// Claims implements [Claimer].
func (b Block) Claims() []Claim { return []Claim{{Path: b.Path, Part: true}} }

// Files implements [Watched].
func (b Block) Files() []string { return []string{b.Path} }

// Provides implements [Provider].
func (b Block) Provides() []string { return []string{"path:" + b.Path} }

// Needs implements [Needer].
func (b Block) Needs() []string { return append(accountNeeds(b.Owner, b.Group), "path:"+b.Path) }

// Fingerprint implements [Fingerprinter].
func (b Block) Fingerprint() string { return fmt.Sprintf("block %q %t", b.Content, b.Absent) }

// Observe implements [Resource].
func (b Block) Observe(q *Query) { q.Content(b.Path) }

// Plan implements [Resource].
func (b Block) Plan(o *Observation) ([]Op, error) {
	e := edit{b.Path, b.Create && !b.Absent, b.Mode, b.Owner, b.Group, b.ValidateWith}
	return e.plan(o, b.change)
}

// change returns the lines with the block in them, or without it.
func (b Block) change(lines []string) []string {
	begin, end := b.markers()
	from, to := -1, -1
	for i, l := range lines {
		switch l = strings.TrimSuffix(l, "\n"); {
		case l == begin && from < 0:
			from = i
		case l == end && from >= 0 && to < 0:
			to = i
		}
	}
	var block []string
	if !b.Absent {
		content := b.Content
		if content != "" && !strings.HasSuffix(content, "\n") {
			content += "\n"
		}
		block = append(append([]string{begin + "\n"}, splitKeep(content)...), end+"\n")
	}
	if from >= 0 && to >= 0 {
		if !b.Absent && strings.Join(lines[from:to+1], "") == strings.TrimSuffix(strings.Join(block, ""), "\n") {
			return lines // the block ends the file, without a newline
		}
		out := append([]string(nil), lines[:from]...)
		out = append(out, block...)
		return append(out, lines[to+1:]...)
	}
	if b.Absent {
		return lines
	}
	if from >= 0 {
		// The end marker is missing. The lines of the block cannot be told from others, so only the
		// marker is removed.
		lines = append(append([]string(nil), lines[:from]...), lines[from+1:]...)
	}
	return insert(lines, place(lines, compile(nil, "", b.InsertAfter), compile(nil, "", b.InsertBefore)), block...)
}
