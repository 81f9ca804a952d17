package host_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// open returns a machine in this process and how it is managed.
func open(t testing.TB, cfg hosttest.Config) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, cfg)
	m := &host.Machine{Target: inProcess(box)}
	t.Cleanup(func() { m.Close() })
	return box, m
}

// someState has payloads, edits of one file, several ops of one resource and a unit.
func someState() host.State {
	yes := true
	return host.State{
		host.Directory{Path: "/srv/app", Mode: 0o750},
		host.File{Path: "/srv/app/a", Content: "a\n"},
		host.File{Path: "/srv/app/big", Content: strings.Repeat("0123456789abcde\n", 5000)},
		host.Line{Path: "/etc/hosts", Line: "192.0.2.10 gitea.arcodange.lab"},
		host.Block{Path: "/etc/hosts", Name: "b", Content: "192.0.2.11 x\n"},
		host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		host.Link{Path: "/srv/app/link", Target: "a"},
		host.UnitFile{Name: "app.service", Content: "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"},
		host.Unit{Name: "app.service", Enabled: &yes, State: host.Started, RestartOn: []string{"unitfile:app.service", "file:/srv/app/a"}},
		host.Command{Name: "seed", Run: "echo x >/srv/app/seed", Creates: "/srv/app/seed"},
	}
}

// settle applies the state until the plan is empty, which must be at once.
func settle(t *testing.T, m *host.Machine, s host.State) {
	t.Helper()
	p, err := m.Plan(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if p, err = m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Fatalf("%v\n%s", err, p)
	}
}

// whole checks that no file has a part of its content under its name.
func whole(t *testing.T, box *hosttest.Machine, s host.State, when string) {
	t.Helper()
	for _, r := range s {
		f, ok := r.(host.File)
		if !ok {
			continue
		}
		if b, err := box.FS().ReadFile(f.Path); err == nil && string(b) != f.Content {
			t.Fatalf("%s: %s has %d of %d bytes under its name", when, f.Path, len(b), len(f.Content))
		}
	}
}

// TestCutAtEveryFrame cuts the connection before, inside and after the result of every change.
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
			frame := map[string]string{"before": fmt.Sprintf(`\n[0-9a-f]{32} S %d\n`, i), "begun": fmt.Sprintf(`\n[0-9a-f]{32} S %d\n`, i), "inside": fmt.Sprintf(`\n[0-9a-f]{32} E %d`, i), "after": fmt.Sprintf(`\n[0-9a-f]{32} E %d 0\n`, i)}[where]
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
			// the report may not say that a change was done whose answer was cut off; answers that were on their way are lost with the connection
			for n, res := range r.Results {
				if res.Status == lab.StatusFailed || res.Status == lab.StatusSkipped || res.Status == lab.StatusDone && n >= i {
					t.Errorf("cut %s change %d: %d is %s", where, i, n, res.Status)
				}
			}
			box.Faults().Reset()
			whole(t, box, s, fmt.Sprint(where, i))
			if err := lab.Wait(t.Context(), lab.Poll{What: "the lock", First: time.Millisecond}, func(ctx context.Context) (bool, error) {
				_, err := m.Run(ctx, ssh.Command{Script: ":", Root: true, Lock: true})
				if errors.Is(err, lab.ErrBlocked) {
					return false, nil // the script that was cut off has not noticed yet
				}
				return err == nil, err
			}); err != nil {
				t.Fatal(err)
			}
			settle(t, m, s)
		}
	}
}

// TestPowerCutAtEveryWrite cuts the power at every write of the machine. What was written and not synced is lost.
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

