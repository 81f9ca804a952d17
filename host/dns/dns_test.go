package dns_test

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns/dnstest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	ip1, ip2, ip3 = netip.MustParseAddr("192.168.1.201"), netip.MustParseAddr("192.168.1.202"), netip.MustParseAddr("192.168.1.203")
	image         = composetest.Image{Name: "pihole/pihole:2025.08.0"}
	newer         = composetest.Image{Name: "pihole/pihole:2025.11.0"}
)

const password = "hidden-web-password"

// config is the lab's.
func config() dns.Config {
	return dns.Config{PiHole: stack.PiHole{Image: image.Name, Password: lab.NewSecret(password),
		Upstreams: []string{"9.9.9.9", "1.1.1.1"},
		Hosts: []stack.PiHoleHost{
			{Address: ip1, Names: []string{"pi1.arcodange.lab", "pi1"}},
			{Address: ip2, Names: []string{"pi2.arcodange.lab", "pi2"}},
			{Address: ip3, Names: []string{"pi3.arcodange.lab", "pi3"}},
			{Address: netip.MustParseAddr("192.168.1.10"), Names: []string{"nas.home"}},
		},
		Wildcards: []stack.PiHoleWildcard{{Zone: "arcodange.lab", Address: ip1}},
		CNAMEs:    []string{"registry.arcodange.lab,pi2.arcodange.lab"},
		Reverse:   []string{"true,192.168.1.0/24,192.168.1.1,home"},
	},
		Servers:  []dns.Server{{Name: "pi1", Address: ip1}, {Name: "pi3", Address: ip3}},
		Patience: time.Millisecond,
	}
}

// bench is the lab's three machines in this process: a Pi-hole is to be on pi1 and pi3.
type bench struct {
	t        *testing.T
	net      *dnstest.Network
	config   dns.Config
	boxes    map[string]*hosttest.Machine
	machines map[string]*host.Machine
	dockers  map[string]*composetest.Docker
	servers  map[string]*dnstest.Server
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, net: dnstest.New(t), config: config(), boxes: map[string]*hosttest.Machine{},
		machines: map[string]*host.Machine{}, dockers: map[string]*composetest.Docker{}, servers: map[string]*dnstest.Server{}}
	for _, s := range append(slices.Clone(b.config.Servers), dns.Server{Name: "pi2"}) {
		box := hosttest.New(t, hosttest.Config{Hostname: s.Name, Sleep: func(<-chan struct{}, time.Duration) {},
			Dial: func(network, address string) (net.Conn, error) {
				return b.net.DialContext(t.Context(), network, address)
			}})
		m := &host.Machine{Target: ssh.Target{Name: s.Name, Address: box.Addr(), User: box.User(),
			Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
			HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}}}}
		t.Cleanup(func() { m.Close() })
		b.boxes[s.Name], b.machines[s.Name] = box, m
		if !s.Address.IsValid() {
			b.net.Join(box)
			continue
		}
		d := composetest.Install(box, composetest.Config{Registry: []composetest.Image{image, newer}, Programs: b.net.Programs()})
		b.config.Lock = d.Lock(image.Name, newer.Name)
		server, err := b.net.Place(box, d, s.Address)
		if err != nil {
			t.Fatal(err)
		}
		b.dockers[s.Name], b.servers[s.Name] = d, server
	}
	return b
}

// piholes plans the Pi-holes as the lab does.
func (b *bench) piholes(c dns.Config) (*lab.Plan, error) {
	all := []*host.Machine{b.machines["pi1"], b.machines["pi2"], b.machines["pi3"]}
	return c.Fleet(all, b.net).Plan(b.t.Context(), func(m *host.Machine) (host.State, error) { return c.State(m.Name()) })
}

// resolvers plans the resolvers of all machines.
func (b *bench) resolvers(c dns.Config) (*lab.Plan, error) {
	f := host.Fleet{Machines: []*host.Machine{b.machines["pi1"], b.machines["pi2"], b.machines["pi3"]}}
	return f.Plan(b.t.Context(), func(*host.Machine) (host.State, error) { return c.Resolvers(), nil })
}

