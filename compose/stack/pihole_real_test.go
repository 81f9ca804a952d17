package stack_test

import (
	"net/netip"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestPiHoleStandIn runs the stack on a real engine with a real dnsmasq in Pi-hole's place: what
// the lines that it is told mean is dnsmasq's to say.
func TestPiHoleStandIn(t *testing.T) {
	const image, password = "pihole/pihole:2025.08.0", "web-9731-hidden"
	b := newBench(t, func(d *real.DockerEngine) []string {
		d.ImportPiHoleStandIn(t, image)
		return []string{image}
	})
	pi1, pi2 := netip.MustParseAddr("192.168.1.201"), netip.MustParseAddr("192.168.1.202")
	config := stack.PiHole{Image: image, Lock: b.lock, Password: lab.NewSecret(password), Timeout: patience,
		Upstreams: []string{"192.0.2.1", "192.0.2.2"}, // nobody is there
		Hosts:     []stack.PiHoleHost{{Address: pi1, Names: []string{"pi1.arcodange.lab", "pi1"}}},
		Wildcards: []stack.PiHoleWildcard{{Zone: "arcodange.lab", Address: pi2}},
		CNAMEs:    []string{"vault.arcodange.lab,pi1.arcodange.lab"}}
	build := func(c stack.PiHole) compose.Stack {
		t.Helper()
		s, err := c.Stack()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ask := func(name, kind string, options ...string) string {
		t.Helper()
		return strings.Join(strings.Fields(b.look(t,
			"sudo docker exec pihole-pihole-1 dig +short +tries=1 +time=60 "+strings.Join(options,
				" ")+" @127.0.0.1 "+name+" "+kind+" || echo no answer")), " ")
	}
	text := b.apply(t, build(config))
	for _, q := range []struct{ name, kind, want string }{
		{"pi1.arcodange.lab", "A", "192.168.1.201"},
		{"pi1", "A", "192.168.1.201"},
		{"vault.arcodange.lab", "A", "pi1.arcodange.lab. 192.168.1.201"},
		{"anything.else.arcodange.lab", "A", "192.168.1.202"},
		{"arcodange.lab", "A", "192.168.1.202"},
		{"anything.arcodange.lab", "AAAA", ""}, // answered here: a question to the Internet would have no answer
		{"anything.arcodange.lab", "HTTPS", ""},
		{"pi1.arcodange.lab", "AAAA", ""},
		{"pi1", "AAAA", ""},
	} {
		if got := ask(q.name, q.kind); got != q.want {
			t.Errorf("%s %s is %q, want %q", q.name, q.kind, got, q.want)
		}
	}
	if got := ask("example.org", "A", "+time=2"); !strings.HasSuffix(got, "no answer") {
		t.Errorf("a name of the Internet is %q, though no server for it answers", got)
	}

	more := config
	more.Hosts = append(more.Hosts[:1:1], stack.PiHoleHost{Address: pi2, Names: []string{"nas.home"}})
	if text := b.apply(t, build(more)); !strings.Contains(text, "its definition differs") {
		t.Errorf("another host: %s", text)
	}
	if got := ask("nas.home", "A"); got != "192.168.1.202" {
		t.Errorf("nas.home is %q", got)
	}

	fail := func(c stack.PiHole) (err error) {
		t.Helper()
		plan, err := b.machine.Plan(t.Context(), host.State{build(c)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = plan.Apply(t.Context(), nil); err == nil {
			t.Fatal("it was applied")
		}
		if got := ask("nas.home", "A"); got != "192.168.1.202" {
			t.Errorf("after %v\nnas.home is %q", err, got)
		}
		return err
	}
	mute := more
	mute.Lines = []string{"port=5399"} // a line that is right, and nobody answers
	if err := fail(mute); !strings.Contains(err.Error(), "service pihole is") ||
		!strings.Contains(err.Error(), "rolled back: the former stack runs") {
		t.Errorf("a DNS that does not answer: %v", err)
	}
	// dig ends well with "there is no such name"
	healthy := b.look(t, "sudo docker inspect --format '{{index .Config.Healthcheck.Test 3}}' pihole-pihole-1")
	for name, want := range map[string]string{"pi1.arcodange.lab": "0", "nosuch.home": "1"} {
		command := strings.ReplaceAll(healthy, "pi1.arcodange.lab", name)
		if got := b.look(t, "sudo docker exec pihole-pihole-1 sh -c "+ssh.Quote(command)+" >/dev/null; echo $?"); got != want {
			t.Errorf("%s: the health check ends with %s", name, got)
		}
	}
	container := func() string { return b.look(t, "sudo docker inspect --format '{{.Id}}' pihole-pihole-1") }
	since := container()
	bad := more
	bad.Lines = []string{"adress=/x.lab/192.168.1.9"}
	if err := fail(bad); !strings.Contains(err.Error(), "dnsmasq: bad option at line") ||
		!strings.Contains(err.Error(), "the line is: adress=/x.lab/192.168.1.9") || container() != since {
		t.Errorf("a malformed line: %v; the container was %s, is %s", err, since, container())
	}
	if got := b.look(t, "sudo docker exec pihole-pihole-1 cat /etc/resolv.conf"); !strings.Contains(got, "nameserver 192.0.2.1") ||
		strings.Contains(got, "127.0.0.1") {
		t.Errorf("the container asks:\n%s", got)
	}
	b.apply(t, build(more))
	if seen := text + b.look(t, "sudo docker inspect pihole-pihole-1; sudo docker logs pihole-pihole-1 "+
		"2>&1; ps axww"); strings.Contains(seen, password) {
		t.Error("the password is seen")
	}
}