// TestRoundTripsDoNotGrow: a converged machine with 200 resources costs one connection, one exec and no write, and fewer than 12 round trips.
func TestRoundTripsDoNotGrow(t *testing.T) {
	var s host.State
	for i := range 20 {
		s = append(s, host.Directory{Path: fmt.Sprintf("/srv/d%02d", i)})
		for j := range 7 {
			s = append(s, host.File{Path: fmt.Sprintf("/srv/d%02d/f%d", i, j), Content: fmt.Sprint(i, j)})
		}
		s = append(s, host.Line{Path: "/etc/hosts", Line: fmt.Sprintf("192.0.2.%d h%d", i+1, i)}, host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1", File: fmt.Sprintf("/etc/sysctl.d/%02d.conf", i)})
	}
	seen := map[string]bool{}
	var unique host.State
	for _, r := range s {
		if !seen[r.ID()] {
			seen[r.ID()] = true
			unique = append(unique, r)
		}
	}
	for i := len(unique); i < 200; i++ {
		unique = append(unique, host.Link{Path: fmt.Sprintf("/srv/l%d", i), Target: "/srv/d00"})
	}
	box, m := open(t, hosttest.Config{})
	settle(t, m, unique)
	m.Close()
	fresh := &host.Machine{Target: inProcess(box)}
	defer fresh.Close()
	before := box.Counters()
	p, err := fresh.Plan(t.Context(), unique)
	if err != nil || !p.Empty() {
		t.Fatalf("%v %s", err, p)
	}
	after := box.Counters()
	if n := after.Turns - before.Turns; n >= 12 {
		t.Errorf("%d round trips", n)
	}
	if after.Connections-before.Connections != 1 || after.Execs-before.Execs != 1 || after.Writes != before.Writes || after.TmpWrites != before.TmpWrites {
		t.Errorf("connections %d, execs %d, writes %d and %d", after.Connections-before.Connections, after.Execs-before.Execs, after.Writes-before.Writes, after.TmpWrites-before.TmpWrites)
	}
	t.Logf("200 resources: %d round trips, %d bytes to the machine, %d from it", after.Turns-before.Turns, after.BytesIn-before.BytesIn, after.BytesOut-before.BytesOut)
}

func TestUnreachableMachineStopsNobodyElse(t *testing.T) {
	var f host.Fleet
	var boxes []*hosttest.Machine
	for range 3 {
		box, m := open(t, hosttest.Config{})
		m.Target.Name = fmt.Sprintf("pi%d", len(boxes)+1)
		boxes, f.Machines = append(boxes, box), append(f.Machines, m)
	}
	boxes[1].Faults().Refuse(true)
	if err := boxes[2].Faults().ChangeHostKey(); err != nil {
		t.Fatal(err)
	}
	want := func(*host.Machine) (host.State, error) { return someState(), nil }
	p, err := f.Plan(t.Context(), want)
	if !errors.Is(err, lab.ErrUnreachable) || !errors.Is(err, lab.ErrHostKey) || p == nil {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{"pi2", "pi3", "SHA256:"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if strings.Count(err.Error(), "SHA256:") < 2 || len(lab.Hints(err)) == 0 {
		t.Errorf("not both fingerprints, or no next step: %v %q", err, lab.Hints(err))
	}
	if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Errorf("%v %s", err, r)
	}
	if _, err := boxes[0].FS().ReadFile("/srv/app/a"); err != nil {
		t.Error(err)
	}
}

// TestFleetStopsWhereAGateFails changes machines one after the other, asks a gate after each, and stops or goes on as asked.
func TestFleetStopsWhereAGateFails(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		var asked []string
		f := host.Fleet{Serial: 1, ContinueOnFailure: goOn}
		for i := range 3 {
			_, m := open(t, hosttest.Config{})
			m.Target.Name = fmt.Sprintf("pi%d", i+1)
			f.Machines = append(f.Machines, m)
		}
		f.Gate = func(_ context.Context, m *host.Machine) error {
			asked = append(asked, m.Name())
			if m.Name() == "pi2" {
				return errors.New("not healthy")
			}
			return nil
		}
		p, err := f.Plan(t.Context(), func(*host.Machine) (host.State, error) {
			return host.State{host.File{Path: "/etc/x", Content: "x"}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Apply(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "not healthy") {
			t.Errorf("%v", err)
		}
		want := lab.StatusSkipped
		if goOn {
			want = lab.StatusDone
		}
		if got := r.Results[2].Status; got != want || r.Results[1].Status != lab.StatusDone {
			t.Errorf("go on %v: pi3 is %s, want %s; %q were asked", goOn, got, want, asked)
		}
	}
}

// TestBigFile: 100 MB arrive exactly, and a source that changes while it is sent is refused.
func TestBigFile(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	content := bytes.Repeat([]byte("0123456789abcdef"), 100<<20/16)
	content[50<<20] = 0
	source := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := host.State{host.File{Path: "/srv/big", Source: source}, host.File{Path: "/srv/after", Content: "after\n"}}
	settle(t, m, s)
	got, err := box.FS().ReadFile("/srv/big")
	if err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := os.WriteFile(source, content[:1000], 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), host.State{host.File{Path: "/srv/other", Source: source}, host.File{Path: "/srv/after2", Content: "after\n"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, content[:500], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), nil)
	if err == nil || r.Results[0].Status != lab.StatusFailed || r.Results[1].Status != lab.StatusDone {
		t.Errorf("a source that shrank: %v\n%s", err, r)
	}
	if _, err := box.FS().Stat("/srv/other"); err == nil {
		t.Error("it was put in place")
	}
}

// TestRebootIsOne: two resources ask for a reboot, the machine reboots once, and the run waits for the new boot.
func TestRebootIsOne(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if err := box.FS().WriteFile("/run/reboot-required", nil); err != nil {
		t.Fatal(err)
	}
	const count = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >>/srv/boots'\n[Install]\nWantedBy=multi-user.target\n"
	if err := box.FS().WriteFile("/etc/systemd/system/count.service", []byte(count)); err != nil {
		t.Fatal(err)
	}
	if out, err := box.Exec("systemctl enable count"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := host.State{host.KernelCmdline{Words: []string{"cgroup_enable=memory"}, Reboot: true}, host.Reboot{}}
	settle(t, m, s)
	await(t, "the boot to be counted", func() bool { boots, err := box.FS().ReadFile("/srv/boots"); return err == nil && len(boots) > 0 })
	if boots := must(box.FS().ReadFile("/srv/boots")); string(boots) != "x\n" {
		t.Errorf("it was rebooted %d times", bytes.Count(boots, []byte("x")))
	}
}

// TestInterrupted: a run that is cancelled ends its script on the machine, tells the truth, and the next run goes on.
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
		t.Errorf("it still runs: %v\n%s", err, out)
	}
	s[1] = host.Command{Name: "slow", Run: ": >/srv/slow", Creates: "/srv/slow"}
	settle(t, m, s)
}