// apply applies what is planned, which must leave nothing to do. It returns the plan.
func (b *bench) apply(plan func(dns.Config) (*lab.Plan, error), c dns.Config) string {
	b.t.Helper()
	p, err := plan(c)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := p.Apply(b.t.Context(), nil); err != nil {
		b.t.Fatalf("%v\n%s", err, p)
	}
	if again, err := plan(c); err != nil || !again.Empty() {
		b.t.Fatalf("the second plan: %v\n%s", err, again)
	}
	return p.String()
}

func (b *bench) read(machine, file string) string {
	b.t.Helper()
	text, err := b.boxes[machine].FS().ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}

// created returns when the Pi-hole of a machine was.
func (b *bench) created(machine string) time.Time {
	b.t.Helper()
	c := b.dockers[machine].Containers()
	if len(c) != 1 {
		b.t.Fatalf("%d containers", len(c))
	}
	return c[0].Created
}

// refused fails the test unless err is a guard's no that says all of the words, and what to do.
func refused(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, lab.ErrRefused) || len(lab.Hints(err)) == 0 {
		t.Errorf("%s: %v, hints %q", what, err, lab.Hints(err))
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error()+strings.Join(lab.Hints(err), " "), w) {
			t.Errorf("%s: nothing of %q in: %v\n%q", what, w, err, lab.Hints(err))
		}
	}
}

func TestGolden(t *testing.T) {
	b := newBench(t)
	piholes, err := b.piholes(b.config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := piholes.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	resolvers, err := b.resolvers(b.config)
	if err != nil {
		t.Fatal(err)
	}
	lines := b.read("pi1", "/opt/stacks/pihole/dnsmasq.conf")
	for name, got := range map[string]string{"resolvers": resolvers.String(), "dnsmasq": lines} {
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s: %v\n%s", name, err, lab.Diff(file, want, []byte(got)))
		}
	}
	if strings.Contains(piholes.String()+resolvers.String(), password) {
		t.Error("the password shows")
	}
}

