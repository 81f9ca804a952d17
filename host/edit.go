package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// edit is a change to part of a file that others edit too. The file is replaced atomically, keeps its
// mode and owner, and is only written if it is still the one that was read.
type edit struct {
	path     string
	create   bool // the file is created if it does not exist
	mode     Mode // of a created file; 0 means 0644
	owner    string
	group    string
	validate string
}

// editTokens returns the tokens that an edit of the file provides.
func editTokens(file string) []string {
	tokens := []string{pathToken + file}
	if isSSHDConfig(file) {
		tokens = append(tokens, sshdConfig)
	}
	return tokens
}

// editNeeds returns the tokens that an edit of the file needs.
func editNeeds(file, owner, group string) []string {
	return append(append(accountNeeds(owner, group), sudoNeeds(file)...), pathToken+file)
}

// plan returns the op that applies change to the lines of the file, nothing if they stay the same.
// The next edit of the same file, in this plan, sees the result.
func (e edit) plan(o *Observation, change func(lines []string) []string) ([]Op, error) {
	old, exists := o.Content(e.path)
	if err := e.refuse(o.Stat(e.path).Type, old); err != nil {
		return nil, err
	}
	if !exists && !e.create {
		if len(change(nil)) == 0 {
			return nil, nil
		}
		if o.CanDefer() {
			return []Op{{Action: lab.Update, Deferred: true,
				Cause: "the file does not exist yet, an earlier change may create it"}}, nil
		}
		return nil, &lab.Error{Op: "edit file", Hint: "set create: true to create it",
			Err: fmt.Errorf("%w: the file", lab.ErrNotFound)}
	}
	mark, text := "", string(old)
	if rest, ok := strings.CutPrefix(text, byteOrderMark); ok {
		mark, text = byteOrderMark, rest // it stays where it is, whatever happens to the first line
	}
	want := []byte(mark + strings.Join(change(splitKeep(text)), ""))
	if exists && bytes.Equal(want, old) || !exists && len(want) == 0 {
		return nil, nil
	}
	st, before := e.newFile(), "absent"
	op := Op{Action: lab.Create, Cause: "not found", Risk: lab.RiskNone}
	if exists {
		st, before = e.existing(o.Stat(e.path)), hexSum(old)
		op.Action, op.Cause = lab.Update, "content differs"
	}
	st.Size = int64(len(want))
	if st.Mode.worldReadable() {
		op.Diff = lab.Diff(e.path, old, want)
	} else {
		op.Diff = addedLines(old, want)
	}
	if !exists {
		op.Diff = attributes(Stat{}, st.Mode, st.User, st.Group) + op.Diff
	}
	op.places(&Payload{Temp: tempFor(e.path), Size: st.Size, Content: want, Replaces: e.path}, placement{
		path: e.path, mode: st.Mode, owner: st.User, group: st.Group, sum: sha256.Sum256(want), validate: e.validate,
		before: before,
	})
	op.Expected.Files = []ExpectedFile{{Path: e.path, Content: want, Stat: st}}
	return []Op{op}, nil
}

// byteOrderMark is what some editors write at the start of a file in UTF-8.
const byteOrderMark = "\ufeff"

// refuse returns the error of what cannot be edited: anything but a regular file, too large a one, or
// one in UTF-16.
func (e edit) refuse(is FileType, content []byte) error {
	switch {
	case is == LinkFile || is == OtherFile || is == DirFile:
		return &lab.Error{Op: "edit file", Hint: "edit the file that it stands for",
			Err: fmt.Errorf("%w: it is a %s", lab.ErrConflict, is)}
	case len(content) > maxContent:
		return &lab.Error{Op: "edit file", Hint: "write the file as a whole",
			Err: fmt.Errorf("%w: it has more than %d KiB", lab.ErrConflict, maxContent>>10)}
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		return &lab.Error{Op: "edit file", Hint: "convert it to UTF-8, or write the file as a whole",
			Err: fmt.Errorf("%w: its text is UTF-16, in which no line would be found", lab.ErrConflict)}
	}
	return nil
}

// newFile returns the mode and owner of a file that the edit creates.
func (e edit) newFile() Stat {
	return Stat{Type: RegularFile, Mode: e.mode.or(0o644), User: orRoot(e.owner), Group: orRoot(e.group)}
}

// existing returns the mode and owner that the edited file keeps, as numbers where they have no name.
func (e edit) existing(have Stat) Stat {
	st := Stat{Type: RegularFile, Mode: have.Mode, User: have.User, Group: have.Group}
	if st.User == "UNKNOWN" {
		st.User = fmt.Sprint(have.UID)
	}
	if st.Group == "UNKNOWN" {
		st.Group = fmt.Sprint(have.GID)
	}
	return st
}

// addedLines returns the lines of want that are not in old, as a diff: it is all that is shown of a
// file that is not world-readable.
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

// insert inserts text, whole lines, before lines[at]; at may be len(lines). A last line without a
// newline gets one if text comes after it.
func insert(lines []string, at int, text ...string) []string {
	out := append([]string(nil), lines[:at]...)
	if at > 0 && !strings.HasSuffix(out[at-1], "\n") {
		out[at-1] += "\n"
	}
	out = append(out, text...)
	return append(out, lines[at:]...)
}

// insertText is insert with lines that end as end says.
func insertText(lines []string, at int, end string, text ...string) []string {
	if at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
		lines = slices.Clone(lines)
		lines[at-1] = lineText(lines[at-1]) + end
	}
	whole := make([]string, len(text))
	for i, t := range text {
		whole[i] = t + end
	}
	return insert(lines, at, whole...)
}

// place returns the index at which to insert: after the last line that matches after, otherwise
// before the last that matches before, otherwise the end.
func place(lines []string, after, before *regexp.Regexp) int {
	for i := len(lines) - 1; i >= 0; i-- {
		l := lineText(lines[i])
		if after != nil && after.MatchString(l) {
			return i + 1
		}
		if before != nil && before.MatchString(l) {
			return i
		}
	}
	return len(lines)
}

// compile returns the compiled regular expression, nil if it is empty or invalid, and reports why it
// is invalid.
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
