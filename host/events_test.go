package host_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestEvents: a machine says when it connects and observes, and when that has ended, whether or not it worked;
// a large file says how much of it was sent.
func TestEvents(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	m.Close()
	var mu sync.Mutex
	var doing []string
	m.Events = func(e lab.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind != lab.EventDoing || e.Target != "host/"+m.Name() || e.Time.IsZero() {
			t.Errorf("got %+v", e)
		}
		doing = append(doing, e.Text)
	}
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), host.State{host.File{Path: "/srv/image", Source: file}, host.File{Path: "/srv/small"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"observing " + m.Name(), "connecting to " + m.Name(), "observing " + m.Name(), ""}
	if !slices.Equal(doing, want) {
		t.Errorf("it said %q, want %q", doing, want)
	}
	var sent []int64
	if _, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
		if e.Unit != "bytes" {
			return
		}
		if e.Total != 3<<20 || e.Change != "host/"+m.Name()+"/file:/srv/image" {
			t.Errorf("got %+v", e)
		}
		sent = append(sent, e.Done)
	}}); err != nil {
		t.Fatal(err)
	}
	if len(sent) < 3 || len(sent) > 10 || !slices.IsSorted(sent) || sent[len(sent)-1] != 3<<20 {
		t.Errorf("sent %v", sent)
	}
	m.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	doing = nil
	if _, err := m.Plan(ctx, nil); err == nil || !slices.Equal(doing, want) && !slices.Equal(doing, []string{want[0], ""}) {
		t.Errorf("%v; it said %q", err, doing)
	}
}
