package k3s_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// replaced gives a machine a new disk: nothing of k3s is on it any more.
func (s *site) replaced(machine int) {
	s.Helper()
	s.exec(machine, `for u in k3s k3s-agent; do systemctl disable --now $u.service 2>/dev/null || :; done
rm -rf /etc/rancher /var/lib/rancher /var/lib/lab /usr/local/bin/k3s /usr/local/bin/kubectl /usr/local/bin/crictl /usr/local/bin/ctr \
  /etc/systemd/system/k3s.service /etc/systemd/system/k3s.service.d /etc/systemd/system/k3s-agent.service /etc/systemd/system/k3s-agent.service.d
systemctl daemon-reload`)
}

// down waits until the cluster shows a node as not ready, as a server that is there says.
func (s *site) down(asked, machine int) {
	s.Helper()
	name := fmt.Sprintf("pi%d", machine)
	err := lab.Wait(s.Context(), lab.Poll{What: name + " to be down", First: 50 * time.Millisecond, Timeout: 20 * time.Second},
		func(context.Context) (bool, error) {
			var list struct {
				Items []struct {
					Metadata struct{ Name string }
					Status   struct {
						Conditions []struct{ Type, Status string }
					}
				}
			}
			text := s.exec(asked, "k3s kubectl get --raw /api/v1/nodes 2>/dev/null || :")
			if json.Unmarshal([]byte(text), &list) != nil {
				return false, nil // another server is to lead first
			}
			for _, i := range list.Items {
				if i.Metadata.Name == name {
					return i.Status.Conditions[0].Status == "False", nil
				}
			}
			return false, nil
		})
	if err != nil {
		s.Fatal(err)
	}
}

// TestLostServers: of three servers, any may lose its disk, the first too: it joins the cluster that lives on in the others,
// with all of the data. Where two have, there is no quorum, and no plan makes a second cluster; after a reset of the
// one that is left, they join that, one at a time.
func TestLostServers(t *testing.T) {
	for _, lost := range [][]int{{1}, {2}, {3}, {1, 2}, {1, 3}, {2, 3}} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 3, 1)
			s.apply()
			s.object(`"data"`)
			left := 0
			for i := 3; i > 0; i-- {
				if !strings.Contains(fmt.Sprint(lost), fmt.Sprint(i)) {
					left = i
				}
			}
			for _, i := range lost {
				s.replaced(i)
			}
			if len(lost) == 2 {
				s.exec(left, "while k3s kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.1; done")
				p, err := s.plan()
				if err == nil || !strings.Contains(err.Error(), "lost its quorum") {
					t.Fatalf("%v\n%s", err, p)
				}
				if hints := strings.Join(lab.Hints(err), " "); !strings.Contains(hints, "--cluster-reset") {
					t.Error(hints)
				}
				if p != nil && !p.Empty() {
					t.Errorf("planned:\n%s", p)
				}
				s.exec(left, "systemctl stop k3s; sed -i '/^server: /d' /etc/rancher/k3s/config.yaml; k3s server --cluster-reset; systemctl start k3s")
			}
			for _, i := range lost {
				s.down(left, i)
			}
			if _, err := s.mustPlan().Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) {
				t.Errorf("unconfirmed: %v", err)
			}
			p := s.apply()
			s.converged()
			for _, i := range lost {
				if !strings.Contains(p.String(), fmt.Sprintf("k3s/forget/pi%d", i)) {
					t.Errorf("pi%d is not forgotten:\n%s", i, p)
				}
			}
			for i := 1; i <= 3; i++ {
				if got := strings.TrimSpace(s.exec(i, "k3s kubectl get --raw /api/v1/test")); got != `"data"` {
					t.Errorf("pi%d has %s", i, got)
				}
			}
			joins := strings.Contains(s.exec(1, "cat /etc/rancher/k3s/config.yaml"), "server: ")
			if joins != (lost[0] == 1) {
				t.Errorf("pi1 joins another: %t", joins)
			}
			s.confirm(k3s.PlanSnapshot(t.Context(), s.machines, s.config))
			s.object(`"later"`)
			all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			s.confirm(k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name))
			s.apply()
			s.converged()
			if got := strings.TrimSpace(s.exec(3, "k3s kubectl get --raw /api/v1/test")); got != `"data"` {
				t.Errorf("restored: %s", got)
			}
			s.version(newer)
			s.apply()
			s.converged()
		})
	}
}

// TestLostUnknown: a first server with a new disk makes no cluster while nobody can say whether there is one.
func TestLostUnknown(t *testing.T) {
	s := newSite(t, 3, 1)
	s.apply()
	s.replaced(1)
	s.exec(2, "systemctl stop k3s")
	s.exec(3, "systemctl stop k3s")
	if p, err := s.plan(); !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "pi2 and pi3 have one") {
		t.Errorf("stopped: %v\n%s", err, p)
	}
	for i := 1; i < 4; i++ {
		s.boxes[i].Close()
	}
	if p, err := s.plan(); err == nil || p != nil {
		t.Errorf("not reached: %v\n%s", err, p)
	}
}

// TestLostAll: where no server has anything, a node of the cluster that was there says that there was one.
func TestLostAll(t *testing.T) {
	s := newSite(t, 3, 1)
	s.apply()
	for i := 1; i <= 3; i++ {
		s.replaced(i)
	}
	if p, err := s.plan(); !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "pi4 is a node of one") {
		t.Errorf("%v\n%s", err, p)
	}
}

// TestLostAgent: an agent with a new disk joins again under its name.
func TestLostAgent(t *testing.T) {
	s := newSite(t, 1, 2)
	s.apply()
	s.replaced(3)
	s.down(1, 3)
	s.apply()
	s.converged()
	if log := strings.Join(s.log(), "\n"); !strings.HasSuffix(log, "delete pi3\nattach pi3 "+release) {
		t.Error(log)
	}
}

// TestLostCutOff: cut off after any change, the first server joins at the end all the same, and makes no cluster meanwhile.
func TestLostCutOff(t *testing.T) {
	real.Long(t)
	for k := 1; ; k++ {
		s := newSite(t, 3, 0)
		s.apply()
		s.object(`"data"`)
		s.replaced(1)
		s.down(2, 1)
		p := s.mustPlan()
		if k > len(p.Changes()) {
			return
		}
		ctx, cut := context.WithCancel(t.Context())
		done := 0
		_, _ = p.Apply(ctx, &lab.ApplyOptions{Confirmed: forgets(p), Events: func(e lab.Event) {
			if e.Kind == lab.EventDone {
				if done++; done == k {
					cut()
				}
			}
		}})
		cut()
		s.apply()
		s.converged()
		if got := strings.TrimSpace(s.exec(1, "k3s kubectl get --raw /api/v1/test")); got != `"data"` {
			t.Fatalf("cut after %d: %s", k, got)
		}
	}
}
