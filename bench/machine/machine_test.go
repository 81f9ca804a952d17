package machine

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

var withAnsible = flag.Bool("ansible", false, "also run ansible-core on the same machines")

func readState(tb testing.TB) host.State {
	data, err := os.ReadFile("testdata/state.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	s, err := host.ReadState("testdata/state.yaml", data, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// fleet returns the machines without connections: every run makes its own, as a program does.
func fleet(ms []*real.Machine) host.Fleet {
	b := &lab.Boundary{Name: "bench", Allow: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")}}
	var f host.Fleet
	for _, m := range ms {
		f.Machines = append(f.Machines, &host.Machine{Target: ssh.Target{
			Name: m.Name, Address: m.Addr, User: m.User, Boundary: b,
			Auth:     ssh.Auth{Signers: []cryptossh.Signer{m.Key}},
			HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(m.HostKey))}},
		}})
	}
	return f
}

// converge applies the state and returns how long that took.
func converge(tb testing.TB, ms []*real.Machine, s host.State) time.Duration {
	f := fleet(ms)
	defer f.Close()
	start := time.Now()
	p, err := f.Plan(tb.Context(), func(*host.Machine) (host.State, error) { return s, nil })
	if err != nil {
		tb.Fatal(err)
	}
	if r, err := p.Apply(tb.Context(), nil); err != nil {
		tb.Fatalf("%v\n%s", err, r)
	}
	return time.Since(start)
}

// noop plans converged machines and returns the counters of one of them.
func noop(tb testing.TB, ms []*real.Machine, s host.State) ssh.Counters {
	f := fleet(ms)
	defer f.Close()
	p, err := f.Plan(tb.Context(), func(*host.Machine) (host.State, error) { return s, nil })
	if err != nil {
		tb.Fatal(err)
	}
	if !p.Empty() {
		tb.Fatalf("the machines have not converged:\n%s", p)
	}
	return f.Machines[0].Counters()
}

// knownHosts writes the machines' host keys to a known_hosts file.
func knownHosts(tb testing.TB, ms []*real.Machine) string {
	var b strings.Builder
	for _, m := range ms {
		b.WriteString(strings.TrimSuffix(m.KnownHosts(), "\n") + "\n")
	}
	file := filepath.Join(tb.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// plain runs a script of testdata once on each machine with the ssh client of the system, in parallel, and
// returns how long that took.
func plain(tb testing.TB, ms []*real.Machine, known, name string) time.Duration {
	script, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now()
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() {
			cmd := exec.Command("ssh", "-F", "none", "-i", m.KeyFile, "-o", "BatchMode=yes",
				"-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+known, m.User+"@"+m.Host, "sudo sh -s")
			cmd.Stdin = bytes.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil {
				tb.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

func BenchmarkConverged(b *testing.B) {
	ms := real.Machines(b, 3)
	s := readState(b)
	converge(b, ms, s)
	b.Run("lab", func(b *testing.B) {
		var n ssh.Counters
		for b.Loop() {
			n = noop(b, ms, s)
		}
		b.ReportMetric(float64(n.Connections), "connections/machine")
		b.ReportMetric(float64(n.Execs), "execs/machine")
	})
	known := knownHosts(b, ms)
	b.Run("ssh", func(b *testing.B) {
		for b.Loop() {
			plain(b, ms, known, "floor.sh")
		}
	})
}

func BenchmarkFirstRun(b *testing.B) {
	s := readState(b)
	b.Run("lab", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			ms := real.Machines(b, 3)
			b.StartTimer()
			converge(b, ms, s)
		}
	})
	b.Run("script", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			ms := real.Machines(b, 3)
			known := knownHosts(b, ms)
			b.StartTimer()
			plain(b, ms, known, "firstrun.sh")
		}
	})
}

// TestAnsible runs ansible-core and this module on the same machines: first on new ones, then when
// there is nothing to do.
func TestAnsible(t *testing.T) {
	if !*withAnsible {
		t.Log("run with -ansible to measure ansible-core")
		return
	}
	playbook := filepath.Join(filepath.Dir(real.Ansible(t)), "ansible-playbook")
	run := func(t *testing.T, ms []*real.Machine, pipelining bool) time.Duration {
		dir, known := t.TempDir(), knownHosts(t, ms)
		var inv strings.Builder
		for _, m := range ms {
			fmt.Fprintf(&inv, "%s ansible_host=%s ansible_user=%s ansible_ssh_private_key_file=%s "+
				"ansible_ssh_common_args='-F none -o UserKnownHostsFile=%s'\n", m.Name, m.Host, m.User, m.KeyFile, known)
		}
		if err := os.WriteFile(filepath.Join(dir, "inventory"), []byte(inv.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := filepath.Abs("testdata/playbook.yml")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(playbook, "-i", "inventory", file)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "ANSIBLE_HOME="+dir, "LC_ALL=C.UTF-8",
			fmt.Sprintf("ANSIBLE_PIPELINING=%t", pipelining),
			"ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=60s")
		start := time.Now()
		out, err := cmd.CombinedOutput()
		took := time.Since(start)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return took
	}
	s := readState(t)
	for _, pipelining := range []bool{false, true} {
		// In a subtest, so that its machines are stopped and do not slow down the next.
		t.Run(fmt.Sprintf("pipelining=%t", pipelining), func(t *testing.T) {
			ms := real.Machines(t, 3)
			first := run(t, ms, pipelining)
			second := run(t, ms, pipelining)
			t.Logf("ansible-core: first run %.2f s, nothing to do %.2f s", first.Seconds(), second.Seconds())
		})
	}
	first, script := time.Hour, time.Hour
	for range 2 {
		t.Run("first", func(t *testing.T) { first = min(first, converge(t, real.Machines(t, 3), s)) })
		t.Run("script", func(t *testing.T) {
			ms := real.Machines(t, 3)
			script = min(script, plain(t, ms, knownHosts(t, ms), "firstrun.sh"))
		})
	}
	ms := real.Machines(t, 3)
	first = min(first, converge(t, ms, s))
	known := knownHosts(t, ms)
	best, reads := time.Hour, time.Hour
	for range 10 {
		start := time.Now()
		noop(t, ms, s)
		best = min(best, time.Since(start))
		reads = min(reads, plain(t, ms, known, "floor.sh"))
	}
	t.Logf("lab: first run %.2f s, nothing to do %.3f s (best of 3 and of 10)", first.Seconds(), best.Seconds())
	t.Logf("plain ssh: a script with the same changes %.2f s, with the same reads %.3f s (best of 2 and of 10)",
		script.Seconds(), reads.Seconds())
}