// TestLab is the life of the lab's DNS: built, used, broken, restored.
func TestLab(t *testing.T) {
	b := newBench(t)
	before := b.read("pi2", "/etc/resolv.conf")
	_, err := b.resolvers(b.config)
	refused(t, "resolvers without Pi-holes", err, "192.168.1.201 does not say what pi1.arcodange.lab is over UDP", "left as it is")
	b.apply(b.piholes, b.config)
	b.apply(b.resolvers, b.config)
	const want = "nameserver 192.168.1.201\nnameserver 192.168.1.203\noptions timeout:1 attempts:2 rotate\n"
	for m := range b.machines {
		if got := b.read(m, "/etc/resolv.conf"); !strings.HasSuffix(got, want) {
			t.Errorf("%s: resolv.conf is:\n%s", m, got)
		}
		if got := b.read(m, "/etc/NetworkManager/conf.d/90-lab-dns.conf"); !strings.Contains(got, "[main]\ndns=none\n") {
			t.Errorf("%s: NetworkManager has %q", m, got)
		}
		if got := b.read(m, "/var/lib/lab/resolv.conf"); got != before {
			t.Errorf("%s: kept is %q", m, got)
		}
	}
	execs, writes := b.machines["pi2"].Counters().Execs, b.boxes["pi2"].Counters().Writes
	if p, err := b.resolvers(b.config); err != nil || !p.Empty() {
		t.Errorf("%v\n%s", err, p)
	}
	if n, w := b.machines["pi2"].Counters().Execs-execs, b.boxes["pi2"].Counters().Writes-writes; n != 1 || w != 0 {
		t.Errorf("planning took %d execs and %d writes", n, w)
	}

	// one is down: the resolvers ask the other
	b.servers["pi1"].Down(true)
	if p, err := b.resolvers(b.config); err != nil || !p.Empty() {
		t.Errorf("one is down: %v\n%s", err, p)
	}
	// what it says is not what is wanted any more: it answers all the same
	other := b.config
	other.Hosts = slices.Clone(other.Hosts)
	other.Hosts[0].Address = ip2
	if p, err := b.resolvers(other); err != nil || !p.Empty() {
		t.Errorf("the Pi-holes are to say something else: %v\n%s", err, p)
	}
	// both are: the next run restores what was there
	b.servers["pi3"].Down(true)
	p, err := b.resolvers(b.config)
	if err != nil || !strings.Contains(p.String(), "no Pi-hole answers") {
		t.Fatalf("both are down: %v\n%s", err, p)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for m := range b.machines {
		if got := b.read(m, "/etc/resolv.conf"); got != before {
			t.Errorf("%s: restored is %q", m, got)
		}
		if got := b.read(m, "/etc/NetworkManager/conf.d/90-lab-dns.conf"); got != "" {
			t.Errorf("%s: NetworkManager still has %q", m, got)
		}
	}
	_, err = b.resolvers(b.config)
	refused(t, "flip while both are down", err)
	b.servers["pi1"].Down(false)
	_, err = b.resolvers(b.config)
	refused(t, "flip while one is down", err, "192.168.1.203 does not say")
	b.servers["pi3"].Down(false)
	b.apply(b.resolvers, b.config)
	if got := b.read("pi2", "/var/lib/lab/resolv.conf"); got != before {
		t.Errorf("kept is %q", got)
	}
	// others: the file of before is not that of the lab itself
	b.config.Search = []string{"arcodange.lab"}
	b.apply(b.resolvers, b.config)
	if got := b.read("pi2", "/var/lib/lab/resolv.conf"); got != before {
		t.Errorf("kept is %q", got)
	}
}

// Two instances are never down at once.
func TestNeverBothDown(t *testing.T) {
	b := newBench(t)
	b.apply(b.piholes, b.config)
	changes := map[string]func(*dns.Config){
		"another host": func(c *dns.Config) {
			c.Hosts = append(slices.Clone(c.Hosts), stack.PiHoleHost{Address: ip2, Names: []string{"x.arcodange.lab"}})
		},
		"another address of the host that is asked for": func(c *dns.Config) {
			c.Hosts = slices.Clone(c.Hosts)
			c.Hosts[0].Address = ip2
		},
		"another image":    func(c *dns.Config) { c.Image = newer.Name },
		"another password": func(c *dns.Config) { c.Password = lab.NewSecret("hidden-other-password") },
		"other lines":      func(c *dns.Config) { c.Lines = []string{"txt-record=arcodange.lab,hello"} },
	}
	for name, change := range changes {
		c := b.config
		change(&c)
		b.servers["pi3"].Down(true)
		since := b.created("pi1")
		_, err := b.piholes(c)
		refused(t, name, err, "the one here answers, and pi3 does not", "pi3 up first")
		if b.created("pi1") != since {
			t.Errorf("%s: it was replaced", name)
		}
		// the other dies between the plan and the change
		b.servers["pi3"].Down(false)
		p, err := b.piholes(c)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.String(), "pi3 must answer") {
			t.Errorf("%s: the plan does not say so:\n%s", name, p)
		}
		b.servers["pi3"].Down(true)
		if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no other Pi-hole answers") {
			t.Errorf("%s: %v", name, err)
		}
		if b.created("pi1") != since {
			t.Errorf("%s: it was replaced", name)
		}
		b.servers["pi3"].Down(false)
		b.apply(b.piholes, b.config) // what the run that was refused has left behind
	}
	// one that does not answer can be replaced, whatever the other does
	b.servers["pi1"].Down(true)
	b.servers["pi3"].Down(true)
	c := b.config
	changes["another image"](&c)
	if _, err := b.piholes(c); err != nil {
		t.Error(err)
	}
	// a single one has no other
	c.Servers = c.Servers[:1]
	b.servers["pi1"].Down(false)
	p, err := b.machines["pi1"].Plan(t.Context(), must(t, c, "pi1"))
	if err != nil || strings.Contains(p.String(), "dns-peers") {
		t.Errorf("%v\n%s", err, p)
	}
}

