package k3s_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// Servers with etcd join one at a time, each when the one before is a voter, and are upgraded before the agents.
func TestServers(t *testing.T) {
	s := newSite(t, 3, 1)
	s.apply()
	s.converged()
	want := "attach pi1 " + release + "\nattach pi2 " + release + "\nattach pi3 " + release + "\nattach pi4 " + release
	if got := strings.Join(s.log(), "\n"); got != want {
		t.Errorf("order:\n%s", got)
	}
	if got := s.exec(2, "cat /etc/rancher/k3s/config.yaml"); !strings.Contains(got, "server: https://192.0.2.1:6443") || strings.Contains(got, "cluster-init") {
		t.Error(got)
	}
	before := len(s.log())
	s.version(newer)
	s.apply()
	s.converged()
	var got []string
	for _, line := range s.log()[before:] {
		if strings.HasPrefix(line, "drain") {
			got = append(got, line)
		}
	}
	if strings.Join(got, ",") != "drain pi1,drain pi2,drain pi3,drain pi4" {
		t.Errorf("%q", got)
	}
	all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
	if err != nil || len(all) != 1 || all[0].Datastore != "etcd" {
		t.Errorf("snapshots: %+v, %v", all, err)
	}
	for i := range 3 {
		token := s.exec(i+1, "cat /etc/rancher/k3s/token")
		if pinned := strings.HasPrefix(token, "K10"); pinned != (i > 0) {
			t.Errorf("pi%d: the CA is pinned: %t", i+1, pinned)
		}
	}
	if strings.Contains(s.exec(4, "cat /etc/rancher/k3s/token"), s.secret(k3s.ServerToken)) {
		t.Error("an agent has the token of servers")
	}
}

// secret returns what the sink keeps.
func (s *site) secret(name string) string {
	s.Helper()
	v, err := s.sink.Get(s.Context(), name)
	if err != nil {
		s.Fatal(err)
	}
	return v.Reveal()
}

// A cluster that the installer of k3s has made is taken over: its token is kept in the sink, and what it was given on
// the command line must be in the Config.
func TestAdopt(t *testing.T) {
	s := newSite(t, 1, 1)
	unit := `[Unit]
Description=Lightweight Kubernetes
[Install]
WantedBy=multi-user.target
[Service]
Type=notify
EnvironmentFile=-/etc/systemd/system/%N.service.env
KillMode=process
Delegate=yes
Restart=always
RestartSec=5s
ExecStart=/usr/local/bin/k3s \
    ROLE \
`
	install := func(machine int, role, name, flags, env string) {
		box := s.boxes[machine-1]
		for file, text := range map[string]string{"/usr/local/bin/k3s": string(s.cluster.Program(release)),
			"/etc/systemd/system/" + name + ".service":     strings.Replace(unit, "ROLE", role, 1) + flags,
			"/etc/systemd/system/" + name + ".service.env": env} {
			if err := box.FS().WriteFile(file, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		s.exec(machine, "chmod 0755 /usr/local/bin/k3s; systemctl daemon-reload; systemctl enable --now "+name+".service")
	}
	install(1, "server", "k3s", "\t'--cluster-cidr' \\\n\t'10.52.0.0/16' \\\n\t'--tls-san' \\\n\t'192.0.2.1' \\\n", "K3S_TOKEN='by-hand'\n")
	install(2, "agent", "k3s-agent", "", "K3S_TOKEN='by-hand'\nK3S_URL='https://192.0.2.1:6443'\n")
	if _, err := s.plan(); err == nil || !strings.Contains(err.Error(), `cluster-cidr would change from "10.52.0.0/16"`) {
		t.Errorf("%v", err)
	}
	s.config.ServerOptions = map[string]any{"cluster-cidr": "10.52.0.0/16"}
	p := s.apply()
	if strings.Contains(p.String(), "by-hand") {
		t.Errorf("the token is shown:\n%s", p)
	}
	s.converged()
	if s.secret(k3s.ServerToken) != "by-hand" {
		t.Error("the sink has another token")
	}
	if got := s.exec(2, "cat /etc/rancher/k3s/token"); !strings.HasSuffix(got, "::node:"+s.secret(k3s.AgentToken)+"\n") || s.secret(k3s.AgentToken) == "by-hand" {
		t.Error("the agent has not the token of agents")
	}
}

// A node that is cordoned by somebody else stays so through an upgrade.
func TestCordoned(t *testing.T) {
	s := newSite(t, 1, 1)
	s.apply()
	s.exec(1, "k3s kubectl cordon pi2")
	s.converged()
	s.version(newer)
	s.apply()
	s.converged()
	for _, line := range s.log() {
		if line == "uncordon pi2" {
			t.Error("pi2 was made schedulable")
		}
	}
}

// A node is not drained while a volume of Longhorn lacks a replica.
func TestVolumes(t *testing.T) {
	s := newSite(t, 1, 1)
	s.apply()
	put := func(robustness string) {
		s.exec(1, `echo '{"items":[{"metadata":{"name":"pvc-1"},"status":{"state":"attached","robustness":"`+robustness+`"}},
{"metadata":{"name":"pvc-2"},"status":{"state":"detached","robustness":"unknown"}}]}' | k3s kubectl replace --raw /apis/longhorn.io/v1beta2/volumes -f -`)
	}
	put("degraded")
	s.config.Timeout = 1e9
	s.version(newer)
	p := s.mustPlan()
	_, err := p.Apply(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "volumes are not healthy: pvc-1 (degraded)") {
		t.Fatalf("%v", err)
	}
	for _, line := range s.log() {
		if strings.HasPrefix(line, "drain") {
			t.Error(line)
		}
	}
	put("healthy")
	s.config.Timeout = 20e9
	s.apply()
	s.converged()
}
