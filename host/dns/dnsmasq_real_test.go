package dns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// dnsmasq returns the path of the real one, the engine of Pi-hole's, or ends the test.
func dnsmasq(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"dnsmasq", "/usr/sbin/dnsmasq"} {
		if file, err := exec.LookPath(name); err == nil {
			return file
		}
	}
	real.Missing(t, "dnsmasq (Debian package dnsmasq-base)")
	return ""
}

// serve runs a dnsmasq on loopback, and returns its address when it answers.
func serve(t *testing.T, conf string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	serveAt(t, address, conf)
	return address
}

// serveAt runs a dnsmasq at an address until stop is called.
func serveAt(t *testing.T, address, conf string) (stop func()) {
	t.Helper()
	program := dnsmasq(t)
	ip, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dnsmasq.conf")
	conf += "\nport=" + port + "\nlisten-address=" + ip + "\nbind-interfaces\npid-file\nuser=root\n"
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, "--keep-in-foreground", "--conf-file="+file)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended
		ended <- <-ended
	}
	t.Cleanup(stop)
	err = lab.Wait(t.Context(), lab.Poll{What: "dnsmasq", First: time.Millisecond, Timeout: time.Minute},
		func(context.Context) (bool, error) {
			select {
			case err := <-ended:
				ended <- err
				return false, fmt.Errorf("%w: %s", err, log.String())
			default:
			}
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// pinned returns the configuration with what a program fills in.
func pinned(c Config) Config {
	c.Password = lab.NewSecret("x")
	c.Image = "pihole/pihole:2025.08.0"
	c.Lock = compose.Lock{c.Image: compose.Pin{Digest: "sha256:" + strings.Repeat("1", 64)}}
	return c
}

// rendered returns what a Pi-hole makes of a configuration, beside its own settings.
func rendered(t *testing.T, p stack.PiHole) (lines, hosts string) {
	t.Helper()
	s, err := pinned(Config{PiHole: p}).PiHole.Stack()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Files {
		if f.Path == "dnsmasq.conf" {
			lines = f.Content
		}
	}
	for _, h := range p.Hosts {
		hosts += h.Address.String() + " " + strings.Join(h.Names, " ") + "\n"
	}
	return lines, hosts
}

// Pi-hole's own settings that decide here (its defaults).
const piholeDefaults = "bogus-priv\nlocalise-queries\nlocal-service\nlocal=/pi.hole/\nhost-record=pi.hole,0.0.0.0,::\n"

// wire is a dialer that leads port 53 of any address to a server.
type wire string

func (w wire) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, string(w))
}

// matrix is a lab with everything.
func matrix() Config {
	a := netip.MustParseAddr
	return Config{PiHole: stack.PiHole{
		Upstreams: []string{"127.0.0.1", "127.0.0.2"},
		Hosts: []stack.PiHoleHost{
			{Address: a("192.168.1.201"), Names: []string{"pi1.arcodange.lab", "pi1"}},
			{Address: a("192.168.1.202"), Names: []string{"pi2.arcodange.lab", "pi2", "Mixed.Case.arcodange.lab"}},
			{Address: a("192.168.1.203"), Names: []string{"pi3.arcodange.lab"}},
			{Address: a("fd00::203"), Names: []string{"pi3.arcodange.lab"}},
			{Address: a("192.168.1.10"), Names: []string{"nas.home", "nas"}},
			{Address: a("192.168.1.11"), Names: []string{"nas.home"}},
			{Address: a("192.168.1.20"), Names: []string{"_srv.erp.arcodange.lab"}},
			{Address: a("fd00::9"), Names: []string{"nine.arcodange.lab"}},
			{Address: a("192.168.1.8"), Names: []string{"four.six.lab"}},
			{Address: a("fd00::8"), Names: []string{"eight.inner.arcodange.lab"}},
		},
		Wildcards: []stack.PiHoleWildcard{
			{Zone: "arcodange.lab", Address: a("192.168.1.201")},
			{Zone: "erp.arcodange.lab", Address: a("192.168.1.202")},
			{Zone: "six.lab", Address: a("fd00::1")}, {Zone: "inner.arcodange.lab", Address: a("fd00::5")},
			{Zone: "both.lab", Address: a("192.168.1.7")}, {Zone: "both.lab", Address: a("fd00::7")},
		},
		CNAMEs: []string{"www.arcodange.lab,pi2.arcodange.lab", "deep.lab,www.arcodange.lab"},
	}, Outside: "example.org", Patience: time.Millisecond, Servers: []Server{{Name: "pi1", Address: a("192.168.1.201")}}}
}