func must(t *testing.T, c dns.Config, machine string) host.State {
	t.Helper()
	s, err := c.State(machine)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A gate that does not open leaves the Pi-holes after it alone.
func TestGate(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	for name, test := range map[string]struct {
		spoil func(*bench)
		want  string
	}{
		"nobody listens": {func(b *bench) { b.servers["pi1"].Down(true) },
			"pi1.arcodange.lab A over UDP"},
		"no TCP": {func(b *bench) { b.servers["pi1"].Silent("tcp") },
			"pi1.arcodange.lab A over TCP"},
		"no UDP": {func(b *bench) { b.servers["pi1"].Silent("udp") },
			"pi1.arcodange.lab A over UDP"},
		"another address": {func(b *bench) { b.servers["pi1"].Say("pi2.arcodange.lab", ip3) },
			"pi2.arcodange.lab A over UDP: conflict: it says 192.168.1.203, want 192.168.1.202"},
		"one address too many": {func(b *bench) { b.servers["pi1"].Say("pi2.arcodange.lab", ip2, ip3) },
			"it says 192.168.1.202 192.168.1.203"},
		"none": {func(b *bench) { b.servers["pi1"].Say("pi3.arcodange.lab") },
			"pi3.arcodange.lab A over UDP: conflict: it says nothing"},
		"a leaked AAAA": {func(b *bench) { b.servers["pi1"].Say("pi2.arcodange.lab", ip2, v6) },
			"pi2.arcodange.lab AAAA over UDP: conflict: it says 2001:db8::1, want no such record"},
		"a wrong alias": {func(b *bench) { b.servers["pi1"].Say("registry.arcodange.lab", ip3) },
			"registry.arcodange.lab A"},
		"a wrong wildcard": {func(b *bench) { b.servers["pi1"].Say("lab-gate-probe.arcodange.lab", ip3) },
			"lab-gate-probe.arcodange.lab A"},
		"no Internet": {func(b *bench) { b.net.Offline(true) },
			"example.com A over UDP"},
		"an unknown name": {func(b *bench) { b.config.Outside = "nosuch.example.org" },
			"nosuch.example.org A over UDP: not found: it says NameError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			test.spoil(b)
			p, err := b.piholes(b.config)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrTimeout) || !strings.Contains(err.Error(), test.want) ||
				len(lab.Hints(err)) == 0 {
				t.Errorf("%v, hints %q", err, lab.Hints(err))
			}
			if n := len(b.dockers["pi3"].Containers()); n != 0 {
				t.Error("the second was begun")
			}
		})
	}
}

// An instance that does not get healthy is rolled back, and the one after it is not begun.
func TestRolledBack(t *testing.T) {
	b := newBench(t)
	b.apply(b.piholes, b.config)
	c := b.config
	c.Lines = []string{"txt-record=arcodange.lab,hello"}
	b.dockers["pi1"].Fail("pihole", func(c *composetest.Container) bool {
		return strings.Contains(c.Env["FTLCONF_misc_dnsmasq_lines"], "hello")
	})
	p, err := b.piholes(c)
	if err != nil {
		t.Fatal(err)
	}
	since := b.created("pi3")
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "rolled back: the former stack runs") {
		t.Error(err)
	}
	if b.created("pi3") != since {
		t.Error("the second was replaced")
	}
	if p, err := b.piholes(b.config); err != nil || !p.Empty() {
		t.Errorf("what was there runs: %v\n%s", err, p)
	}
	if err := b.config.Gate(b.net)(t.Context(), b.machines["pi1"]); err != nil {
		t.Error(err)
	}
}

// A gate asks nobody outside the boundary, and whoever has no Pi-hole has nothing to answer.
func TestGateBoundary(t *testing.T) {
	b := newBench(t)
	err := b.config.Gate(nil)(t.Context(), b.machines["pi1"])
	refused(t, "a boundary of loopback", err, "boundary")
	if err := b.config.Gate(nil)(t.Context(), b.machines["pi2"]); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if err := b.config.Gate(b.net)(ctx, b.machines["pi1"]); !errors.Is(err, gone) {
		t.Error(err)
	}
}

