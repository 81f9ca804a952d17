package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// edit is a change of a part of a file that others own too. The file is written whole, in one step, with its mode and owner kept, and only
// if it is still the one that was read.
type edit struct {
	path     string
	create   bool // a file that is not there is made
	mode     Mode // of a file that is made; 0 means 0644
	owner    string
	group    string
	validate string
}

// plan returns the op that turns the file into what change makes of it, nothing when that is what it is. The next edit of the same file, in
// this plan, sees the result.
func (e edit) plan(o *Observation, change func(lines []string) []string) ([]Op, error) {
	st := o.Stat(e.path)
	old, exists := o.Content(e.path)
	switch {
	case st.Type == LinkFile || st.Type == OtherFile || st.Type == DirFile:
		return nil, &lab.Error{Op: "edit file", Hint: "edit the file that it stands for", Err: fmt.Errorf("%w: it is a %s", lab.ErrConflict, st.Type)}
	case len(old) > maxContent:
		return nil, &lab.Error{Op: "edit file", Hint: "write the file whole", Err: fmt.Errorf("%w: it has more than %d KiB", lab.ErrConflict, maxContent>>10)}
	case !exists && !e.create:
		if len(change(nil)) == 0 {
			return nil, nil
		}
		if !o.late && len(o.pending) > 0 {
			return []Op{{Action: lab.Update, Cause: "the file is not there yet, an earlier change may bring it", Deferred: true}}, nil
		}
		return nil, &lab.Error{Op: "edit file", Hint: "set create: true to make it", Err: fmt.Errorf("%w: the file", lab.ErrNotFound)}
	}
	want := []byte(strings.Join(change(splitKeep(string(old))), ""))
	if exists && bytes.Equal(want, old) || !exists && len(want) == 0 {
		return nil, nil
	}
	op := Op{Action: lab.Update, Cause: "content differs", Risk: lab.RiskNone}
	mode, owner, group, before := st.Mode, st.User, st.Group, "absent"
	if exists {
		before = hexSum(old)
		if st.User == "UNKNOWN" {
			owner = fmt.Sprint(st.UID)
		}
		if st.Group == "UNKNOWN" {
			group = fmt.Sprint(st.GID)
		}
	} else {
		op.Action, op.Cause = lab.Create, "not found"
		mode, owner, group = e.mode.or(0o644), orRoot(e.owner), orRoot(e.group)
	}
	if mode.worldReadable() {
		op.Diff = lab.Diff(e.path, old, want)
	} else {
		op.Diff = addedLines(old, want)
	}
	p := &Payload{Temp: tempFor(e.path), Size: int64(len(want)), Content: want, Replaces: e.path}
	op.Payload = p
	op.Script = fmt.Sprintf("same %s %s || { rm -f -- %s; exit 1; }\n%s", ssh.Quote(e.path), before, ssh.Quote(p.Temp), put(p.Temp, e.path, mode, owner, group, sha256.Sum256(want), e.validate))
	o.project(e.path, want, Stat{Type: RegularFile, Mode: mode, User: owner, Group: group, Size: int64(len(want))})
	return []Op{op}, nil
}

// addedLines returns the lines of want that old has not, as a diff: of a file that not everybody may read, nothing else is shown.
func addedLines(old, want []byte) string {
	have := map[string]bool{}
	for _, l := range splitKeep(string(old)) {
		have[l] = true
	}
	var b strings.Builder
	for _, l := range splitKeep(string(want)) {
		if !have[l] {
			fmt.Fprintf(&b, "+%s\n", strings.TrimSuffix(l, "\n"))
		}
	}
	return b.String()
}

func hexSum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// splitKeep splits text into lines that keep their newlines; the last line may have none.
func splitKeep(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// insert puts text, whole lines, before lines[at]; at may be len(lines). A last line without a newline gets one when text comes after it.
func insert(lines []string, at int, text ...string) []string {
	out := append([]string(nil), lines[:at]...)
	if at > 0 && !strings.HasSuffix(out[at-1], "\n") {
		out[at-1] += "\n"
	}
	out = append(out, text...)
	return append(out, lines[at:]...)
}

// place returns where to insert: after the last line that matches after, else before the last that matches before, else at the end.
func place(lines []string, after, before *regexp.Regexp) int {
	for i := len(lines) - 1; i >= 0; i-- {
		l := strings.TrimSuffix(lines[i], "\n")
		if after != nil && after.MatchString(l) {
			return i + 1
		}
		if before != nil && before.MatchString(l) {
			return i
		}
	}
	return len(lines)
}

// compile compiles a regular expression and reports what is wrong with it. Empty is nil.
func compile(ps *lab.Problems, field, expr string) *regexp.Regexp {
	if expr == "" {
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil && ps != nil {
		*ps = append(*ps, lab.Problem{Path: field, Text: expr, Message: "is not a regular expression", Hint: err.Error()})
	}
	return re
}

// Line is one line in a file that others own too.
type Line struct {
	Order `yaml:",inline"`

	Path   string `yaml:"path,required"` // absolute
	Line   string `yaml:"line"`          // the whole line, without newline; empty only when absent
	Match  string `yaml:"match"`         // a regular expression (RE2): the last line that matches is the one; empty means the line itself
	Absent bool   `yaml:"absent"`        // no line may match

	InsertAfter  string `yaml:"insertAfter"`  // a line that is not there goes after the last that matches this regular expression; empty means at the end
	InsertBefore string `yaml:"insertBefore"` // or before the last that matches this one
	Create       bool   `yaml:"create"`       // a file that is not there is made; otherwise that is an error
	Mode         Mode   `yaml:"mode"`         // of a file that is made; 0 means 0644
	Owner        string `yaml:"owner"`        // of a file that is made; empty means root
	Group        string `yaml:"group"`        // of a file that is made; empty means root
	ValidateWith string `yaml:"validate"`     // as in [File]
}

// ID returns "line:PATH:MATCH", with the line where there is no match.
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
	if strings.ContainsAny(l.Line, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "line", Text: l.Line, Message: "is more than one line, or holds a NUL", Hint: "use a block"})
	}
	switch {
	case l.Absent && l.Line == "" && l.Match == "":
		ps.Add("match", "says nothing of the line that must not be there")
	case !l.Absent && l.Line == "":
		ps.Add("line", "is empty")
	case !l.Absent && re != nil && !re.MatchString(l.Line):
		ps = append(ps, lab.Problem{Path: "match", Text: l.Match, Message: "does not match the line itself, which would be added at every run", Hint: "let it match the line"})
	}
	if l.InsertAfter != "" && l.InsertBefore != "" {
		ps.Add("insertBefore", "both insertAfter and insertBefore")
	}
	return ps
}

