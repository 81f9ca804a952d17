package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Line is one line in a file that others edit too.
type Line struct {
	Order `yaml:",inline"`

	Path   string `yaml:"path,required"` // absolute
	Line   string `yaml:"line"`          // the whole line, without newline; may be empty only if absent is set
	Match  string `yaml:"match"`         // regular expression (RE2): the last matching line is replaced; empty means the line itself
	Absent bool   `yaml:"absent"`        // no line may match

	InsertAfter  string `yaml:"insertAfter"`  // a new line is inserted after the last match of this regular expression; empty means the end
	InsertBefore string `yaml:"insertBefore"` // or before the last match of this one
	Create       bool   `yaml:"create"`       // create the file if it does not exist; otherwise that is an error
	Mode         Mode   `yaml:"mode"`         // of a created file; 0 means 0644
	Owner        string `yaml:"owner"`        // of a created file; empty means root
	Group        string `yaml:"group"`        // of a created file; empty means root
	ValidateWith string `yaml:"validate"`     // as in [File]
}

// ID returns "line:PATH:MATCH", or "line:PATH:LINE" if Match is empty.
func (l Line) ID() string {
	if l.Match != "" {
		return "line:" + l.Path + ":" + l.Match
	}
	return "line:" + l.Path + ":" + l.Line
}

// Validate implements [Resource].
func (l Line) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", l.Path)
	re := compile(&ps, "match", l.Match)
	compile(&ps, "insertAfter", l.InsertAfter)
	compile(&ps, "insertBefore", l.InsertBefore)
	checkValidate(&ps, l.ValidateWith)
	checkMode(&ps, l.Mode)
	checkOwner(&ps, "owner", l.Owner)
	checkOwner(&ps, "group", l.Group)
	if !l.Absent {
		checkSudoers(&ps, l.Path, l.Mode, l.Owner)
	}
	if strings.ContainsAny(l.Line, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "line", Text: l.Line, Message: "is more than one line, or contains a NUL byte",
			Hint: "use a block"})
	}
	if strings.HasSuffix(l.Line, "\r") {
		ps = append(ps, lab.Problem{Path: "line", Text: l.Line, Message: "ends with a carriage return",
			Hint: "remove it: the line ends as the others of its file do"})
	}
	switch {
	case l.Absent && l.Line == "" && l.Match == "":
		ps.Add("match", "line or match is required")
	case !l.Absent && l.Line == "":
		ps.Add("line", "is empty")
	case !l.Absent && re != nil && !re.MatchString(l.Line):
		ps = append(ps, lab.Problem{Path: "match", Text: l.Match,
			Message: "does not match the line itself, which would be added at every run",
			Hint:    "use an expression that matches the line"})
	}
	if l.InsertAfter != "" && l.InsertBefore != "" {
		ps.Add("insertBefore", "excludes insertAfter")
	}
	return ps
}

// Relations implements [Related].
func (l Line) Relations() Relations {
	return Relations{
		Provides: editTokens(l.Path),
		Needs:    editNeeds(l.Path, l.Owner, l.Group),
		Claims:   []Claim{{Path: l.Path, Part: true}},
		Files:    []string{l.Path},
	}
}

// Fingerprint implements [Fingerprinter].
func (l Line) Fingerprint() string {
	return fmt.Sprintf("line %q %q %t", l.Line, l.Match, l.Absent)
}

// Observe implements [Resource].
func (l Line) Observe(q *Query) { q.Content(l.Path) }

// Plan implements [Resource].
func (l Line) Plan(o *Observation) ([]Op, error) {
	e := edit{l.Path, l.Create && !l.Absent, l.Mode, l.Owner, l.Group, l.ValidateWith}
	return e.plan(o, l.change)
}

// change returns the lines with the line in them, or without it. The ends of lines are not part of them:
// what is added ends as the other lines do.
func (l Line) change(lines []string) []string {
	re, end := compile(nil, "", l.Match), lineEnd(lines)
	is := func(line string) bool {
		if re != nil {
			return re.MatchString(lineText(line))
		}
		return lineText(line) == l.Line
	}
	if l.Absent {
		return slices.DeleteFunc(slices.Clone(lines), is)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if is(lines[i]) {
			out := slices.Clone(lines)
			out[i] = replaced(lines[i], l.Line, end)
			return out
		}
	}
	return insertText(lines, place(lines, compile(nil, "", l.InsertAfter), compile(nil, "", l.InsertBefore)), end, l.Line)
}
