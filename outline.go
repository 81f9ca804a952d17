package lab

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Outline is what people review of one or more plans, and what is saved of them: the changes, each
// once, without what makes them. The zero Outline is empty.
type Outline struct {
	Sections []Section

	// Missing are the stages that the plans do not cover although the run is about them.
	Missing []MissingStage
}

// Section is the part of an [Outline] that is about one step of a plan.
type Section struct {
	Stage   string // the stage that the plan is of; empty if there is only one
	Step    string // "host/pi1"; empty if it is unknown
	Changes []Change

	// Earlier is how many changes of the stage are left out, since an earlier stage makes them.
	// It is set in the first section of a stage.
	Earlier int
}

// MissingStage is a stage that could not be planned.
type MissingStage struct {
	Stage string `json:"stage"`
	Waits string `json:"waits_for,omitempty"` // the stage that has changes to be made first; empty: planning it failed
}

// Add adds the changes of a stage's plan. What an earlier stage makes is not added again. stage is
// empty if there is only one.
func (o *Outline) Add(stage string, p *Plan) {
	known := map[string]bool{}
	for _, c := range o.Changes() {
		known[c.ID] = true
	}
	first, earlier := len(o.Sections), 0
	for _, s := range p.Steps() {
		kept := slices.DeleteFunc(slices.Clone(s.Changes), func(c Change) bool { return known[c.ID] })
		earlier += len(s.Changes) - len(kept)
		if len(kept) > 0 {
			o.Sections = append(o.Sections, Section{Stage: stage, Step: s.Name, Changes: kept})
		}
	}
	switch {
	case earlier == 0:
	case first == len(o.Sections):
		o.Sections = append(o.Sections, Section{Stage: stage, Earlier: earlier})
	default:
		o.Sections[first].Earlier = earlier
	}
}

// Changes returns all changes in order.
func (o *Outline) Changes() (all []Change) {
	for _, s := range o.Sections {
		all = append(all, s.Changes...)
	}
	return all
}

// Count returns how many changes a stage has that no earlier one makes.
func (o *Outline) Count(stage string) (n int) {
	for _, s := range o.Sections {
		if s.Stage == stage {
			n += len(s.Changes)
		}
	}
	return n
}

