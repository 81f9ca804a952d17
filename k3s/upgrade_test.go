package k3s_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// An upgrade makes a snapshot, and then takes the server and the agents one at a time: each is drained, changed, ready
// with the version, and takes pods again before the next.
func TestUpgrade(t *testing.T) {
	s := newSite(t, 1, 2)
	s.apply()
	before := len(s.log())
	s.version(newer)
	p := s.apply()
	s.converged()
	var want []string
	for _, name := range []string{"pi1", "pi2", "pi3"} {
		want = append(want, "drain "+name, "attach "+name+" "+newer, "uncordon "+name)
	}
	var got []string
	for _, line := range s.log()[before:] {
		if !strings.HasSuffix(line, release) { // k3s was stopped for the snapshot, and the others joined again
			got = append(got, line)
		}
	}
	got = compact(got)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("order:\n%s\n%s", strings.Join(got, "\n"), p)
	}
	all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
	if err != nil || len(all) != 1 || all[0].Version != release || all[0].Datastore != "sqlite" {
		t.Errorf("snapshots: %+v, %v", all, err)
	}
}

// compact removes the lines of agents that joined again after their server was restarted.
func compact(lines []string) (out []string) {
	seen := map[string]bool{}
	for _, l := range lines {
		if strings.HasPrefix(l, "attach") && seen[l] {
			continue
		}
		seen[l] = true
		out = append(out, l)
	}
	return out
}

// Refusals: whatever cannot end well is refused before anything is changed.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*site)
		kind   error
		says   string
	}{
		"downgrade":     {func(s *site) { s.version(older) }, lab.ErrRefused, "is older"},
		"skipped minor": {func(s *site) { s.version(skipped) }, lab.ErrRefused, "skips a minor version"},
		"token": {func(s *site) {
			s.sink = lab.SecretDir{Path: s.TempDir() + "/other"}
			if err := s.sink.Put(s.Context(), k3s.ServerToken, lab.NewSecret("another")); err != nil {
				s.Fatal(err)
			}
		}, lab.ErrRefused, "it has another token than the sink"},
		"network": {func(s *site) { s.config.ServerOptions = map[string]any{"cluster-cidr": "10.52.0.0/16"} }, lab.ErrRefused,
			`cluster-cidr would change from "10.42.0.0/16" to "10.52.0.0/16"`},
		"data": {func(s *site) { s.config.DataDir = "/srv/k3s" }, lab.ErrRefused, "data-dir would change"},
		"role": {func(s *site) { s.config.Servers, s.config.Agents = []string{"pi2"}, []string{"pi1"} }, lab.ErrRefused,
			"it has k3s-agent.service, and shall have k3s.service"},
		"sqlite": {func(s *site) {
			s.exec(2, "systemctl disable --now k3s-agent.service; rm /etc/systemd/system/k3s-agent.service; rm -r /etc/rancher /var/lib/rancher")
			s.config.Servers, s.config.Agents = []string{"pi1", "pi2", "pi3"}, nil
		}, lab.ErrRefused, "SQLite, which cannot be that of 3 servers"},
		"no cluster": {func(s *site) {
			s.exec(1, "systemctl disable --now k3s.service; rm /etc/systemd/system/k3s.service; rm -r /etc/rancher /var/lib/rancher")
		}, lab.ErrRefused, "a new one would have none of its data"},
		"lost token": {func(s *site) {
			s.sink = lab.SecretDir{Path: s.TempDir() + "/other"}
			s.exec(1, "rm /var/lib/rancher/k3s/server/token")
		}, lab.ErrRefused, "neither it nor the sink has the token"},
		"lost datastore": {func(s *site) { s.exec(1, "systemctl stop k3s; rm /var/lib/rancher/k3s/server/db/state.db") }, lab.ErrRefused,
			"no datastore"},
		"unreadable": {func(s *site) { s.exec(1, "echo '{' >/etc/rancher/k3s/config.yaml") }, lab.ErrConflict, "cannot be read"},
		"host name":  {func(s *site) { s.exec(2, "hostnamectl set-hostname other") }, lab.ErrRefused, "its host name is other"},
		"docker":     {func(s *site) { s.config.Docker = true }, lab.ErrBlocked, "Docker does not answer"},
		"machine ID": {func(s *site) {
			s.exec(2, "echo "+strings.TrimSpace(s.exec(1, "cat /etc/machine-id"))+" >/etc/machine-id")
		},
			lab.ErrConflict, "one is a copy of the other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 1, 2)
			s.apply()
			c.change(s)
			_, err := s.plan()
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || len(lab.Hints(err)) == 0 {
				t.Errorf("%v", err)
			}
		})
	}
}