// start runs a Pi-hole's dnsmasq with the configuration, and an Internet which answers everything, and tells what was
// asked there.
func start(t *testing.T, c Config, change func(string) string) (server wire, asked func(name string) bool) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	upstream := serve(t, "no-resolv\nno-hosts\naddress=/#/203.0.113.99\naddress=/#/2001:db8::bad\nlog-queries\nlog-facility="+log)
	_, port, err := net.SplitHostPort(upstream)
	if err != nil {
		t.Fatal(err)
	}
	lines, hosts := rendered(t, c.PiHole)
	lines = strings.ReplaceAll(lines, "server=127.0.0.1\nserver=127.0.0.2\n", "server=127.0.0.1#"+port+"\n")
	server = wire(serve(t, piholeDefaults+change(lines)+"hostsdir="+hostsDir(t, hosts)))
	return server, func(name string) bool {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.ToLower(string(b)), "] "+strings.ToLower(name)+" from")
	}
}

// hostsDir returns a directory with a file of hosts, as Pi-hole has one.
func hostsDir(t *testing.T, hosts string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "custom.list"), []byte(hosts), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func same(lines string) string { return lines }

// TestDnsmasqMatrix measures what the lines mean: dnsmasq 2.90 of Debian 12, the engine of Pi-hole's FTL.
func TestDnsmasqMatrix(t *testing.T) {
	server, asked := start(t, matrix(), same)
	for _, q := range []struct {
		name string
		kind dnsmessage.Type
		want string // as answer.String says it
	}{
		{"pi1.arcodange.lab", dnsmessage.TypeA, "192.168.1.201"}, // explicit wins
		{"pi2.arcodange.lab", dnsmessage.TypeA, "192.168.1.202"},
		{"PI2.ARCODANGE.LAB", dnsmessage.TypeA, "192.168.1.202"},
		{"mixed.case.arcodange.lab", dnsmessage.TypeA, "192.168.1.202"},
		{"arcodange.lab", dnsmessage.TypeA, "192.168.1.201"},          // the apex
		{"any.arcodange.lab", dnsmessage.TypeA, "192.168.1.201"},      // below it
		{"a.b.c.arcodange.lab", dnsmessage.TypeA, "192.168.1.201"},    // however deep
		{"typo.pi2.arcodange.lab", dnsmessage.TypeA, "192.168.1.201"}, // below a host
		{"erp.arcodange.lab", dnsmessage.TypeA, "192.168.1.202"},      // the inner zone wins
		{"any.erp.arcodange.lab", dnsmessage.TypeA, "192.168.1.202"},
		{"_srv.erp.arcodange.lab", dnsmessage.TypeA, "192.168.1.20"},
		{"notarcodange.lab", dnsmessage.TypeA, "203.0.113.99"}, // another zone
		{"localhost", dnsmessage.TypeA, "203.0.113.99"},        // in the machine's /etc/hosts, which is not read
		{"any.arcodange.lab", dnsmessage.TypeAAAA, "nothing"},
		{"any.arcodange.lab", typeHTTPS, "nothing"},
		{"any.arcodange.lab", dnsmessage.TypeTXT, "nothing"},
		{"pi1.arcodange.lab", dnsmessage.TypeAAAA, "nothing"},
		{"pi1.arcodange.lab", typeHTTPS, "nothing"},
		{"any.erp.arcodange.lab", dnsmessage.TypeAAAA, "nothing"},
		{"pi3.arcodange.lab", dnsmessage.TypeAAAA, "fd00::203"},
		{"nine.arcodange.lab", dnsmessage.TypeA, "192.168.1.201"}, // a host without one has the wildcard's
		{"four.six.lab", dnsmessage.TypeAAAA, "fd00::1"},
		{"any.inner.arcodange.lab", dnsmessage.TypeA, "nothing"}, // but that of the inner zone alone
		{"eight.inner.arcodange.lab", dnsmessage.TypeA, "nothing"},
		{"any.six.lab", dnsmessage.TypeAAAA, "fd00::1"},
		{"any.six.lab", dnsmessage.TypeA, "nothing"},
		{"any.both.lab", dnsmessage.TypeA, "192.168.1.7"},
		{"any.both.lab", dnsmessage.TypeAAAA, "fd00::7"},
		{"any.both.lab", typeHTTPS, "nothing"},
		{"www.arcodange.lab", dnsmessage.TypeA, "192.168.1.202"},
		{"deep.lab", dnsmessage.TypeA, "192.168.1.202"},
		{"nas.home", dnsmessage.TypeA, "192.168.1.11 192.168.1.10"},
		{"nas.home", dnsmessage.TypeAAAA, "nothing"}, // in no wildcard
		{"nas.home", typeHTTPS, "nothing"},
		{"nas", dnsmessage.TypeA, "192.168.1.10"},
		{"nas", dnsmessage.TypeAAAA, "nothing"},
		{"201.1.168.192.in-addr.arpa", dnsmessage.TypePTR, "pi1.arcodange.lab"},
		{"10.1.168.192.in-addr.arpa", dnsmessage.TypePTR, "nas.home"},
		{"99.1.168.192.in-addr.arpa", dnsmessage.TypePTR, "NameError"},
		{reverse(netip.MustParseAddr("fd00::203")), dnsmessage.TypePTR, "pi3.arcodange.lab"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			got, err := ask(t.Context(), server, network, "192.0.2.1:53", q.name, q.kind)
			said := strings.TrimPrefix(got.String(), "it says ")
			if words := strings.Fields(said); err != nil || len(words) != len(strings.Fields(q.want)) || !subset(words, q.want) {
				t.Errorf("%s %v over %s is %q, %v; want %q", q.name, q.kind, network, said, err, q.want)
			}
		}
		if leaked := asked(q.name); leaked != (q.want == "203.0.113.99") {
			t.Errorf("%s: it was asked for in the Internet: %t", q.name, leaked)
		}
	}
}

