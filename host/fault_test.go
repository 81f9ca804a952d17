package host_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// TestCutAtEveryFrame cuts the connection before every change, at its start, inside its result and
// after it.
func TestCutAtEveryFrame(t *testing.T) {
	s := someState()
	_, counting := open(t, hosttest.Config{})
	p, err := counting.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	changes := len(p.Changes())
	for i := range changes {
		for _, where := range []string{"before", "begun", "inside", "after"} {
			box, m := open(t, hosttest.Config{})
			p, err := m.Plan(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			frame := fmt.Sprintf(map[string]string{
				"before": `\n[0-9a-f]{32} S %d\n`,
				"begun":  `\n[0-9a-f]{32} S %d\n`,
				"inside": `\n[0-9a-f]{32} E %d`,
				"after":  `\n[0-9a-f]{32} E %d 0\n`,
			}[where], i)
			re := regexp.MustCompile(frame)
			var met atomic.Bool
			box.Faults().CutWhen(func(stdout []byte) bool {
				loc := re.FindIndex(stdout)
				hit := loc != nil && (where == "before" || len(stdout) >= loc[1])
				if hit {
					met.Store(true)
				}
				return hit
			})
			r, err := p.Apply(t.Context(), nil)
			if !met.Load() {
				t.Fatalf("no frame %s of change %d", frame, i)
			}
			if !errors.Is(err, lab.ErrUnreachable) || lab.SafeToRetry(err) {
				t.Errorf("%s %d: %v", where, i, err)
			}
			// no change may be reported as done whose result was cut off; earlier results that were still on
			// their way are lost with the connection
			for n, res := range r.Results {
				if res.Status == lab.StatusFailed || res.Status == lab.StatusSkipped || res.Status == lab.StatusDone && n >= i {
					t.Errorf("cut %s change %d: %d is %s", where, i, n, res.Status)
				}
			}
			box.Faults().Reset()
			whole(t, box, s, fmt.Sprint(where, i))
			poll := lab.Poll{What: "the lock", First: time.Millisecond}
			if err := lab.Wait(t.Context(), poll, func(ctx context.Context) (bool, error) {
				_, err := m.Run(ctx, ssh.Command{Script: ":", Root: true, Lock: true})
				if errors.Is(err, lab.ErrBlocked) {
					return false, nil // the script that was cut off is still running
				}
				return err == nil, err
			}); err != nil {
				t.Fatal(err)
			}
			settle(t, m, s)
		}
	}
}

// TestPowerCutAtEveryWrite cuts the power at every write of the machine. Writes that were not
// synced are lost.
func TestPowerCutAtEveryWrite(t *testing.T) {
	s := someState()
	box, m := open(t, hosttest.Config{})
	before := box.Counters().Writes
	settle(t, m, s)
	writes := int(box.Counters().Writes - before)
	if writes < 20 {
		t.Fatalf("%d writes", writes)
	}
	for k := 1; k <= writes; k++ {
		box, m := open(t, hosttest.Config{})
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		up := box.Faults().PowerCutAtWrite(k)
		if _, err := p.Apply(t.Context(), nil); err == nil {
			t.Errorf("write %d: no error", k)
		}
		<-up
		whole(t, box, s, fmt.Sprintf("write %d", k))
		settle(t, m, s)
		if left, err := box.Exec("find / -xdev -name '.lab-*'"); err != nil || left != "" {
			t.Errorf("write %d: left behind: %q %v", k, left, err)
		}
	}
}

func TestDiskFull(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	s := someState()
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	box.Faults().DiskFullAfter(20_000)
	r, err := p.Apply(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Errorf("%v\n%s", err, r)
	}
	whole(t, box, s, "disk full")
	box.Faults().Reset()
	settle(t, m, s)
}

// TestInterrupted: cancelling a run ends its script on the machine, the report is correct, and the
// next run continues.
func TestInterrupted(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	s := host.State{
		host.File{Path: "/srv/a", Content: "a"},
		host.Command{Name: "slow", Run: "echo started; sleep 1000", Creates: "/srv/slow"},
		host.File{Path: "/srv/b", Content: "b"},
	}
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := p.Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) {
		if e.Kind == lab.EventOutput && e.Text == "started" {
			cancel()
		}
	}})
	if lab.ExitCode(err) != lab.ExitInterrupted {
		t.Errorf("exit %d: %v", lab.ExitCode(err), err)
	}
	want := []lab.Status{lab.StatusDone, lab.StatusUnknown, lab.StatusNotRun}
	for i, res := range r.Results {
		if res.Status != want[i] {
			t.Errorf("%s is %s, want %s", res.ID, res.Status, want[i])
		}
	}
	if out, err := box.Exec("ps -e -o args="); err != nil || strings.Contains(out, "sleep 1000") {
		t.Errorf("the command still runs: %v\n%s", err, out)
	}
	s[1] = host.Command{Name: "slow", Run: ": >/srv/slow", Creates: "/srv/slow"}
	settle(t, m, s)
}