// A program that is not of the release that the Config says is found, before and after there is a cluster.
func TestWrongProgram(t *testing.T) {
	s := newSite(t, 1, 1)
	s.config.Version, s.config.Timeout = newer, time.Second // with the programs of the other
	if _, err := s.mustPlan().Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "pi1 runs "+release) {
		t.Errorf("%v", err)
	}
	if n := s.cluster.Starts("pi2"); n != 0 {
		t.Error("pi2 was made a node, although pi1 is not as it shall be")
	}
	if _, err := s.plan(); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "which says that it is "+release) {
		t.Errorf("%v", err)
	}
}

// Never two nodes are down at once: a node is not touched while another is not ready.
func TestTwoAtOnce(t *testing.T) {
	s := newSite(t, 1, 2)
	s.apply()
	s.exec(3, "systemctl stop k3s-agent.service; systemctl mask --runtime k3s-agent.service")
	s.boxes[2].Faults().Refuse(true)
	s.machines[2].Close()
	s.config.Timeout = time.Second
	s.config.Options = map[string]any{"kubelet-arg": []string{"max-pods=50"}}
	before := s.cluster.Starts("pi1")
	p, err := s.plan()
	if !errors.Is(err, lab.ErrUnreachable) || p == nil {
		t.Fatal(err)
	}
	_, err = p.Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "pi3 is not ready, and two nodes would be down at once") {
		t.Errorf("%v", err)
	}
	if n := s.cluster.Starts("pi1"); n != before {
		t.Errorf("pi1 was restarted")
	}
}

// A change of the options restarts each node once, one after the other, without a drain; no change restarts none.
func TestOptions(t *testing.T) {
	s := newSite(t, 1, 2)
	s.apply()
	before := []int{s.cluster.Starts("pi1"), s.cluster.Starts("pi2"), s.cluster.Starts("pi3")}
	s.config.Options = map[string]any{"kubelet-arg": []string{"max-pods=50"}}
	p := s.apply()
	if !strings.Contains(p.String(), "+    - max-pods=50") {
		t.Errorf("the plan does not show the option:\n%s", p)
	}
	s.converged()
	if n := s.cluster.Starts("pi1"); n != before[0]+1 {
		t.Errorf("pi1 started %d times", n-before[0])
	}
	for _, line := range s.log() {
		if strings.HasPrefix(line, "drain") {
			t.Error(line)
		}
	}
}