// subset reports whether all words are among those of a text.
func subset(words []string, text string) bool {
	for _, w := range words {
		if !strings.Contains(" "+text+" ", " "+w+" ") {
			return false
		}
	}
	return true
}

// TestDnsmasqWithoutLocal shows what the second line of a wildcard, and of a host outside, is for.
func TestDnsmasqWithoutLocal(t *testing.T) {
	server, asked := start(t, matrix(), func(lines string) string {
		var kept strings.Builder
		for line := range strings.Lines(lines) {
			if !strings.HasPrefix(line, "local=") {
				kept.WriteString(line)
			}
		}
		return kept.String()
	})
	for _, name := range []string{"any.arcodange.lab", "pi1.arcodange.lab", "nas.home"} {
		got, err := ask(t.Context(), server, "udp", "192.0.2.1:53", name, dnsmessage.TypeAAAA)
		if err != nil || got.String() != "it says 2001:db8::bad" || !asked(name) {
			t.Errorf("AAAA of %s: %s, %v; asked in the Internet: %t", name, got, err, asked(name))
		}
	}
	if got, err := ask(t.Context(), server, "udp", "192.0.2.1:53", "https.arcodange.lab", typeHTTPS); err != nil ||
		!asked("https.arcodange.lab") {
		t.Errorf("HTTPS: %s, %v", got, err)
	}
	err := matrix().Gate(server)(t.Context(), &host.Machine{Target: ssh.Target{Name: "pi1"}})
	if err == nil || !strings.Contains(err.Error(), "AAAA over UDP: conflict: it says 2001:db8::bad, want no such record") {
		t.Errorf("the gate: %v", err)
	}
}

