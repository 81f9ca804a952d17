package k3s_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/nodetest"
)

// The releases of the tests.
const (
	older   = "v1.33.6+k3s1"
	release = "v1.34.3+k3s1"
	newer   = "v1.34.4+k3s1"
	skipped = "v1.36.1+k3s1"
)

// site is the machines of a cluster.
type site struct {
	*testing.T
	machines []*host.Machine
	boxes    []*hosttest.Machine // nil if the machines are real
	cluster  *nodetest.Cluster   // of the boxes
	binaries func(version string) map[string]k3s.Binary
	config   k3s.Config
	sink     lab.Sink
}

// newSite starts machines with nothing on them: servers, and agents after them.
func newSite(t *testing.T, servers, agents int) *site {
	s := &site{T: t, sink: lab.SecretDir{Path: t.TempDir() + "/secrets"},
		cluster: nodetest.NewCluster(older, release, newer, skipped)}
	for i := 1; i <= servers+agents; i++ {
		box := hosttest.New(t, hosttest.Config{Hostname: fmt.Sprintf("pi%d", i), Cmdline: cmdline})
		s.cluster.Install(box, fmt.Sprintf("192.0.2.%d", i))
		s.boxes = append(s.boxes, box)
		s.machines = append(s.machines, machinetest.Fake(t, box.Hostname(), box))
	}
	s.binaries = s.cluster.Binaries
	s.configure(servers)
	s.config.Address = "192.0.2.1"
	return s
}

func (s *site) configure(servers int) {
	s.config = k3s.Config{Disable: []string{"traefik"}, Timeout: 20 * time.Second}
	for i, m := range s.machines {
		if i < servers {
			s.config.Servers = append(s.config.Servers, m.Name())
		} else {
			s.config.Agents = append(s.config.Agents, m.Name())
		}
	}
	s.version(release)
}

// version sets the wanted release.
func (s *site) version(v string) { s.config.Version, s.config.Binaries = v, s.binaries(v) }

func (s *site) plan() (*lab.Plan, error) {
	return k3s.Plan(s.Context(), s.machines, s.config, s.sink)
}

// mustPlan fails the test on an error.
func (s *site) mustPlan() *lab.Plan {
	s.Helper()
	p, err := s.plan()
	if err != nil {
		s.Fatalf("plan: %v\n%s", err, strings.Join(lab.Hints(err), "\n"))
	}
	return p
}

// apply brings the cluster to the wanted state.
func (s *site) apply() *lab.Plan {
	s.Helper()
	p := s.mustPlan()
	if r, err := p.Apply(s.Context(), &lab.ApplyOptions{Confirmed: forgets(p)}); err != nil {
		s.Fatalf("apply: %v\n%s\n%s", err, p, r)
	}
	return p
}

// forgets confirms that the nodes which are lost are forgotten.
func forgets(p *lab.Plan) (confirmed []lab.Confirmation) {
	for _, c := range p.Changes() {
		if strings.HasPrefix(c.ID, "k3s/forget/") {
			confirmed = append(confirmed, lab.Confirm(c.ID))
		}
	}
	return confirmed
}

// converged fails the test unless there is nothing to do.
func (s *site) converged() {
	s.Helper()
	if p := s.mustPlan(); !p.Empty() {
		s.Errorf("not converged:\n%s", p)
	}
}

// exec runs a script as root on a machine, counted from 1.
func (s *site) exec(machine int, script string) string {
	s.Helper()
	res, err := s.machines[machine-1].Run(s.Context(), ssh.Command{Root: true, Script: script})
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("exit status %d: %s", res.Exit, res.Stderr)
	}
	if err != nil {
		s.Fatalf("pi%d: %s: %v", machine, script, err)
	}
	return string(res.Stdout)
}

// log returns what the cluster has seen, a line each: "attach pi2 v1.34.3+k3s1", "drain pi2".
func (s *site) log() []string {
	s.Helper()
	return strings.Split(strings.TrimSpace(s.exec(1, "k3s kubectl get --raw /standin/log")), "\n")
}

// A cluster is made on machines with nothing, and then there is nothing to do.
func TestFirst(t *testing.T) {
	s := newSite(t, 1, 2)
	t.Logf("\n%s", s.apply())
	s.converged()
	want := "attach pi1 v1.34.3+k3s1\nattach pi2 v1.34.3+k3s1\nattach pi3 v1.34.3+k3s1"
	if got := strings.Join(s.log(), "\n"); got != want {
		t.Errorf("order:\n%s", got)
	}
}

// cmdline is that of a Raspberry Pi whose kernel has the memory controller.
const cmdline = "console=tty1 root=PARTUUID=00000000-02 rootfstype=ext4 fsck.repair=yes rootwait cgroup_memory=1 cgroup_enable=memory"