// laws are the laws for an upgrade of a cluster that is there.
func laws(t *testing.T, fresh func(*testing.T) *site) {
	world := func(t *testing.T) lawtest.World {
		s := fresh(t)
		s.apply()
		s.version(newer)
		w := lawtest.World{Plan: func(ctx context.Context) (*lab.Plan, error) {
			return k3s.Plan(ctx, s.machines, s.config, s.sink)
		}, RunsOn: true}
		w.Drift = func(testing.TB) {
			s.exec(2, "echo 'docker: true' >>/etc/rancher/k3s/config.yaml; sed -i /docker/d /etc/rancher/k3s/config.yaml; chmod 0644 /etc/rancher/k3s/config.yaml")
		}
		for _, name := range []string{k3s.ServerToken, k3s.AgentToken} {
			v, err := s.sink.Get(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			w.Secrets = append(w.Secrets, v)
		}
		w.Texts = func(testing.TB) []string {
			return []string{s.exec(1, "journalctl -o cat; cat /etc/rancher/k3s/config.yaml")}
		}
		if s.boxes != nil {
			w.Writes = func(testing.TB) (n int64) {
				for _, b := range s.boxes {
					c := b.Counters()
					n += int64(c.Writes)
				}
				return n
			}
		}
		return w
	}
	lawtest.Laws(t, func(t *testing.T) lawtest.World {
		w := world(t)
		w.Again = func(tb testing.TB) lawtest.World { return world(t) }
		return w
	})
}

func TestLaws(t *testing.T) {
	laws(t, func(t *testing.T) *site { return newSite(t, 1, 2) })
}

// Cut off at any write of a machine by a power cut, the next runs make the cluster, or end its upgrade.
func TestPowerCuts(t *testing.T) {
	real.Long(t)
	for name, upgrade := range map[string]bool{"first": false, "upgrade": true} {
		for machine := range 2 {
			t.Run(fmt.Sprintf("%s/pi%d", name, machine+1), func(t *testing.T) {
				t.Parallel()
				for k := 1; ; k += 3 {
					s := newSite(t, 1, 1)
					s.config.Timeout = 5 * time.Second
					if upgrade {
						s.apply()
						s.version(newer)
					}
					done := s.boxes[machine].Faults().PowerCutAtWrite(k)
					_, err := s.mustPlan().Apply(t.Context(), nil)
					if err == nil {
						if k < 5 {
							t.Errorf("only %d writes", k)
						}
						return
					}
					<-done
					for try := 0; ; try++ {
						p, err := s.plan()
						if err == nil {
							_, err = p.Apply(t.Context(), nil)
						}
						if err == nil {
							break
						}
						if try == 3 {
							t.Fatalf("cut at write %d: %v\n%s", k, err, p)
						}
					}
					s.converged()
				}
			})
		}
	}
}

// What k3s cannot run on is refused before anything is written: no memory controller, a clock that is wrong, a Docker
// Engine that its cri-dockerd cannot use.
func TestHosts(t *testing.T) {
	for name, c := range map[string]struct {
		box    hosttest.Config
		docker string // "MAX MIN" of the engine's API; empty means that k3s has containerd
		says   string
	}{
		"memory":     {hosttest.Config{Cmdline: "console=tty1 root=PARTUUID=00000000-02 rootwait"}, "", "no memory controller for cgroups"},
		"clock":      {hosttest.Config{Cmdline: cmdline, Now: func() time.Time { return time.Now().Add(-time.Hour) }}, "", "its clock is 1h0m0s from that of pi1"},
		"old engine": {hosttest.Config{Cmdline: cmdline}, "1.41 1.12", "the client speaks version 1.44 of the API, and the engine at most 1.41"},
		"new engine": {hosttest.Config{Cmdline: cmdline}, "1.60 1.50", "the client speaks version 1.44 of the API, and the engine none before 1.50"},
		"engine":     {hosttest.Config{Cmdline: cmdline}, "1.51 1.24", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 1, 0)
			c.box.Hostname = "pi2"
			box := hosttest.New(t, c.box)
			s.cluster.Install(box, "192.0.2.2")
			s.boxes, s.machines = append(s.boxes, box), append(s.machines, machinetest.Fake(t, "pi2", box))
			s.config.Agents = []string{"pi2"}
			if c.docker != "" {
				s.config.Docker = true
				withDocker(t, s.boxes[0], "1.51 1.24")
				withDocker(t, box, c.docker)
			}
			p, err := s.plan()
			switch {
			case c.says == "":
				s.apply()
				s.converged()
				if got := s.exec(2, "cat /etc/rancher/k3s/config.yaml /etc/systemd/system/k3s-agent.service.d/10-lab.conf"); !strings.Contains(got, "docker: true") ||
					!strings.Contains(got, "After=docker.service") {
					t.Error(got)
				}
			case err == nil || !strings.Contains(err.Error(), c.says) || p != nil || len(lab.Hints(err)) == 0:
				t.Errorf("%v\n%s", err, p)
			}
		})
	}
}

// withDocker gives a machine an engine with the versions of its API.
func withDocker(t *testing.T, box *hosttest.Machine, api string) {
	t.Helper()
	box.Handle("/usr/bin/dockerd", func(p *hosttest.Process) int {
		p.Ready()
		<-p.Context().Done()
		return 0
	})
	box.Handle("/usr/bin/docker", func(p *hosttest.Process) int {
		if len(p.Args) > 1 && p.Args[1] == "version" {
			fmt.Fprintln(p.Stdout(), api)
			return 0
		}
		return 1
	})
	unit := "[Unit]\nDescription=engine\n[Service]\nType=notify\nExecStart=/usr/bin/dockerd\n[Install]\nWantedBy=multi-user.target\n"
	if err := box.FS().WriteFile("/etc/systemd/system/docker.service", []byte(unit)); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Exec("systemctl daemon-reload; systemctl enable --now docker.service"); err != nil {
		t.Fatal(err)
	}
}