// Summary returns one line about all changes: "3 changes: 1 to create, 1 to update, 1 to run; risk
// restart", or "nothing to do", of what could be planned.
func (o *Outline) Summary() string {
	changes := o.Changes()
	switch {
	case len(changes) == 0 && len(o.Missing) > 0:
		return "nothing to do in what could be planned"
	case len(changes) == 0:
		return "nothing to do"
	}
	var parts []string
	var risk Risk
	for _, a := range []Action{Create, Update, Replace, Delete, Run} {
		n := 0
		for _, c := range changes {
			if c.Action == a {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	for _, c := range changes {
		risk = max(risk, c.Risk)
	}
	s := count(len(changes), "change") + ": " + strings.Join(parts, ", ")
	if risk > RiskNone {
		s += "; risk " + risk.String()
	}
	return s
}

// String returns the changes for people: by stage and step, each with its cause, its risk and its
// diff, then what is missing, and the summary line.
func (o *Outline) String() string {
	var b strings.Builder
	o.write(&b, func(s Section) {
		if s.Step != "" && len(s.Changes) > 0 {
			fmt.Fprintf(&b, "%s\n", Printable(s.Step))
		}
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "  %s %-7s %s", c.Action.Sign(), c.Action, Printable(s.short(c)))
			if c.Cause != "" {
				fmt.Fprintf(&b, ": %s", printableLine(c.Cause))
			}
			b.WriteString(c.marks() + "\n")
			if c.Diff != "" {
				for line := range strings.Lines(c.Diff) {
					fmt.Fprintf(&b, "      %s\n", printableLine(strings.TrimSuffix(line, "\n")))
				}
			}
		}
	})
	return b.String()
}

// Brief returns the changes for people in the shortest form: without causes and diffs, and with one
// line for what is done to several machines, or databases, of a stage.
func (o *Outline) Brief() string {
	type row struct {
		text, kind string
		steps      []string
	}
	var b strings.Builder
	for at := 0; at < len(o.Sections); {
		end := at + 1
		for end < len(o.Sections) && o.Sections[end].Stage == o.Sections[at].Stage {
			end++
		}
		var rows []*row
		index := map[string]*row{}
		for _, s := range o.Sections[at:end] {
			kind, name, _ := strings.Cut(s.Step, "/")
			for _, c := range s.Changes {
				id := checksum.ReplaceAllString(Printable(s.short(c)), "$1…")
				text := fmt.Sprintf("  %s %-7s %s", c.Action.Sign(), c.Action, id) + c.marks()
				r := index[kind+"\n"+text]
				if r == nil {
					r = &row{text: text, kind: kind}
					rows, index[kind+"\n"+text] = append(rows, r), r
				}
				if name != "" {
					r.steps = append(r.steps, Printable(name))
				}
			}
		}
		o.heading(&b, o.Sections[at])
		for _, r := range rows {
			b.WriteString(r.text + among(r.kind, r.steps) + "\n")
		}
		at = end
	}
	o.end(&b)
	return b.String()
}

// checksum is a checksum, of which the short form shows the beginning.
var checksum = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{20,}\b`)

// maxNames is how many names are listed before the rest is only counted.
const maxNames = 4

// among says for whom a change is made: " (host pi1, pi2)".
func among(kind string, names []string) string {
	if kind == "" {
		return ""
	}
	if len(names) == 0 {
		return " (" + Printable(kind) + ")"
	}
	if len(names) > maxNames {
		names = append(slices.Clone(names[:maxNames-1]), fmt.Sprintf("%d more", len(names)-maxNames+1))
	}
	return " (" + Printable(kind) + " " + strings.Join(names, ", ") + ")"
}

// short returns the ID of a change without the name of its step.
func (s Section) short(c Change) string {
	if s.Step == "" {
		return c.ID
	}
	return strings.TrimPrefix(c.ID, s.Step+"/")
}

// marks returns the risk of the change, and whether it is deferred, as they stand behind its name.
func (c Change) marks() (marks string) {
	if c.Risk > RiskNone {
		marks = " [" + c.Risk.String() + "]"
	}
	if c.Deferred {
		marks += " [deferred]"
	}
	return marks
}

// write writes the sections under the names of their stages, and the end.
func (o *Outline) write(b *strings.Builder, section func(Section)) {
	for i, s := range o.Sections {
		if i == 0 || s.Stage != o.Sections[i-1].Stage {
			o.heading(b, s)
		}
		section(s)
	}
	o.end(b)
}

// heading writes what precedes the first section of a stage.
func (o *Outline) heading(b *strings.Builder, s Section) {
	if s.Stage != "" {
		fmt.Fprintf(b, "%s\n", Printable(s.Stage))
	}
	if s.Earlier > 0 {
		fmt.Fprintf(b, "  (and %s that an earlier stage makes)\n", count(s.Earlier, "change"))
	}
}

// end writes what is missing, and the summary.
func (o *Outline) end(b *strings.Builder) {
	for _, m := range o.Missing {
		why := "which could not be planned"
		if m.Waits != "" {
			why = "which waits for " + Printable(m.Waits)
		}
		fmt.Fprintf(b, "not in this plan: %s, %s\n", Printable(m.Stage), why)
	}
	b.WriteString(o.Summary() + "\n")
}

// savedPlan is the JSON of an outline, and of a plan.
type savedPlan struct {
	Version int            `json:"version"`
	Type    string         `json:"type"`
	Changes []savedChange  `json:"changes"`
	Missing []MissingStage `json:"missing,omitempty"`
}

type savedChange struct {
	Change
	Step  string `json:"step,omitempty"`
	Stage string `json:"stage,omitempty"`
}

// MarshalJSON returns {"version":1,"type":"plan","changes":[...],"missing":[{"stage","waits_for"}]}, with
// changes of the form {"id","action","cause","diff","after","risk","step","stage"}, in order. Fields that are
// empty are left out.
func (o *Outline) MarshalJSON() ([]byte, error) {
	saved := savedPlan{Version: planVersion, Type: "plan", Changes: []savedChange{}, Missing: o.Missing}
	for _, s := range o.Sections {
		for _, c := range s.Changes {
			saved.Changes = append(saved.Changes, savedChange{c, s.Step, s.Stage})
		}
	}
	return json.Marshal(saved)
}

// ReadOutline decodes an outline, or a plan, from its JSON.
func ReadOutline(data []byte) (*Outline, error) {
	var saved savedPlan
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, &Error{Op: "read plan", Hint: "save the plan again", Err: fmt.Errorf("%w: %w", ErrInvalid, err)}
	}
	if saved.Type != "plan" || saved.Version != planVersion {
		return nil, &Error{Op: "read plan", Hint: "save the plan again with this version of the program",
			Err: fmt.Errorf("%w: type %q version %d, not a plan of version %d", ErrInvalid, saved.Type, saved.Version,
				planVersion)}
	}
	o := &Outline{Missing: saved.Missing}
	for _, c := range saved.Changes {
		last := len(o.Sections) - 1
		if last < 0 || o.Sections[last].Step != c.Step || o.Sections[last].Stage != c.Stage {
			o.Sections = append(o.Sections, Section{Stage: c.Stage, Step: c.Step})
			last++
		}
		o.Sections[last].Changes = append(o.Sections[last].Changes, c.Change)
	}
	return o, nil
}

// ReadChanges decodes the changes of a plan from its JSON, for [Plan.Within].
func ReadChanges(data []byte) ([]Change, error) {
	o, err := ReadOutline(data)
	if err != nil {
		return nil, err
	}
	return o.Changes(), nil
}
