package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func ExampleKeyring() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lab-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server := map[string]Secret{} // in place of a machine
	for range 2 {
		k := &Keyring{Sink: SecretDir{Path: dir}}
		password, err := k.Secret(ctx, "postgres-superuser", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		var steps []Step
		if !server["password"].Equal(password) {
			steps = append(steps, Step{Name: "host/pi2",
				Changes: []Change{{ID: "host/pi2/file:/etc/password", Action: Create, Cause: "not found"}},
				Run:     func(context.Context, *Recorder) error { server["password"] = password; return nil }})
		}
		machine, err := NewPlan(steps...)
		if err != nil {
			fmt.Println(err)
			return
		}
		plan, err := k.Plan(machine)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(strings.ReplaceAll(plan.String(), dir, "DIR"))
		if _, err := plan.Apply(ctx, nil); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// secrets
	//   + create  postgres-superuser: not found in DIR
	// host/pi2
	//   + create  file:/etc/password: not found
	// 2 changes: 2 to create
	// nothing to do
}

// machine is something that secrets are used on, in place of a host.
type machine struct {
	holds  map[string]Secret
	before func(step string) error
}

// plan returns the plan of a run that puts the secrets onto the machine.
func (m *machine) plan(sink Sink, names ...string) (*Plan, error) {
	k := &Keyring{Sink: sink}
	step := Step{Name: "host/m"}
	want := map[string]Secret{}
	for _, name := range names {
		s, err := k.Secret(context.Background(), name, nil)
		if err != nil {
			return nil, err
		}
		if !m.holds[name].Equal(s) {
			want[name] = s
			step.Changes = append(step.Changes, Change{ID: "host/m/" + name, Action: Update, Cause: "differs"})
		}
	}
	if len(step.Changes) == 0 {
		return k.Plan(nil)
	}
	step.Run = func(_ context.Context, r *Recorder) error {
		for _, name := range names {
			if s, ok := want[name]; ok {
				if err := m.before("use"); err != nil {
					return err
				}
				m.holds[name] = s
				r.Done("host/m/"+name, nil)
			}
		}
		return nil
	}
	then, err := NewPlan(step)
	if err != nil {
		return nil, err
	}
	return k.Plan(then)
}

// Whatever write fails, and wherever a run is cut off: the machine never holds a secret that is not
// kept, and the next run ends with each secret kept once and used.
func TestKeyringFaults(t *testing.T) {
	names := []string{"a", "b"}
	for _, kill := range []bool{false, true} {
		for k := 1; ; k++ {
			d := SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
			n := 0
			fault := func(string) error {
				if n++; n != k {
					return nil
				}
				if kill {
					panic(cut{}) // it ends the step, and with it the run
				}
				return errFull
			}
			m := &machine{map[string]Secret{}, fault}
			broken := d
			broken.before = fault
			plan, err := m.plan(broken, names...)
			if err != nil || n > 0 || len(contents(t, filepath.Dir(d.Path))) > 0 {
				t.Fatalf("planning wrote: %d steps, %v", n, err)
			}
			report, err := plan.Apply(t.Context(), nil)
			if n < k {
				if k < 20 || err != nil || report.Count(StatusDone) != 4 {
					t.Errorf("after %d steps: %v\n%v", n, err, report)
				}
				break
			}
			if err == nil {
				t.Errorf("step %d failed, and the run did not", k)
			}
			for name, s := range m.holds {
				if kept, err := d.Get(t.Context(), name); err != nil || !kept.Equal(s) {
					t.Errorf("step %d: the machine holds %s, which is not kept: %v", k, name, err)
				}
			}
			before := map[string]Secret{}
			for _, name := range contents(t, d.Path) {
				if slices.Contains(names, name) {
					before[name], _ = d.Get(t.Context(), name)
				}
			}
			m.before = func(string) error { return nil }
			again, err := m.plan(d, names...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := again.Apply(t.Context(), nil); err != nil {
				t.Errorf("step %d, and the next run: %v", k, err)
			}
			for _, name := range names {
				kept, err := d.Get(t.Context(), name)
				if err != nil || !kept.Equal(m.holds[name]) || !before[name].IsZero() && !before[name].Equal(kept) {
					t.Errorf("step %d, and the next run: %s: %v", k, name, err)
				}
			}
			if last, err := m.plan(d, names...); err != nil || !last.Empty() {
				t.Errorf("step %d, and the run after the next: %v\n%v", k, err, last)
			}
		}
	}
}

// Of two runs that make the same secret, one keeps it; the other says so, does nothing with its
// own, and its next plan finds what is kept.
func TestKeyringRuns(t *testing.T) {
	for range 50 {
		d := SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
		machines := make([]*machine, 4)
		plans := make([]*Plan, len(machines))
		errs := make([]error, len(machines))
		for i := range machines {
			machines[i] = &machine{map[string]Secret{}, func(string) error { return nil }}
			var err error
			if plans[i], err = machines[i].plan(d, "a"); err != nil {
				t.Fatal(err)
			}
		}
		var runs sync.WaitGroup
		for i := range plans {
			runs.Go(func() { _, errs[i] = plans[i].Apply(t.Context(), nil) })
		}
		runs.Wait()
		kept, err := d.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		won := 0
		for i, m := range machines {
			switch {
			case errs[i] == nil && m.holds["a"].Equal(kept):
				won++
				continue
			case !errors.Is(errs[i], ErrDrift) || len(m.holds) > 0 || len(Hints(errs[i])) == 0:
				t.Errorf("run %d: %v, and its machine holds %d secrets", i, errs[i], len(m.holds))
			}
			again, err := m.plan(d, "a")
			if err != nil || len(again.Changes()) != 1 {
				t.Fatalf("%v\n%v", err, again)
			}
			if _, err := again.Apply(t.Context(), nil); err != nil || !m.holds["a"].Equal(kept) {
				t.Errorf("the next run: %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d runs kept their secret", won)
		}
	}
}

// memory is a sink whose faults a test chooses.
type memory struct {
	mu       sync.Mutex
	secrets  map[string]Secret
	proofs   int
	unproved error
	forgets  bool // it takes secrets and gives back others
	takes    bool // it takes secrets and gives none
}

func (m *memory) String() string { return "memory" }

func (m *memory) Prove(context.Context) error { m.proofs++; return m.unproved }

func (m *memory) Get(_ context.Context, name string) (Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.secrets[name]
	switch {
	case !ok:
		return Secret{}, ErrNotFound
	case m.takes:
		return Secret{}, fmt.Errorf("%w: it gives no secret", errors.ErrUnsupported)
	case m.forgets:
		return NewSecret("other"), nil
	}
	return s, nil
}

func (m *memory) Put(_ context.Context, name string, s Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets[name] = s
	return nil
}

func TestKeyring(t *testing.T) {
	ctx := t.Context()
	m := &memory{secrets: map[string]Secret{"old": NewSecret("kept before")}}
	k := &Keyring{Sink: m}
	var wg sync.WaitGroup
	given := make([]Secret, 8)
	for i := range given {
		wg.Go(func() { given[i], _ = k.Secret(ctx, "new", nil) })
	}
	wg.Wait()
	if s := given[0]; len(s.Reveal()) != 43 || slices.ContainsFunc(given, func(o Secret) bool { return !o.Equal(s) }) {
		t.Errorf("one name is several secrets, or %d bytes", len(s.Reveal()))
	}
	if s, err := k.Secret(ctx, "old", func() (Secret, error) {
		t.Error("made again")
		return Secret{},
			nil
	}); err != nil || s.Reveal() != "kept before" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	if _, err := k.Secret(ctx, "failed", func() (Secret, error) { return Secret{}, errFull }); !errors.Is(err,
		errFull) {
		t.Error(err)
	}
	if _, err := k.Secret(ctx, "empty", func() (Secret, error) { return Secret{}, nil }); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if s, err := k.Secret(ctx, "mine", func() (Secret, error) { return NewSecret("hidden-mine"), nil }); err != nil ||
		s.Reveal() != "hidden-mine" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	if ids := k.IDs(); !slices.Equal(ids, []string{"secrets/mine", "secrets/new", "secrets/old"}) {
		t.Errorf("asked for: %v", ids)
	}
	if len(m.secrets) != 1 || m.proofs != 0 {
		t.Errorf("asking wrote: %d secrets, %d proofs", len(m.secrets), m.proofs)
	}
	gates := 0
	then, err := NewPlan(Step{Name: "a", Changes: []Change{{ID: "a/0"}},
		Run: func(context.Context, *Recorder) error { return nil }},
		Step{Name: "idle"}, Step{Name: "gate", After: []string{"idle"},
			Run: func(context.Context, *Recorder) error { gates++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := k.Plan(then)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Plan(then); err != nil || again.String() != plan.String() {
		t.Errorf("planned twice: %v\n%s", err, again)
	}
	if first, ids := plan.Steps()[0], plan.Changes(); first.Name != "secrets" || len(ids) != 3 ||
		ids[0].ID != "secrets/mine" || ids[1].ID != "secrets/new" {
		t.Errorf("%+v", ids)
	}
	var told []string
	report, err := plan.Apply(ctx, &ApplyOptions{Events: func(e Event) {
		b, _ := json.Marshal(e)
		told = append(told, string(b))
	}})
	if err != nil || !report.Complete() || gates != 0 || m.proofs != 1 || len(m.secrets) != 3 {
		t.Errorf("%v, %d gates, %d proofs, %d secrets\n%v", err, gates, m.proofs, len(m.secrets), report)
	}
	b, err := json.Marshal([]any{plan, report, k, m})
	if text := plan.String() + string(b) + fmt.Sprintf("%v %+v %#v", k.made, report, plan) + strings.Join(told,
		""); err != nil ||
		strings.Contains(text, "hidden") || strings.Contains(text, given[0].Reveal()) {
		t.Errorf("a secret shows: %v\n%s", err, text)
	}
	if same, err := (&Keyring{Sink: m}).Plan(then); err != nil || same.String() != then.String() {
		t.Errorf("without secrets: %v\n%s", err, same)
	}
	if none, err := (&Keyring{Sink: m}).Plan(nil); err != nil || !none.Empty() {
		t.Errorf("without anything: %v\n%s", err, none)
	}
	if _, err := (&Keyring{}).Secret(ctx, "x", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("without a sink: %v", err)
	}
}

// A sink that cannot be relied on stops everything that comes after.
func TestKeyringSinks(t *testing.T) {
	for name, c := range map[string]struct {
		sink *memory
		want error
		puts int
	}{
		"not proved":    {&memory{unproved: errFull}, errFull, 0},
		"gives another": {&memory{forgets: true}, ErrDrift, 1},
		"gives none":    {&memory{takes: true}, errors.ErrUnsupported, 1},
	} {
		c.sink.secrets = map[string]Secret{}
		m := &machine{map[string]Secret{}, func(string) error { return nil }}
		plan, err := m.plan(c.sink, "x", "y")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Apply(t.Context(), nil); !errors.Is(err, c.want) || len(m.holds) > 0 ||
			len(c.sink.secrets) != c.puts {
			t.Errorf("%s: %v, %d put, %d used", name, err, len(c.sink.secrets), len(m.holds))
		}
	}
	taken := &memory{secrets: map[string]Secret{"x": NewSecret("hidden")}, takes: true}
	if _, err := (&Keyring{Sink: taken}).Secret(t.Context(), "x", nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("one that it has and does not give: %v", err)
	}
}
