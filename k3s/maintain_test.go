package k3s_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// confirm applies a plan, all of whose changes are confirmed.
func (s *site) confirm(p *lab.Plan, err error) *lab.Plan {
	s.Helper()
	if err != nil {
		s.Fatalf("plan: %v\n%s", err, strings.Join(lab.Hints(err), "\n"))
	}
	var o lab.ApplyOptions
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	if r, err := p.Apply(s.Context(), &o); err != nil {
		s.Fatalf("apply: %v\n%s\n%s", err, p, r)
	}
	return p
}

// object writes something into the datastore, and returns what reads it.
func (s *site) object(text string) (read func() string) {
	s.Helper()
	s.exec(1, "echo '"+text+"' | k3s kubectl replace --raw /api/v1/test -f -")
	return func() string { s.Helper(); return strings.TrimSpace(s.exec(1, "k3s kubectl get --raw /api/v1/test")) }
}

// A cluster goes back to a snapshot, after an upgrade too, and the agents follow; what it had is kept.
func TestRestore(t *testing.T) {
	for name, servers := range map[string]int{"sqlite": 1, "etcd": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, servers, 2)
			s.apply()
			read := s.object(`"before"`)
			s.confirm(k3s.PlanSnapshot(t.Context(), s.machines, s.config))
			s.object(`"after"`)
			all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			s.version(newer)
			if _, err := k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name); !errors.Is(err, lab.ErrRefused) {
				t.Errorf("another release: %v", err)
			}
			s.apply()
			s.version(release)
			if _, err := k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, "20200101T000000Z-x"); !errors.Is(err, lab.ErrNotFound) {
				t.Errorf("no such snapshot: %v", err)
			}
			p, err := k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Apply(t.Context(), nil); err == nil || read() != `"after"` {
				t.Errorf("restored without being asked: %v", err)
			}
			s.confirm(k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name))
			if got := read(); got != `"before"` {
				t.Errorf("the datastore has %s", got)
			}
			s.apply()
			s.converged()
			for i := range s.machines {
				if got := s.exec(i+1, "k3s --version"); !strings.Contains(got, release) {
					t.Errorf("pi%d: %s", i+1, got)
				}
			}
			if got := s.exec(1, "cat /var/lib/lab/k3s/replaced/*/state.db /var/lib/lab/k3s/replaced/*/etcd/member 2>/dev/null || :"); !strings.Contains(got, "after") {
				t.Errorf("what was replaced is not kept: %s", got)
			}
			s.exec(1, "echo x >>/var/lib/lab/k3s/snapshots/"+all[0].Name+"/token")
			if _, err := k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name); err == nil || !strings.Contains(err.Error(), "is damaged") {
				t.Errorf("a damaged snapshot: %v", err)
			}
		})
	}
}

// Certificates are made again one node at a time, and nothing else changes.
func TestRotateCertificates(t *testing.T) {
	s := newSite(t, 1, 1)
	s.apply()
	before := s.exec(1, "cat /etc/rancher/k3s/k3s.yaml")
	s.confirm(k3s.PlanRotateCertificates(t.Context(), s.machines, s.config, s.sink))
	if s.exec(1, "cat /etc/rancher/k3s/k3s.yaml") == before || s.cluster.Starts("pi2") < 2 {
		t.Error("not made again")
	}
	s.converged()
}

