package k3s_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// newReality starts Debian machines with a real systemd, for which there are two releases of the stand-in as a static
// program, that is sent to them.
func newReality(t *testing.T, servers, agents int) *site {
	s := &site{T: t, sink: lab.SecretDir{Path: t.TempDir() + "/secrets"}}
	boxes := real.Machines(t, servers+agents)
	for _, box := range boxes {
		s.machines = append(s.machines, machinetest.Real(t, box))
	}
	dir := t.TempDir()
	for _, v := range []string{release, newer} {
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+v,
			"-o", filepath.Join(dir, v), "./nodetest/internal/standin/k3s")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	s.binaries = func(v string) map[string]k3s.Binary {
		return map[string]k3s.Binary{runtime.GOARCH: {Source: filepath.Join(dir, v), SHA256: k3s.FileSum(t, filepath.Join(dir, v))}}
	}
	s.configure(servers)
	s.config.Address, s.config.Timeout = boxes[0].Host, time.Minute
	for i := range s.machines {
		// Their private cgroup2 has no controllers; the stand-in needs none.
		s.exec(i+1, "echo memory >/root/controllers; mount --bind /root/controllers /sys/fs/cgroup/cgroup.controllers")
	}
	return s
}

// TestReal: on Debian with systemd, a cluster is made, converges, is upgraded one node at a time, and survives a reboot.
func TestReal(t *testing.T) {
	s := newReality(t, 1, 1)
	s.exec(2, "systemd-run -q --unit=other systemd-socket-activate -l 10250 /bin/true; until grep -q :280A /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done")
	if _, err := s.plan(); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "listens on a port of k3s, 10250") {
		t.Errorf("%v", err)
	}
	s.exec(2, "systemctl stop other.service")
	s.apply()
	s.converged()
	for i, file := range []string{"/etc/rancher/k3s/token", "/etc/rancher/k3s/config.yaml"} {
		if got := s.exec(i+1, "stat -c '%a %U:%G' "+file); got != "600 root:root\n" {
			t.Errorf("%s is %s", file, got)
		}
	}
	first := len(s.log())
	runs := func() string {
		return s.exec(1, "systemctl show -p InvocationID --value k3s") + s.exec(2, "systemctl show -p InvocationID --value k3s-agent")
	}
	before := runs()
	s.converged()
	if runs() != before {
		t.Error("a plan without changes restarted something")
	}
	s.version(newer)
	s.apply()
	s.converged()
	got := strings.Join(compact(s.log()[first:]), "\n")
	if want := "drain pi1\nattach pi1 " + newer + "\nattach pi2 " + release + "\nuncordon pi1\ndrain pi2\nattach pi2 " + newer + "\nuncordon pi2"; !strings.HasSuffix(
		strings.ReplaceAll(got, "attach pi2 "+release+"\n", ""), strings.ReplaceAll(want, "attach pi2 "+release+"\n", "")) {
		t.Errorf("order:\n%s", got)
	}
	all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
	if err != nil || len(all) != 1 {
		t.Errorf("snapshots: %+v, %v", all, err)
	}
	s.version(release)
	if _, err := s.plan(); err == nil {
		t.Error("a downgrade is planned")
	}

	// Back to the snapshot, with the release that made it.
	read := s.object(`"after"`)
	s.confirm(k3s.PlanRestore(t.Context(), s.machines, s.config, s.sink, all[0].Name))
	if got := s.exec(1, "k3s kubectl get --raw /api/v1/test 2>&1 || :"); strings.Contains(got, "after") {
		t.Errorf("the datastore has %s", got)
	}
	s.apply()
	s.converged()
	s.object(`"before"`)
	s.confirm(k3s.PlanSnapshot(t.Context(), s.machines, s.config))
	if read() != `"before"` {
		t.Error("the snapshot changed the datastore")
	}
	s.confirm(k3s.PlanRotateCertificates(t.Context(), s.machines, s.config, s.sink))
	s.converged()

	// Nothing is left but snapshots.
	s.confirm(k3s.PlanUninstall(t.Context(), s.machines, s.config))
	for i := range s.machines {
		if got := s.exec(i+1, "ls -d /usr/local/bin/* /etc/rancher/* /var/lib/rancher/* /etc/systemd/system/k3s* 2>/dev/null || :; systemctl list-units --all 'k3s*' --no-legend"); got != "" {
			t.Errorf("left over: %s", got)
		}
	}
	if p, err := k3s.PlanUninstall(t.Context(), s.machines, s.config); err != nil || !p.Empty() {
		t.Errorf("a second time: %v\n%s", err, p)
	}
}

