package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func planOf(t *testing.T, steps map[string][]lab.Change, order ...string) *lab.Plan {
	t.Helper()
	var all []lab.Step
	for _, name := range order {
		s := lab.Step{Name: name, Run: func(context.Context, *lab.Recorder) error { return nil }}
		for _, c := range steps[name] {
			c.ID = name + "/" + c.ID
			s.Changes = append(s.Changes, c)
		}
		all = append(all, s)
	}
	p, err := lab.NewPlan(all...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOutline: what several machines share is one line of the short form, what several stages share is
// said once, and what waits is named.
func TestOutline(t *testing.T) {
	motd := lab.Change{ID: "file:/etc/motd", Action: lab.Create, Cause: "not found", Diff: "+hello\n"}
	docker := lab.Change{ID: "package:docker", Action: lab.Create}
	system := map[string][]lab.Change{}
	var names []string
	for i := range 6 {
		name := fmt.Sprintf("host/pi%d", i+1)
		names = append(names, name)
		system[name] = []lab.Change{motd}
	}
	system["host/pi2"] = []lab.Change{motd, docker,
		{ID: "unit:ssh.service", Action: lab.Run, Risk: lab.RiskRestart, Deferred: true}}
	o := &lab.Outline{}
	o.Add("01_system", planOf(t, system, names...))
	o.Add("02_setup", planOf(t, map[string][]lab.Change{"host/pi2": {docker, {ID: "stack:x", Action: lab.Create}}}, "host/pi2"))
	o.Add("database", planOf(t, map[string][]lab.Change{"pg/": {{ID: "role:x", Action: lab.Create},
		{ID: "image:a@sha256:" + strings.Repeat("0123456789abcdef", 4), Action: lab.Create}}}, "pg/"))
	o.Add("03_cicd", planOf(t, map[string][]lab.Change{"host/pi2": {docker}}, "host/pi2"))
	o.Missing = append(o.Missing, lab.MissingStage{Stage: "postgres", Waits: "02_setup"}, lab.MissingStage{Stage: "edge"})
	const want = `01_system
  + create  file:/etc/motd (host pi1, pi2, pi3, 3 more)
  + create  package:docker (host pi2)
  ! run     unit:ssh.service [restart] [deferred] (host pi2)
02_setup
  (and 1 change that an earlier stage makes)
  + create  stack:x (host pi2)
database
  + create  role:x (pg)
  + create  image:a@sha256:0123456789ab… (pg)
03_cicd
  (and 1 change that an earlier stage makes)
not in this plan: postgres, which waits for 02_setup
not in this plan: edge, which could not be planned
11 changes: 10 to create, 1 to run; risk restart
`
	if got := o.Brief(); got != want {
		t.Errorf("got %s", got)
	}
	if n := strings.Count(o.String(), "package:docker"); n != 1 {
		t.Errorf("the shared change is shown %d times:\n%s", n, o)
	}
	if o.Count("01_system") != 8 || o.Count("02_setup") != 1 || o.Count("03_cicd") != 0 || len(o.Changes()) != 11 {
		t.Errorf("%d %d %d of %d", o.Count("01_system"), o.Count("02_setup"), o.Count("03_cicd"), len(o.Changes()))
	}
	for line := range strings.Lines(o.Brief()) {
		if len([]rune(line)) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
}

// TestOutlineRead: what was saved is printed as it was, and has each change once.
func TestOutlineRead(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	actions := []lab.Action{lab.Create, lab.Update, lab.Replace, lab.Delete, lab.Run}
	for range 200 {
		o := &lab.Outline{}
		for stage := range r.IntN(4) {
			steps := map[string][]lab.Change{}
			var names []string
			for step := range r.IntN(4) {
				name := fmt.Sprintf("host/pi%d", step)
				names = append(names, name)
				for id := range r.IntN(5) {
					if r.IntN(2) == 0 {
						continue
					}
					steps[name] = append(steps[name], lab.Change{ID: fmt.Sprint("file:/", id), Cause: "why",
						Action: actions[r.IntN(len(actions))], Risk: lab.Risk(r.IntN(4)), Diff: "+a\n", Deferred: r.IntN(2) == 0})
				}
			}
			o.Add(fmt.Sprint("stage", stage), planOf(t, steps, names...))
		}
		for i := range o.Sections {
			o.Sections[i].Earlier = 0 // what is not in it is not saved
		}
		for len(o.Sections) > 0 && len(o.Changes()) == 0 {
			o.Sections = nil
		}
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := lab.ReadOutline(data)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, c := range again.Changes() {
			if seen[c.ID] {
				t.Fatalf("%s is there twice", c.ID)
			}
			seen[c.ID] = true
		}
		if !reflect.DeepEqual(o.Changes(), again.Changes()) || again.Brief() != lines(o.Brief(), again.Brief()) {
			t.Fatalf("saved\n%s\nread\n%s", o, again)
		}
	}
}

// lines returns the text without the headings of stages of which nothing is left, if those are all that
// the other text lacks.
func lines(text, other string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "stage") && !strings.Contains(other, line) {
			continue
		}
		kept.WriteString(line)
	}
	return kept.String()
}

// TestSigns: who sees no colours tells the actions by their signs, and who reads none by their words.
func TestSigns(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range []lab.Action{lab.Create, lab.Update, lab.Replace, lab.Delete, lab.Run} {
		p := planOf(t, map[string][]lab.Change{"s": {{ID: "x", Action: a}}}, "s")
		for _, text := range []string{p.String(), p.Brief()} {
			if !strings.Contains(text, "  "+a.Sign()+" "+string(a)) {
				t.Errorf("%s has no sign: %s", a, text)
			}
		}
		if seen[a.Sign()] || len([]rune(a.Sign())) != 1 {
			t.Errorf("the sign %q of %s is that of another", a.Sign(), a)
		}
		seen[a.Sign()] = true
	}
}