// The instance of a machine behind a jump is asked from the machine itself: nothing but the jump is dialled from here.
func TestGateThroughJump(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	for name, test := range map[string]struct {
		spoil func(*bench)
		want  string
	}{
		"everything is right": {func(*bench) {}, ""},
		"no TCP":              {func(b *bench) { b.servers["pi1"].Silent("tcp") }, "pi1.arcodange.lab A over TCP"},
		"no UDP": {func(b *bench) { b.servers["pi1"].Silent("udp") },
			"192.168.1.201 does not say what pi1.arcodange.lab is over UDP"},
		"a leaked AAAA": {func(b *bench) { b.servers["pi1"].Say("pi2.arcodange.lab", ip2, v6) },
			"pi2.arcodange.lab AAAA over TCP: conflict: it says 2001:db8::1"},
		"no Internet": {func(b *bench) { b.net.Offline(true) }, "example.com A over TCP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.apply(b.piholes, b.config)
			jump := hosttest.New(t, hosttest.Config{Hostname: "gate", Dial: net.Dial})
			m := b.machines["pi1"]
			m.Close()
			m.Target.Jump = []ssh.Target{{Name: "gate", Address: jump.Addr(), User: jump.User(),
				Auth:     ssh.Auth{Signers: []cryptossh.Signer{jump.ClientKey()}},
				HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(jump.HostKey()))}}}}
			loopback := netip.MustParsePrefix("127.0.0.1/32")
			m.Target.Boundary = &lab.Boundary{Name: "test", Allow: []netip.Prefix{loopback}}
			refused(t, "the Pi-hole is outside", b.config.Gate(nil)(t.Context(), m), "boundary")
			m.Close()
			m.Target.Boundary = &lab.Boundary{Name: "test", Allow: []netip.Prefix{loopback, netip.PrefixFrom(ip1, 32)}}
			test.spoil(b)
			err := b.config.Gate(nil)(t.Context(), m)
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" && (!errors.Is(err, lab.ErrTimeout) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q: %v", test.want, err)
			}
		})
	}
}

// A line that dnsmasq does not take never reaches a Pi-hole that runs.
func TestMalformedLine(t *testing.T) {
	b := newBench(t)
	bad := b.config
	bad.Lines = []string{"adress=/x.lab/192.168.1.9"}
	p, err := b.piholes(bad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "bad option at line") ||
		!strings.Contains(err.Error(), "the line is: adress=/x.lab/192.168.1.9") {
		t.Errorf("the first time: %v", err)
	}
	if n := len(b.dockers["pi1"].Containers()); n != 0 {
		t.Error("it was started")
	}
	b.apply(b.piholes, b.config)
	since, lines := b.created("pi1"), b.read("pi1", "/opt/stacks/pihole/dnsmasq.conf")
	if p, err = b.piholes(bad); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "bad option at line") {
		t.Error(err)
	}
	if b.created("pi1") != since || b.read("pi1", "/opt/stacks/pihole/dnsmasq.conf") != lines {
		t.Error("it was replaced")
	}
	b.apply(b.piholes, b.config)
}

// What may stand in the way of resolv.conf is named, with what to do about it.
func TestOwners(t *testing.T) {
	runs := func(program string) string {
		return "printf '[Service]\\nExecStart=/usr/sbin/" + program + "\\n' >/etc/systemd/system/x.service; " +
			"systemctl daemon-reload; systemctl start x"
	}
	for name, test := range map[string]struct {
		script string
		words  []string
	}{
		"systemd-resolved": {"mkdir -p /run/systemd/resolve; echo nameserver 127.0.0.53 >/run/systemd/resolve/stub-resolv.conf; " +
			"ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
			[]string{"systemd-resolved writes", "apt-get remove systemd-resolved"}},
		"resolvconf": {"mkdir -p /run/resolvconf; ln -sf /run/resolvconf/resolv.conf /etc/resolv.conf",
			[]string{"resolvconf writes", "apt-get remove resolvconf"}},
		"the package resolvconf": {"apt-get update; apt-get install -y resolvconf",
			[]string{"resolvconf writes", "apt-get remove resolvconf"}},
		"the package openresolv": {"apt-get update; apt-get install -y openresolv",
			[]string{"resolvconf writes", "apt-get remove resolvconf openresolv"}},
		"a mount": {"mount --bind /etc/resolv.conf /etc/resolv.conf",
			[]string{"what mounts it writes", "where that is started"}},
		"dhcpcd":   {runs("dhcpcd"), []string{"dhcpcd writes", "nohook resolv.conf"}},
		"dhclient": {runs("dhclient"), []string{"dhclient writes", "make_resolv_conf"}},
		"udhcpc":   {runs("udhcpc"), []string{"udhcpc writes", "so that no udhcpc runs"}},
		"connmand": {runs("connmand"), []string{"connmand writes", "so that no connmand runs"}},
	} {
		b := newBench(t)
		b.apply(b.piholes, b.config)
		b.boxes["pi2"].AddPackage(hosttest.Package{Name: "resolvconf", Version: "1.91"},
			hosttest.Package{Name: "openresolv", Version: "3.12.0-3"})
		for _, program := range []string{"dhcpcd", "dhclient", "udhcpc", "connmand"} {
			b.boxes["pi2"].Handle("/usr/sbin/"+program, func(p *hosttest.Process) int {
				<-p.Context().Done()
				return 0
			})
		}
		if out, err := b.boxes["pi2"].Exec("set -e\n" + test.script); err != nil {
			t.Fatal(name, out, err)
		}
		before := b.read("pi2", "/etc/resolv.conf")
		_, err := b.machines["pi2"].Plan(t.Context(), b.config.Resolvers())
		refused(t, name, err, test.words...)
		if after := b.read("pi2", "/etc/resolv.conf"); after != before {
			t.Errorf("%s: it was written:\n%s", name, after)
		}
	}
}