// TestGateDnsmasq opens for what was configured, and for nothing less.
func TestGateDnsmasq(t *testing.T) {
	c := matrix()
	server, _ := start(t, c, same)
	pi1 := &host.Machine{Target: ssh.Target{Name: "pi1"}}
	if err := c.Gate(server)(t.Context(), pi1); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"new.arcodange.lab A": func(c *Config) {
			c.Hosts = append(c.Hosts, stack.PiHoleHost{Address: netip.MustParseAddr("192.168.1.9"), Names: []string{"new.arcodange.lab"}})
		},
		"192.168.1.201 PTR": func(c *Config) {
			c.Hosts, c.CNAMEs = c.Hosts[:1], nil
			c.Hosts[0].Names = []string{"x.arcodange.lab"} // the wildcard says the same address
		},
		"lab-gate-probe.new.lab A": func(c *Config) {
			c.Wildcards = append(c.Wildcards, stack.PiHoleWildcard{Zone: "new.lab", Address: netip.MustParseAddr("192.168.1.9")})
		},
	} {
		changed := matrix()
		change(&changed)
		if err := changed.Gate(server)(t.Context(), pi1); !errors.Is(err, lab.ErrTimeout) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s: %v", want, err)
		}
	}
}

// configs yields configurations that are right, of n that are made up.
func configs(n int) iter.Seq[stack.PiHole] {
	r := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "Z", "_", "0", "a-b", "a--b", "x_y", "1-", "-", "pi1", "xn--bro-hoa"}
	name := func() string {
		n := letters[r.IntN(len(letters))]
		for range r.IntN(3) {
			n += "." + letters[r.IntN(len(letters))]
		}
		return n
	}
	addr := func() netip.Addr {
		if r.IntN(3) == 0 {
			return netip.AddrFrom16([16]byte{0xfd, 15: byte(1 + r.IntN(254))})
		}
		return netip.AddrFrom4([4]byte{192, 168, 1, byte(1 + r.IntN(254))})
	}
	prefix := func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, r.IntN(a.BitLen()+1)) }
	return func(yield func(stack.PiHole) bool) {
		for range n {
			p := pinned(matrix()).PiHole
			p.Hosts, p.Wildcards = nil, nil
			for range 1 + r.IntN(3) {
				p.Hosts = append(p.Hosts, stack.PiHoleHost{Address: addr(), Names: []string{name(), name()}})
				p.Wildcards = append(p.Wildcards, stack.PiHoleWildcard{Zone: name(), Address: addr()})
			}
			p.Reverse = []string{fmt.Sprintf("true,%s,%s,%s", prefix(addr()), addr(), name())}
			p.CNAMEs = []string{name() + "," + p.Hosts[0].Names[0]}
			if len(p.Validate()) > 0 {
				p.CNAMEs = nil
			}
			if len(p.Validate()) == 0 && !yield(p) {
				return
			}
		}
	}
}

// TestGateOpens: whatever is right by Validate, the gate opens for the dnsmasq that runs it.
func TestGateOpens(t *testing.T) {
	opened := 0
	for p := range configs(700) {
		c := matrix()
		p.Reverse = nil // its servers are nowhere
		c.PiHole = p
		if len(c.Validate()) > 0 {
			continue // nothing could be asked for
		}
		opened++
		t.Run(fmt.Sprint(opened), func(t *testing.T) { // which ends the servers
			server, _ := start(t, c, same)
			if err := c.Gate(server)(t.Context(), &host.Machine{Target: ssh.Target{Name: "pi1"}}); err != nil {
				lines, hosts := rendered(t, p)
				t.Errorf("%v\n%s%s", err, lines, hosts)
			}
		})
	}
	if opened < 25 {
		t.Errorf("only %d were asked", opened)
	}
}

// TestDnsmasqTakes: whatever is right by Validate, dnsmasq takes; and what it does not take, its words name.
func TestDnsmasqTakes(t *testing.T) {
	program := dnsmasq(t)
	test := func(conf string) (string, error) {
		file := filepath.Join(t.TempDir(), "lines")
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program, "--test", "--conf-file="+file).CombinedOutput()
		return string(out), err
	}
	taken := 0
	for p := range configs(2000) {
		taken++
		lines, _ := rendered(t, p)
		if out, err := test(lines); err != nil {
			t.Errorf("%v: %s of\n%s", err, out, lines)
		}
	}
	if taken < 100 {
		t.Errorf("only %d were right", taken)
	}
}
