package k3s_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func (s *site) planRotation() (*lab.Plan, error) {
	return k3s.PlanRotateToken(s.Context(), s.machines, s.config, s.sink.(lab.Replacer))
}

// rotated fails the test unless all nodes have the tokens of the sink, and neither has the old ones.
func (s *site) rotated(old ...string) {
	s.Helper()
	s.converged()
	for i, m := range s.machines {
		want, user := s.secret(k3s.ServerToken), "server"
		if i >= len(s.config.Servers) {
			want, user = s.secret(k3s.AgentToken), "node"
		}
		got := s.exec(i+1, "cat /etc/rancher/k3s/token")
		if !strings.HasSuffix(got, want+"\n") || i > 0 && !strings.Contains(got, "::"+user+":") {
			s.Errorf("%s has another token", m.Name())
		}
		for _, o := range old {
			if all := s.exec(i+1, "cat /etc/rancher/k3s/* /var/lib/rancher/k3s/server/token /var/lib/rancher/k3s/server/agent-token 2>/dev/null || :"); strings.Contains(all, o) {
				s.Errorf("%s has an old token", m.Name())
			}
		}
	}
}

// TestRotateToken: all nodes have new tokens, one node at a time; a snapshot with the old token is restored all the same.
func TestRotateToken(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, servers, 1)
			if _, err := s.planRotation(); err == nil {
				t.Error("rotated without a cluster")
			}
			s.apply()
			oldServer, oldAgent := s.secret(k3s.ServerToken), s.secret(k3s.AgentToken)
			s.object(`"data"`)
			s.confirm(k3s.PlanSnapshot(t.Context(), s.machines, s.config))
			s.object(`"later"`)
			p := s.confirm(s.planRotation())
			if text := p.String(); strings.Contains(text, oldServer) || strings.Contains(text, s.secret(k3s.ServerToken)) {
				t.Errorf("a token is shown:\n%s", text)
			}
			if s.secret(k3s.ServerToken) == oldServer || s.secret(k3s.AgentToken) == oldAgent {
				t.Error("the sink has an old token")
			}
			s.rotated(oldServer, oldAgent)
			for i := range s.machines {
				s.boxes[i].Reboot() // all start with what they have
			}
			s.exec(1, "until k3s kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.1; done")
			s.apply()
			s.rotated(oldServer, oldAgent)

			newServer := s.secret(k3s.ServerToken)
			all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			s.confirm(k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name))
			s.apply()
			if got := strings.TrimSpace(s.exec(1, "k3s kubectl get --raw /api/v1/test")); got != `"data"` {
				t.Errorf("restored: %s", got)
			}
			if s.secret(k3s.ServerToken) != oldServer {
				t.Error("the sink has not the token of the snapshot")
			}
			s.rotated(newServer, oldAgent)
		})
	}
}

// TestRotateTokenCutOff: cut off after any change, a plan of the nodes is refused or changes nothing that the rotation
// has done, and another rotation ends it.
func TestRotateTokenCutOff(t *testing.T) {
	real.Long(t)
	for _, servers := range []int{1, 3} {
		for k := 1; ; k++ {
			s := newSite(t, servers, 1)
			s.apply()
			oldServer, oldAgent := s.secret(k3s.ServerToken), s.secret(k3s.AgentToken)
			p, err := s.planRotation()
			if err != nil {
				t.Fatal(err)
			}
			if k >= len(p.Changes()) {
				break
			}
			ctx, cut := context.WithCancel(t.Context())
			done := 0
			_, _ = p.Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) {
				if e.Kind == lab.EventDone {
					if done++; done == k {
						cut()
					}
				}
			}})
			cut()
			if p, err := s.plan(); err != nil && !errors.Is(err, lab.ErrRefused) || err == nil && !p.Empty() {
				t.Errorf("cut off after %d: a plan of the nodes: %v\n%s", k, err, p)
			}
			if s.secret(k3s.ServerToken) == oldServer {
				s.confirm(s.planRotation())
			}
			s.rotated(oldServer, oldAgent)
		}
	}
}

// TestRotateTokenPowerCut: after the datastore has the new token, the machines lose power, one or all servers: they do not
// start with the token that they have, and the rotation brings them up.
func TestRotateTokenPowerCut(t *testing.T) {
	for name, c := range map[string]struct{ servers, cut int }{"one": {1, 1}, "one of three": {3, 1}, "three": {3, 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.servers, 1)
			s.apply()
			s.object(`"data"`)
			oldServer, oldAgent := s.secret(k3s.ServerToken), s.secret(k3s.AgentToken)
			p, err := s.planRotation()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cut := context.WithCancel(t.Context())
			_, _ = p.Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) {
				if e.Kind == lab.EventDone && e.Change == "k3s/rotate/pi1" {
					cut()
				}
			}})
			cut()
			for i := range c.cut {
				s.boxes[i].PowerCut()
			}
			for p, err = s.planRotation(); errors.Is(err, lab.ErrBlocked) && c.cut < c.servers; p, err = s.planRotation() {
				t.Log("the others elect a leader of etcd")
				time.Sleep(20 * time.Millisecond)
			}
			if c.cut == c.servers {
				if !errors.Is(err, lab.ErrBlocked) || p == nil {
					t.Fatalf("%v\n%s", err, p)
				}
				s.confirm(p, nil)
				p, err = s.planRotation()
			}
			if err != nil {
				t.Fatal(err)
			}
			// One that seemed to start while it was planned is changed first by the next plan, as the hint says.
			if r, err := p.Apply(t.Context(), nil); errors.Is(err, lab.ErrRefused) && c.cut < c.servers {
				s.confirm(s.planRotation())
			} else if err != nil {
				t.Fatalf("%v\n%s\n%s", err, p, r)
			}
			s.rotated(oldServer, oldAgent)
			if got := strings.TrimSpace(s.exec(1, "k3s kubectl get --raw /api/v1/test")); got != `"data"` {
				t.Errorf("the datastore has %s", got)
			}
		})
	}
}

// TestRotateTokenHalf: k3s was cut off between its token files and the datastore: it is restarted with the old token.
func TestRotateTokenHalf(t *testing.T) {
	s := newSite(t, 1, 1)
	s.apply()
	old := s.secret(k3s.ServerToken)
	next := strings.Repeat("n", 43)
	sink := s.sink.(lab.SecretDir)
	name := s.exec(1, "printf %s '"+old+"' | sha256sum | cut -c 1-8")
	if err := sink.Put(t.Context(), k3s.ServerToken+"-after-"+strings.TrimSpace(name), lab.NewSecret(next)); err != nil {
		t.Fatal(err)
	}
	s.exec(1, "sed -i 's/"+old+"/"+next+"/' /var/lib/rancher/k3s/server/token")
	s.confirm(s.planRotation())
	s.rotated(old)
	if s.secret(k3s.ServerToken) != next {
		t.Error("another token than the one that was begun with")
	}
}