// A file that is a link, missing or of the lab's own is replaced by one of its own, and what was there is kept.
func TestResolvConfForms(t *testing.T) {
	b := newBench(t)
	b.apply(b.piholes, b.config)
	for name, test := range map[string]struct{ script, kept string }{
		"NetworkManager's": {"mkdir -p /run/NetworkManager; echo nameserver 192.168.1.1 >/run/NetworkManager/resolv.conf; " +
			"ln -sf /run/NetworkManager/resolv.conf /etc/resolv.conf", "nameserver 192.168.1.1\n"},
		"missing":         {"rm -f /etc/resolv.conf /var/lib/lab/resolv.conf", ""},
		"a dangling link": {"ln -sf /nowhere /etc/resolv.conf; rm -f /var/lib/lab/resolv.conf", ""},
		"edited":          {"rm -f /etc/resolv.conf; echo nameserver 8.8.8.8 >/etc/resolv.conf", "nameserver 8.8.8.8\n"},
	} {
		if _, err := b.boxes["pi2"].Exec(test.script); err != nil {
			t.Fatal(err)
		}
		b.apply(b.resolvers, b.config)
		if got := b.read("pi2", "/var/lib/lab/resolv.conf"); got != test.kept {
			t.Errorf("%s: kept is %q", name, got)
		}
		if l, err := b.boxes["pi2"].Exec("readlink /etc/resolv.conf"); err == nil {
			t.Errorf("%s: still a link to %s", name, l)
		}
	}
}

// A machine that has lost what was before says so.
func TestNothingKept(t *testing.T) {
	b := newBench(t)
	b.apply(b.piholes, b.config)
	b.apply(b.resolvers, b.config)
	if err := b.boxes["pi2"].FS().Remove("/var/lib/lab/resolv.conf"); err != nil {
		t.Fatal(err)
	}
	b.servers["pi1"].Down(true)
	b.servers["pi3"].Down(true)
	_, err := b.machines["pi2"].Plan(t.Context(), b.config.Resolvers())
	if !errors.Is(err, lab.ErrNotFound) || len(lab.Hints(err)) == 0 {
		t.Error(err)
	}
}

// Cut off at any write, the next run ends right.
func TestResolversPowerCut(t *testing.T) {
	b := newBench(t)
	b.apply(b.piholes, b.config)
	pi2 := func(c dns.Config) (*lab.Plan, error) { return b.machines["pi2"].Plan(t.Context(), c.Resolvers()) }
	for k := 1; ; k++ {
		if _, err := b.boxes["pi2"].Exec("rm -f /var/lib/lab/resolv.conf /etc/NetworkManager/conf.d/90-lab-dns.conf /etc/resolv.conf; " +
			"echo nameserver 192.168.1.1 >/etc/resolv.conf; sync"); err != nil {
			t.Fatal(err)
		}
		p, err := pi2(b.config)
		if err != nil {
			t.Fatal(err)
		}
		up := b.boxes["pi2"].Faults().PowerCutAtWrite(k)
		if _, err = p.Apply(t.Context(), nil); err == nil {
			if k < 5 {
				t.Errorf("only %d writes", k-1)
			}
			return
		}
		<-up
		b.machines["pi2"].Close()
		b.apply(pi2, b.config)
		if got := b.read("pi2", "/var/lib/lab/resolv.conf"); got != "nameserver 192.168.1.1\n" {
			t.Errorf("cut at write %d: kept is %q", k, got)
		}
	}
}