// TestRealLost: on Debian with systemd, the first of three servers has a new disk, and joins the cluster that lives on.
func TestRealLost(t *testing.T) {
	s := newReality(t, 3, 0)
	s.apply()
	s.converged()
	s.object(`"data"`)
	s.replaced(1)
	s.down(2, 1)
	s.apply()
	s.converged()
	if got := strings.TrimSpace(s.exec(1, "k3s kubectl get --raw /api/v1/test")); got != `"data"` {
		t.Error(got)
	}
	if got := s.exec(1, "cat /etc/rancher/k3s/config.yaml"); !strings.Contains(got, "server: ") || strings.Contains(got, "cluster-init") {
		t.Error(got)
	}
	s.exec(1, "systemctl restart k3s") // which it also starts from, now that it is a member
	s.converged()
}

// TestRealRotateToken: on Debian with systemd, all nodes get other tokens, and the server keeps them
// through a restart.
func TestRealRotateToken(t *testing.T) {
	s := newReality(t, 1, 2)
	s.apply()
	oldServer, oldAgent := s.secret(k3s.ServerToken), s.secret(k3s.AgentToken)
	s.confirm(s.planRotation())
	s.rotated(oldServer, oldAgent)
	s.exec(1, "systemctl restart k3s")
	s.converged()
}

// TestRealAPI: on Debian with systemd, and with a real etcd, API server and kubectl behind the stand-in: nodes join, are
// drained by eviction, upgraded, annotated, removed, and forgotten through the API that k3s has.
func TestRealAPI(t *testing.T) {
	real.Long(t)
	programs := real.KubernetesPrograms(t)
	s := newReality(t, 1, 2)
	const dir = "/usr/local/lib/k3s-standin"
	state := host.State{host.Directory{Path: dir}}
	for name, source := range map[string]string{"etcd": programs.Etcd, "kube-apiserver": programs.APIServer, "kubectl": programs.Kubectl} {
		state = append(state, host.File{Path: dir + "/" + name, Source: source, Mode: 0o755})
	}
	machinetest.Converge(t, s.machines[0], state)
	s.apply()
	s.converged()
	if got := s.exec(1, "k3s kubectl get nodes -o name"); got != "node/pi1\nnode/pi2\nnode/pi3\n" {
		t.Errorf("nodes: %q", got)
	}
	s.exec(1, `k3s kubectl apply -f - <<'E'
apiVersion: v1
kind: ConfigMap
metadata: {name: data}
data: {is: here}
---
apiVersion: v1
kind: Pod
metadata:
  name: work
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: work, uid: 3b2f6f6e-0000-4000-8000-000000000000, controller: true}]
spec:
  nodeName: pi2
  terminationGracePeriodSeconds: 0
  containers: [{name: work, image: work}]
  volumes: [{name: scratch, emptyDir: {}}]
E`)
	s.version(newer)
	s.apply()
	s.converged()
	if got := s.exec(1, "k3s kubectl get pods -o name"); got != "" {
		t.Errorf("pi2 was upgraded with %q on it", got)
	}
	nodes := s.exec(1, "k3s kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion} {.spec.unschedulable} {.metadata.annotations}{\"\\n\"}{end}'")
	if strings.Count(nodes, newer) != 3 || strings.Contains(nodes, "true") || strings.Contains(nodes, "drained-for") {
		t.Errorf("nodes:\n%s", nodes)
	}
	all, err := k3s.Snapshots(t.Context(), s.machines[0], s.config)
	if err != nil || len(all) != 1 || all[0].Datastore != "etcd" || all[0].Bytes < 10000 {
		t.Errorf("snapshots: %+v, %v", all, err)
	}
	s.confirm(s.planRotation())
	s.converged()
	s.confirm(k3s.PlanUninstall(t.Context(), s.machines, s.config, "pi3"))
	if got := s.exec(1, "k3s kubectl get nodes -o name"); got != "node/pi1\nnode/pi2\n" {
		t.Errorf("nodes: %q", got)
	}
	s.replaced(2)
	s.down(1, 2)
	s.apply() // pi3 joins again, too
	s.converged()
	if got := s.exec(1, "k3s kubectl get nodes -o name; k3s kubectl get configmap data -o jsonpath={.data.is}"); got != "node/pi1\nnode/pi2\nnode/pi3\nhere" {
		t.Errorf("%q", got)
	}
}