// Machines are no nodes any more, and keep what is not of k3s; then they can be nodes again.
func TestUninstall(t *testing.T) {
	s := newSite(t, 1, 2)
	var removed []string
	withDocker(t, s.boxes[1], "1.51 1.24")
	s.boxes[1].Handle("/usr/bin/docker", func(p *hosttest.Process) int {
		switch strings.Join(p.Args[1:], " ") {
		case "ps -aq --filter name=^k8s_":
			_, _ = p.Stdout().Write([]byte("aaa\nbbb\n"))
		case "rm -f aaa bbb":
			removed = append(removed, p.Args[3:]...)
		}
		return 0
	})
	s.apply()
	s.exec(2, "mkdir -p /srv/data /var/lib/rancher/k3s/storage; echo keep >/srv/data/x; echo gone >/var/lib/rancher/k3s/storage/x")
	s.exec(1, `echo '{"items":[{"metadata":{"name":"pvc-1"},"status":{"state":"attached","robustness":"healthy"}}]}' | k3s kubectl replace --raw /apis/longhorn.io/v1beta2/volumes -f -`)
	if _, err := k3s.PlanUninstall(t.Context(), s.machines, s.config); !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "pvc-1") {
		t.Errorf("attached volumes: %v", err)
	}
	if _, err := k3s.PlanUninstall(t.Context(), s.machines, s.config, "pi1"); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("the server alone: %v", err)
	}
	p, err := k3s.PlanUninstall(t.Context(), s.machines, s.config, "pi2")
	if err != nil || p.Risk() != lab.RiskDataLoss {
		t.Fatal(err, p)
	}
	if _, err := p.Apply(t.Context(), nil); err == nil {
		t.Error("uninstalled without being asked")
	}
	s.confirm(k3s.PlanUninstall(t.Context(), s.machines, s.config, "pi2"))
	if got := s.exec(2, "ls -d /usr/local/bin/* /etc/rancher/* /var/lib/rancher/* /etc/systemd/system/k3s* 2>/dev/null; cat /srv/data/x"); got != "keep\n" {
		t.Errorf("left over: %s", got)
	}
	if len(removed) != 2 {
		t.Errorf("containers of Docker: %q", removed)
	}
	if log := strings.Join(s.log(), "\n"); !strings.Contains(log, "drain pi2\ndelete pi2") {
		t.Error(log)
	}
	s.apply()
	s.converged()
	s.exec(1, `echo '{"items":[]}' | k3s kubectl replace --raw /apis/longhorn.io/v1beta2/volumes -f -`)
	s.confirm(k3s.PlanUninstall(t.Context(), s.machines, s.config))
	if p, err := k3s.PlanUninstall(t.Context(), s.machines, s.config); err != nil || !p.Empty() {
		t.Errorf("a second time: %v\n%s", err, p)
	}
}

// A restoration that is cut off at any write is not taken for a cluster that is fine, and ends when it is made again.
func TestRestoreCutOff(t *testing.T) {
	real.Long(t)
	for k := 1; ; k++ {
		s := newSite(t, 1, 0)
		s.apply()
		read := s.object(`"before"`)
		s.confirm(k3s.PlanSnapshot(t.Context(), s.machines, s.config))
		s.object(`"after"`)
		all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
		if err != nil {
			t.Fatal(err)
		}
		p, err := k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		done := s.boxes[0].Faults().PowerCutAtWrite(k)
		_, err = p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm("k3s/restore/pi1")}})
		if err == nil {
			if k < 10 {
				t.Errorf("only %d writes", k)
			}
			return
		}
		<-done
		if state := s.exec(1, "[ ! -f /var/lib/lab/k3s/replaced/unfinished ] || systemctl is-active k3s.service || :"); strings.HasPrefix(state, "active") {
			t.Fatalf("cut at write %d: k3s runs with half a datastore", k)
		}
		if p, err := s.plan(); err == nil { // it is before the first change, or after the last
			if r, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatal(err, r)
			}
			if got := read(); got != `"before"` && got != `"after"` {
				t.Fatalf("cut at write %d: the datastore has %s", k, got)
			}
		} else if !errors.Is(err, lab.ErrRefused) && !errors.Is(err, lab.ErrBlocked) {
			t.Fatalf("cut at write %d: %v", k, err)
		}
		s.confirm(k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name))
		if got := read(); got != `"before"` {
			t.Fatalf("cut at write %d: the datastore has %s", k, got)
		}
		s.apply()
		s.converged()
	}
}

// TestUninstallServer: one of several servers leaves the cluster, the first too, which goes on; not while another is down.
func TestUninstallServer(t *testing.T) {
	s := newSite(t, 3, 1)
	s.apply()
	s.object(`"data"`)
	s.config.Timeout = 1e9
	s.exec(3, "systemctl stop k3s")
	s.down(2, 3)
	p, err := k3s.PlanUninstall(t.Context(), s.machines, s.config, "pi1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), &lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm("k3s/uninstall/pi1")}}); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("with pi3 down: %v", err)
	}
	s.exec(3, "systemctl start k3s")
	s.config.Timeout = 20e9
	s.confirm(k3s.PlanUninstall(t.Context(), s.machines, s.config, "pi1"))
	if got := s.exec(2, "until k3s kubectl get --raw /api/v1/test; do sleep 0.1; done 2>/dev/null; k3s kubectl get --raw /api/v1/nodes"); !strings.HasPrefix(got, `"data"`) || strings.Contains(got, `"pi1"`) {
		t.Error(got)
	}
	s.apply() // it is in the config: it joins again, as a server that was lost
	s.converged()
	if got := s.exec(1, "k3s kubectl get --raw /api/v1/test"); !strings.HasPrefix(got, `"data"`) {
		t.Error(got)
	}
}