// A machine without a docker says so, instead of failing when it is changed.
func TestNoDocker(t *testing.T) {
	b := newBench(t)
	if _, err := b.machines["pi2"].Plan(t.Context(), must(t, b.config, "pi1")); !errors.Is(err, lab.ErrNotFound) ||
		!strings.Contains(err.Error(), "docker") || len(lab.Hints(err)) == 0 {
		t.Error(err)
	}
}

// A config is read from YAML with the fields of the stack among its own.
func TestYAML(t *testing.T) {
	var got struct {
		On         string `yaml:"on,required"`
		dns.Config `yaml:",inline"`
	}
	text := "on: pihole\nimage: pihole/pihole:2025.08.0\nupstreams: [9.9.9.9, 1.1.1.1]\noutside: example.org\n" +
		"search: [arcodange.lab]\nhosts:\n  - {address: 192.168.1.201, names: [pi1.arcodange.lab, pi1]}\n" +
		"wildcards:\n  - {zone: arcodange.lab, address: 192.168.1.201}\nlines: [\"txt-record=x.lab,y\"]\n"
	d, err := strictyaml.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.On != "pihole" || got.Outside != "example.org" || len(got.Hosts) != 1 || got.Hosts[0].Address != ip1 || len(got.Lines) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestValidate(t *testing.T) {
	if ps := config().Validate(); len(ps) > 0 {
		t.Errorf("the lab's: %v", ps)
	}
	for want, change := range map[string]func(*dns.Config){
		"servers: are 0":                     func(c *dns.Config) { c.Servers = nil },
		"servers: are 4; one to 3":           func(c *dns.Config) { c.Servers = make([]dns.Server, 4) },
		"servers[0]: is a loopback address":  func(c *dns.Config) { c.Servers = []dns.Server{{"pi1", netip.MustParseAddr("127.0.0.1")}} },
		"servers[0]: has no address":         func(c *dns.Config) { c.Servers = []dns.Server{{Name: "pi1"}} },
		"servers[1]: is there already":       func(c *dns.Config) { c.Servers = []dns.Server{{"pi1", ip1}, {"pi3", ip1}} },
		"servers[0]: is one of its own":      func(c *dns.Config) { c.Upstreams = []string{"9.9.9.9", "192.168.1.201#53"} },
		"hosts: there is no name with a dot": func(c *dns.Config) { c.Hosts, c.Wildcards, c.CNAMEs = nil, nil, nil },
		"outside: is not a name":             func(c *dns.Config) { c.Outside = "a b" },
		"search: is not a name":              func(c *dns.Config) { c.Search = []string{"lab;x"} },
		"patience: is negative":              func(c *dns.Config) { c.Patience = -1 },
		"upstreams[0]: is not an IP address": func(c *dns.Config) { c.Upstreams[0] = "dns.example.org" },
	} {
		c := config()
		change(&c)
		if _, err := c.State("pi1"); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got:\n%v", want, err)
		}
	}
	if _, err := config().State("pi2"); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "pi2") {
		t.Error(err)
	}
}

// The resolvers alone need less of the config, but a name to ask for, and servers.
func TestResolversValidate(t *testing.T) {
	right := func() dns.Config {
		return dns.Config{PiHole: stack.PiHole{Hosts: config().Hosts[:1]}, Servers: config().Servers, Search: []string{"arcodange.lab"}}
	}
	if err := right().Resolvers().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*dns.Config){
		"servers: are 0":                     func(c *dns.Config) { c.Servers = nil },
		"hosts: there is no name with a dot": func(c *dns.Config) { c.Hosts = nil },
		"hosts: is not a name":               func(c *dns.Config) { c.Hosts[0].Names = []string{"a b.lab"} },
		"outside: is not a name":             func(c *dns.Config) { c.Outside = "-s hosts" },
		"search: is not a name":              func(c *dns.Config) { c.Search = []string{"lab\nnameserver 8.8.8.8"} },
	} {
		c := right()
		change(&c)
		if err := c.Resolvers().Validate(); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got:\n%v", want, err)
		}
	}
}
