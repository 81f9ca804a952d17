package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

var errBroken = errors.New("broken")

// world is what stages have done.
type world struct{ done []string }

// spec is a stage that makes one change, "NAME/x", unless it is done.
type spec struct {
	name        string
	after       string // a stage
	needs       string // what must be done before it can be planned
	plan, apply error  // of planning and applying it
}

func (w *world) stages(specs []spec) (stages []pipeline.Stage) {
	for _, s := range specs {
		st := pipeline.Stage{Name: s.name, Plan: func(_ context.Context, only *pipeline.Selection) (*lab.Plan, error) {
			return w.plan(s, only)
		}}
		if s.after != "" {
			st.After = []string{s.after}
		}
		stages = append(stages, st)
	}
	return stages
}

func (w *world) plan(s spec, only *pipeline.Selection) (*lab.Plan, error) {
	switch {
	case s.plan != nil:
		return nil, s.plan
	case s.needs != "" && !slices.Contains(w.done, s.needs):
		return nil, fmt.Errorf("%w: %s", lab.ErrNotFound, s.needs)
	case !only.Reaches(s.name + "/x"):
		return nil, pipeline.LeftOut("nothing of it is selected")
	case slices.Contains(w.done, s.name):
		return lab.NewPlan()
	}
	change := lab.Change{ID: s.name + "/x", Action: lab.Create}
	return lab.NewPlan(lab.Step{Name: s.name, Changes: []lab.Change{change}, Run: func(context.Context, *lab.Recorder) error {
		if s.apply == nil {
			w.done = append(w.done, s.name)
		}
		return s.apply
	}})
}

// show returns what became of stages in a line.
func show(results []pipeline.Result) string {
	var words []string
	for _, r := range results {
		word := "as-wanted"
		switch {
		case r.Waits != "":
			word = "waits-for-" + r.Waits
		case r.LeftOut != "":
			word = "left-out"
		case r.Err != nil:
			word = "failed"
		case r.Report != nil && r.Report.Complete():
			word = "done"
		case !r.Plan.Empty():
			word = "pending"
		}
		words = append(words, r.Stage+":"+word)
	}
	return strings.Join(words, " ")
}

func TestPipeline(t *testing.T) {
	for name, c := range map[string]struct {
		stages               []spec
		only                 string
		planned, applied     string
		planError, wantError error
	}{
		"all is well": {
			stages:  []spec{{name: "a"}, {name: "b", after: "a", needs: "a"}, {name: "c", after: "b", needs: "b"}},
			planned: "a:pending b:waits-for-a c:waits-for-b",
			applied: "a:done b:done c:done",
		},
		"one cannot be planned": {
			stages:    []spec{{name: "a", plan: errBroken}, {name: "b", after: "a"}, {name: "c"}},
			planned:   "a:failed b:pending c:pending",
			applied:   "a:failed b:waits-for-a c:done",
			planError: errBroken, wantError: errBroken,
		},
		"one cannot be applied": {
			stages: []spec{{name: "a", apply: errBroken}, {name: "b", after: "a"}, {name: "c", after: "b", needs: "a"},
				{name: "d"}},
			planned:   "a:pending b:pending c:waits-for-b d:pending",
			applied:   "a:failed b:waits-for-a c:waits-for-b d:done",
			wantError: errBroken,
		},
		"some are selected": {
			stages:  []spec{{name: "a"}, {name: "b", after: "a"}, {name: "c", after: "b"}},
			only:    "b/* c/x",
			planned: "a:left-out b:pending c:pending",
			applied: "a:left-out b:done c:done",
		},
		"nothing is selected": {
			stages:    []spec{{name: "abc"}},
			only:      "abd/*",
			planned:   "abc:left-out",
			applied:   "abc:left-out",
			planError: lab.ErrNotFound, wantError: lab.ErrNotFound,
		},
		"what there is is not known": {
			stages:    []spec{{name: "a", plan: errBroken}},
			only:      "b/*",
			planned:   "a:failed",
			applied:   "a:failed",
			planError: errBroken, wantError: errBroken,
		},
		"a run is not about it": {
			stages:  []spec{{name: "a", plan: pipeline.LeftOut("it is elsewhere")}, {name: "b", after: "a"}},
			planned: "a:left-out b:pending",
			applied: "a:left-out b:done",
		},
	} {
		w := &world{}
		p := pipeline.Pipeline{Stages: w.stages(c.stages), Only: strings.Fields(c.only)}
		results, err := p.Plan(t.Context())
		if got := show(results); got != c.planned || !errors.Is(err, c.planError) || len(w.done) > 0 {
			t.Errorf("%s: planned %s, %v; done %v", name, got, err, w.done)
		}
		if errors.Is(c.planError, lab.ErrNotFound) &&
			(len(lab.Hints(err)) == 0 || lab.Hints(err)[0] != "nearest: abc/*") {
			t.Errorf("%s: %q", name, lab.Hints(err))
		}
		told := 0
		results, err = p.Apply(t.Context(), pipeline.Options{Done: func(pipeline.Result) { told++ }})
		if got := show(results); got != c.applied || !errors.Is(err, c.wantError) || told != len(p.Stages) {
			t.Errorf("%s: applied %s, %v; %d ends", name, got, err, told)
		}
		if c.wantError == nil {
			again, err := p.Plan(t.Context())
			if err != nil || slices.ContainsFunc(again, pipeline.Result.Pending) {
				t.Errorf("%s: the second plan: %s, %v", name, show(again), err)
			}
		}
	}
}

