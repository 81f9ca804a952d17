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
		if o.CanDefer() {
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
	op.Expected.Files = []ExpectedFile{{Path: e.path, Content: want,
		Stat: Stat{Type: RegularFile, Mode: mode, User: owner, Group: group, Size: int64(len(want))}}}
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
