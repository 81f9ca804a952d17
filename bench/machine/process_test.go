package machine

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// BenchmarkThousand plans a thousand converged machines in this process with a hundred resources
// each. Every run makes its own connections.
func BenchmarkThousand(b *testing.B) {
	const machines = 1000
	var s host.State
	for i := range 10 {
		s = append(s, host.Directory{Path: fmt.Sprintf("/srv/d%d", i)})
		for j := range 8 {
			s = append(s, host.File{Path: fmt.Sprintf("/srv/d%d/f%d", i, j), Content: fmt.Sprint(i, j)})
		}
	}
	s = append(s, host.Group{Name: "g"}, host.User{Name: "u", Groups: []string{"g"}},
		host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"}, host.Line{Path: "/etc/hosts", Line: "192.0.2.1 a"},
		host.Package{Name: "ca-certificates"}, host.Unit{Name: "ssh.service", State: host.Started},
		host.Link{Path: "/srv/l", Target: "d0"}, host.Cron{Name: "c", Schedule: "@daily", Command: "/bin/true"},
		host.Command{Name: "e", Run: ": >/srv/e", Creates: "/srv/e"}, host.Timezone{Name: "Europe/Paris"})
	boxes := make([]*hosttest.Machine, machines)
	for i := range boxes {
		box, err := hosttest.Start(hosttest.Config{Hostname: fmt.Sprintf("m%d", i)})
		if err != nil {
			b.Fatal(err)
		}
		defer box.Close()
		boxes[i] = box
	}
	fleet := func() (f host.Fleet) {
		for i, box := range boxes {
			f.Machines = append(f.Machines, &host.Machine{Target: ssh.Target{
				Name: fmt.Sprintf("m%d", i), Address: box.Addr(), User: box.User(),
				Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
				HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}},
			}})
		}
		return f
	}
	want := func(*host.Machine) (host.State, error) { return s, nil }
	f := fleet()
	p, err := f.Plan(b.Context(), want)
	if err != nil {
		b.Fatal(err)
	}
	if r, err := p.Apply(b.Context(), nil); err != nil {
		b.Fatalf("%v\n%s", err, r.Summary())
	}
	f.Close()
	debug.FreeOSMemory() // do not count the memory that applying took
	var peak uint64
	for b.Loop() {
		f := fleet()
		p, err := f.Plan(b.Context(), want)
		if err != nil || !p.Empty() {
			b.Fatalf("%v %s", err, p.Summary())
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.Sys-m.HeapReleased) // what the process has from the system
		f.Close()
	}
	b.ReportMetric(float64(peak)/(1<<20), "MiB")
	b.ReportMetric(float64(len(s)), "resources/machine")
}