// A plan that is not accepted is not applied, and neither is what comes after; a run that is
// stopped begins no stage.
func TestPipelineStops(t *testing.T) {
	w := &world{}
	p := pipeline.Pipeline{Stages: w.stages([]spec{{name: "a"}, {name: "b", after: "a"}, {name: "c"}})}
	results, err := p.Apply(t.Context(), pipeline.Options{Planned: func(stage string, plan *lab.Plan) error {
		if stage == "a" && len(plan.Changes()) == 1 {
			return errBroken
		}
		return nil
	}})
	if got := show(results); got != "a:failed b:waits-for-a c:done" || !errors.Is(err, errBroken) ||
		!slices.Equal(w.done, []string{"c"}) {
		t.Errorf("%s, %v, %v", got, err, w.done)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if results, err := p.Apply(ctx, pipeline.Options{}); show(results) != "a:failed b:waits-for-a c:failed" ||
		lab.ExitCode(err) != lab.ExitInterrupted {
		t.Errorf("%s, %v", show(results), err)
	}
}

// machine is a machine in this process.
func machine(t *testing.T, name string) *host.Machine {
	t.Helper()
	box := hosttest.New(t, hosttest.Config{Hostname: name})
	m := &host.Machine{Target: ssh.Target{Name: name, Address: box.Addr(), User: box.User(),
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}}}}
	t.Cleanup(func() { m.Close() })
	return m
}

// Machines are selected by the IDs of their resources, and reached only when something of them is;
// secrets come before what uses them, whatever is selected, or alone.
func TestSelection(t *testing.T) {
	machines := []*host.Machine{machine(t, "pi1"), machine(t, "pi2")}
	sink := lab.SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
	stage := pipeline.Stage{Name: "s", Plan: pipeline.Secrets(sink,
		func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
			s, err := k.Secret(ctx, "password", nil)
			if err != nil {
				return nil, err
			}
			return pipeline.Machines(host.Fleet{Machines: machines}, func(*host.Machine) (host.State, error) {
				return host.State{host.File{Path: "/etc/a", Content: "a\n"}, host.File{Path: "/etc/b", Value: s},
					host.Timer{Name: "t", Command: "/bin/true", OnCalendar: "daily"}}, nil
			})(ctx, only)
		})}
	for only, want := range map[string]string{
		"host/pi1/file:/etc/a":           "secrets/password host/pi1/file:/etc/a",
		"file:/etc/b":                    "secrets/password host/pi1/file:/etc/b host/pi2/file:/etc/b",
		"host/*2/file:/etc/?":            "secrets/password host/pi2/file:/etc/a host/pi2/file:/etc/b",
		"secrets/*":                      "secrets/password",
		"secrets/* host/pi2/file:/etc/a": "secrets/password host/pi2/file:/etc/a",
	} {
		before := []int64{machines[0].Counters().Connections, machines[1].Counters().Connections}
		results, err := pipeline.Pipeline{Stages: []pipeline.Stage{stage}, Only: strings.Fields(only)}.Plan(t.Context())
		var got []string
		for _, c := range results[0].Plan.Changes() {
			got = append(got, c.ID)
		}
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("-only %s: %v, %v", only, got, err)
		}
		for i, m := range machines {
			if reached := m.Counters().Connections > before[i]; reached && !strings.Contains(want, m.Name()) {
				t.Errorf("-only %s: %s was reached", only, m.Name())
			}
			m.Close()
		}
	}
	for only, hint := range map[string]string{"host/pi3/*": "nearest: host/pi1/*",
		"fiel:/etc/a": "nearest: file:/etc/a", "secrets/pasword": "nearest: secrets/password"} {
		_, err := pipeline.Pipeline{Stages: []pipeline.Stage{stage}, Only: []string{only}}.Plan(t.Context())
		if !errors.Is(err, lab.ErrNotFound) || len(lab.Hints(err)) != 1 || lab.Hints(err)[0] != hint {
			t.Errorf("-only %s: %v, %q", only, err, lab.Hints(err))
		}
	}
	all := machines
	machines = nil
	results, err := pipeline.Pipeline{Stages: []pipeline.Stage{stage}}.Plan(t.Context())
	if err != nil || show(results) != "s:left-out" || results[0].Plan != nil {
		t.Errorf("without machines: %s, %v", show(results), err)
	}
	machines = all
	results, err = pipeline.Pipeline{Stages: []pipeline.Stage{stage}, Only: []string{"timer:t"}}.Apply(t.Context(),
		pipeline.Options{})
	if err != nil || show(results) != "s:done" {
		t.Errorf("a set: %s, %v", show(results), err)
	}
	if results, err = (pipeline.Pipeline{Stages: []pipeline.Stage{stage}}).Apply(t.Context(),
		pipeline.Options{}); err != nil || show(results) != "s:done" {
		t.Errorf("%s, %v", show(results), err)
	}
	for _, only := range []string{"", "secrets/*", "timer:t"} {
		if results, err = (pipeline.Pipeline{Stages: []pipeline.Stage{stage},
			Only: strings.Fields(only)}).Plan(t.Context()); err != nil || show(results) != "s:as-wanted" {
			t.Errorf("the last plan, -only %q: %s, %v", only, show(results), err)
		}
	}
}
