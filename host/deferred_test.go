package host_test

import (
	"errors"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// successor is a file that can only be planned once another exists.
type successor struct {
	host.Order
	path, of string
}

func (s successor) ID() string { return "successor:" + s.path }

func (successor) Validate() lab.Problems { return nil }

func (s successor) Observe(q *host.Query) {
	q.Path(s.path)
	q.Path(s.of)
}

func (s successor) Plan(o *host.Observation) ([]host.Op, error) {
	if o.Stat(s.path).Type == host.RegularFile {
		return nil, nil
	}
	return []host.Op{{
		Action: lab.Create, Cause: "not found", Deferred: o.Stat(s.of).Type != host.RegularFile,
		Script: "cp -- " + ssh.Quote(s.of) + " " + ssh.Quote(s.path),
	}}, nil
}

// TestDeferred: chains of deferred changes are made by one run, in as many rounds as they need, and
// those that no change makes possible fail.
func TestDeferred(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	after := func(id string) host.Order { return host.Order{After: []string{id}} }
	st := host.State{
		host.File{Path: "/srv/a", Content: "x"},
		successor{path: "/srv/d", of: "/srv/c", Order: after("successor:/srv/c")},
		successor{path: "/srv/c", of: "/srv/b", Order: after("successor:/srv/b")},
		successor{path: "/srv/b", of: "/srv/a", Order: after("file:/srv/a")},
	}
	p, err := m.Plan(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if got, err := box.FS().ReadFile("/srv/d"); err != nil || string(got) != "x" {
		t.Errorf("the last file is %q, %v", got, err)
	}

	st = host.State{
		host.File{Path: "/srv/e", Content: "x"},
		successor{path: "/srv/f", of: "/srv/e", Order: after("file:/srv/e")},
		successor{path: "/srv/h", of: "/srv/never", Order: after("file:/srv/e")},
		successor{path: "/srv/i", of: "/srv/h", Order: after("successor:/srv/h")},
	}
	if p, err = m.Plan(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	want := []lab.Status{lab.StatusDone, lab.StatusDone, lab.StatusFailed, lab.StatusSkipped}
	for i, res := range r.Results {
		if res.Status != want[i] {
			t.Errorf("%s is %s, want %s", res.ID, res.Status, want[i])
		}
	}
}