func (l Line) provides() []string { return []string{"path:" + l.Path} }

func (l Line) needs() []string { return append(accountNeeds(l.Owner, l.Group), "path:"+l.Path) }

func (l Line) fingerprint() string {
	return fmt.Sprintf("line %q %q %t", l.Line, l.Match, l.Absent)
}

// Observe implements [Resource].
func (l Line) Observe(q *Query) { q.Content(l.Path) }

// Plan implements [Resource].
func (l Line) Plan(o *Observation) ([]Op, error) {
	e := edit{l.Path, l.Create && !l.Absent, l.Mode, l.Owner, l.Group, l.ValidateWith}
	return e.plan(o, l.change)
}

func (l Line) change(lines []string) []string {
	re := compile(nil, "", l.Match)
	is := func(text string) bool {
		text = strings.TrimSuffix(text, "\n")
		if re != nil {
			return re.MatchString(text)
		}
		return text == l.Line
	}
	if l.Absent {
		var out []string
		for _, text := range lines {
			if !is(text) {
				out = append(out, text)
			}
		}
		return out
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if is(lines[i]) {
			out := append([]string(nil), lines...)
			end := "\n"
			if !strings.HasSuffix(lines[i], "\n") {
				end = "" // a last line without a newline stays one
			}
			out[i] = l.Line + end
			return out
		}
	}
	return insert(lines, place(lines, compile(nil, "", l.InsertAfter), compile(nil, "", l.InsertBefore)), l.Line+"\n")
}

// Block is a run of lines in a file that others own too, between two marker lines.
type Block struct {
	Order `yaml:",inline"`

	Path    string `yaml:"path,required"` // absolute
	Name    string `yaml:"name,required"` // tells the blocks of a file apart; it stands in the markers
	Content string `yaml:"content"`       // the lines
	Comment string `yaml:"comment"`       // what begins a comment in the file; empty means "#"
	Absent  bool   `yaml:"absent"`        // the block must not be there

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
		ps.Add("name", "is empty, or holds a newline")
	}
	if strings.ContainsAny(b.Comment, "\n\x00") {
		ps.Add("comment", "holds a newline")
	}
	begin, end := b.markers()
	for line := range strings.Lines(b.Content) {
		if line = strings.TrimSuffix(line, "\n"); line == begin || line == end {
			ps.Add("content", "holds a marker of the block itself")
		}
	}
	if b.InsertAfter != "" && b.InsertBefore != "" {
		ps.Add("insertBefore", "both insertAfter and insertBefore")
	}
	return ps
}

func (b Block) markers() (begin, end string) {
	c := b.Comment
	if c == "" {
		c = "#"
	}
	return c + " BEGIN lab " + b.Name, c + " END lab " + b.Name
}

func (b Block) provides() []string { return []string{"path:" + b.Path} }

func (b Block) needs() []string { return append(accountNeeds(b.Owner, b.Group), "path:"+b.Path) }

func (b Block) fingerprint() string { return fmt.Sprintf("block %q %t", b.Content, b.Absent) }

// Observe implements [Resource].
func (b Block) Observe(q *Query) { q.Content(b.Path) }

// Plan implements [Resource].
func (b Block) Plan(o *Observation) ([]Op, error) {
	e := edit{b.Path, b.Create && !b.Absent, b.Mode, b.Owner, b.Group, b.ValidateWith}
	return e.plan(o, b.change)
}

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
			return lines // the file's last line, without a newline
		}
		out := append([]string(nil), lines[:from]...)
		out = append(out, block...)
		return append(out, lines[to+1:]...)
	}
	if b.Absent {
		return lines
	}
	if from >= 0 {
		// A begin without an end: somebody cut the block. Its lines cannot be told from others, so only the marker goes.
		lines = append(append([]string(nil), lines[:from]...), lines[from+1:]...)
	}
	return insert(lines, place(lines, compile(nil, "", b.InsertAfter), compile(nil, "", b.InsertBefore)), block...)
}
