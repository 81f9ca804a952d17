package compose_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// owners says which of the services a, b, c, d has what only one container can have: two ports, an
// address and a name. A dot is nobody.
type owners [4]string

// services returns a compose.yaml. Services that have nothing are there too, unless they are absent.
func (o owners) services(absent, check string) string {
	depends := map[string]string{"a": "", "b": "depends_on: [a], ", "c": "", "d": "depends_on: [b], "}
	var b strings.Builder
	b.WriteString("services:\n")
	for _, name := range []string{"a", "b", "c", "d"} {
		if strings.Contains(absent, name) {
			continue
		}
		var ports []string
		if o[0] == name {
			ports = append(ports, `"18080:80"`)
		}
		if o[1] == name {
			ports = append(ports, `"127.0.0.1:18053:53/udp"`)
		}
		address, own := "{}", ""
		if o[2] == name {
			address = "{ipv4_address: 172.29.7.20}"
		}
		if o[3] == name {
			own = "container_name: only, "
		}
		on := depends[name]
		if strings.ContainsAny(absent, "ab") {
			on = ""
		}
		fmt.Fprintf(&b, "  %s: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, %s%sports: [%s], "+
			"networks: {default: %s}, healthcheck: {test: [CMD, %s], interval: 1s, retries: 2}}\n",
			name, on, own, strings.Join(ports, ", "), address, check)
	}
	b.WriteString("networks: {default: {ipam: {config: [{subnet: 172.29.7.0/24}]}}}\n")
	return b.String()
}

// exclusives are cases that run on the fake and on a real engine.
func exclusives(t *testing.T, fresh func(*testing.T) subject) {
	t.Helper()
	t.Run("what only one can have moves", func(t *testing.T) {
		s := fresh(t)
		load := func(o owners, absent string) compose.Stack {
			t.Helper()
			return s.content(t, "only", o.services(absent, `"true"`))
		}
		has := func(o owners) {
			t.Helper()
			if s.fake != nil {
				return // which refuses to give one thing to two
			}
			got := s.look(t, `docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Name}} `+
				`{{.NetworkSettings.Ports}} {{.NetworkSettings.Networks.only_default.IPAddress}}' $(docker ps -q)`)
			for i, sign := range []string{"18080", "18053", "172.29.7.20", "/only "} {
				for line := range strings.Lines(got) {
					if strings.Contains(line, sign) != strings.HasPrefix(line, o[i]+" ") {
						t.Errorf("%s is for %s:\n%s", sign, o[i], got)
					}
				}
			}
		}
		steps := []struct {
			owners
			absent string
		}{
			{owners{"a", "b", "a", "b"}, "cd"},
			{owners{"b", "a", "b", "a"}, "cd"}, // all swapped
			{owners{"c", "b", "a", "d"}, ""},   // to new services, too
			{owners{"d", "c", "c", "a"}, "b"},
			{owners{"a", "d", "b", "c"}, ""}, // a cycle
		}
		for _, step := range steps {
			s.apply(t, load(step.owners, step.absent))
			has(step.owners)
		}
		last := steps[len(steps)-1]
		bad := s.content(t, "only", strings.Replace(owners{"b", "a", "c", "d"}.services("", `"true"`), `"true"`, `"false"`, 1))
		if s.fake == nil { // TestExclusiveRandom is the rest
			_, err := s.plan(t, bad).Apply(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), "rolled back: the former stack runs") {
				t.Errorf("got %v", err)
			}
			if p := s.plan(t, load(last.owners, last.absent)); !p.Empty() {
				t.Errorf("the former stack is not there:\n%s", p)
			}
			has(last.owners)
		}
	})
	t.Run("what a stranger has", func(t *testing.T) {
		s := fresh(t)
		refused := func(content, who string) {
			t.Helper()
			stack := s.content(t, "mine", content)
			_, err := s.machine.Plan(t.Context(), host.State{stack})
			if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), who) || len(lab.Hints(err)) == 0 {
				t.Errorf("%s: got %v", content, err)
			}
		}
		const service = "services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, "
		s.look(t, "docker run -d --name stranger -p 127.0.0.1:18081:80 busybox:1.36 sleep 100000")
		s.apply(t, s.content(t, "other", service+"container_name: mine-a-1, ports: ['18082:80']}}"))
		refused(service+"ports: ['18081:80']}}", "the port 18081/tcp, for the service a, is that of the container stranger, which is of no stack")
		refused(service+"container_name: stranger}}", "the name stranger, for the service a, is that of the container stranger")
		refused(service+"container_name: xx, ports: ['127.0.0.1:18082:80']}}", "is that of the container mine-a-1, of the project other")
		refused(service+"}}", "the name mine-a-1, for the service a, is that of the container mine-a-1, of the project other")
		s.apply(t, s.content(t, "mine", service+"container_name: xx, ports: ['127.0.0.2:18081:80', '18082:80/udp']}}"))
		// That the plan changes what the stack comes after is no answer, if it does not take it away.
		first := host.Command{Name: "first", Run: "touch /opt/first", Creates: "/opt/first"}
		later := s.content(t, "later", service+"ports: ['18081:80']}}")
		later.After = []string{first.ID()}
		for _, when := range []string{"apply", "plan"} {
			p, err := s.machine.Plan(t.Context(), host.State{first, later})
			if when == "apply" && err == nil {
				_, err = p.Apply(t.Context(), nil)
			}
			if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "the container stranger") {
				t.Errorf("%s: got %v", when, err)
			}
		}
		s.look(t, "docker stop stranger; rm /opt/first")
		s.apply(t, s.content(t, "mine", service+"container_name: xx, ports: ['18081:80']}}"))
		// What one plan gives from one stack to the next.
		moved := s.content(t, "mine", service+"container_name: xx, ports: ['18081:80', '18082:80']}}")
		moved.After = []string{"stack:other"}
		s.apply(t, compose.Absent{Name: "other"}, moved)
	})
	t.Run("what listens on the machine", func(t *testing.T) {
		s := fresh(t)
		service := func(name, rest string) compose.Stack {
			return s.content(t, name, "services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, "+rest+"}}")
		}
		refused := func(says string, state ...host.Resource) {
			t.Helper()
			_, err := s.machine.Plan(t.Context(), state)
			if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), says) || len(lab.Hints(err)) == 0 {
				t.Errorf("%s: got %v", says, err)
			}
		}
		onHost := service("onhost", "network_mode: host, expose: [18087, 18090-18092/udp]")
		refused("the port 18087/tcp, for the service a, is that of the service a of the stack onhost too", onHost, service("mine", "ports: ['18087:80']"))
		refused("the port 18091/udp, for the service a, is that of the service a of the stack mine too", onHost, service("mine", "ports: ['127.0.0.1:18091:80/udp']"))
		refused("the port 18087/tcp", onHost, service("mine", "network_mode: host, expose: ['18087/tcp']"))
		for _, other := range []string{"ports: ['18091:80']", "ports: ['18093:80/udp']", "network_mode: host, expose: [18088]", "expose: [18087]"} {
			if _, err := s.machine.Plan(t.Context(), host.State{onHost, service("mine", other)}); err != nil {
				t.Errorf("%s: %v", other, err)
			}
		}
		if s.fake == nil {
			s.look(t, "docker run -d --network host --name stranger busybox:1.36 httpd -f -p 18087; "+
				"until grep -q ':46A7 0*:0000 0A' /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done")
		} else {
			s.listen(18087, true)
		}
		refused("the port 18087/tcp, for the service a, is taken by something on the machine", onHost)
		refused("the port 18087/tcp, for the service a, is taken by something on the machine", service("mine", "ports: ['18087:80']"))
		s.apply(t, service("mine", "ports: ['18088:80', '18087:80/udp']"))
		if s.fake == nil {
			s.look(t, "docker rm -f stranger")
		} else {
			s.listen(18087, false)
			s.listen(18088, true) // which is published
		}
		s.apply(t, onHost)
		if s.fake != nil {
			s.listen(18087, true)
		}
		s.apply(t, onHost) // which listens itself
	})
	t.Run("what Docker chose for another", func(t *testing.T) {
		s := fresh(t)
		load := func(port, address string) compose.Stack {
			t.Helper()
			text := "services:\n  a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, ports: " +
				"['80']}\n  ab: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, network_mode: 'service:a'}\n"
			if port != "" {
				text += "  b: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, depends_on: [a], " +
					"ports: ['" + port + ":80']}\n"
			}
			if address != "" {
				text += "  b: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always, networks: " +
					"{default: {ipv4_address: " + address + "}}, depends_on: [a]}\n"
			}
			return s.content(t, "chosen", text+"networks: {default: {ipam: {config: [{subnet: 172.29.9.0/24}]}}}")
		}
		s.apply(t, load("", ""))
		chosen := func(format string) string {
			t.Helper()
			got := s.look(t, "docker inspect --type container --format '"+format+"' $(docker ps -q --no-trunc --filter "+
				"label=com.docker.compose.service=a)")
			return strings.Fields(got)[0]
		}
		taken := func(stack compose.Stack) {
			t.Helper()
			text := s.apply(t, stack)
			for _, want := range []string{"release:a", "which is for b: it is stopped meanwhile", "start:a: was stopped for b",
				"restart:ab: a, whose namespace it shares, was stopped for b"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q:\n%s", want, text)
				}
			}
		}
		taken(load("", chosen("{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}")))
		s.apply(t, load("", ""))
		taken(load(chosen("{{range $p, $l := .NetworkSettings.Ports}}{{range $l}}{{.HostPort}} {{end}}{{end}}"), ""))
	})
	t.Run("a subnet moves to a network of another name", func(t *testing.T) {
		s := fresh(t)
		load := func(name string) compose.Stack {
			t.Helper()
			return s.content(t, "sub", "services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: "+
				"always, networks: ["+name+
				"]}, b: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, restart: always}}\n"+
				"networks: {"+name+": {ipam: {config: [{subnet: 172.29.8.0/24}]}}}")
		}
		s.apply(t, load("front"))
		if text := s.apply(t, load("back")); !strings.Contains(text, "delete  compose:sub/network:front: is no longer in "+
			"the stack; the services in it stop meanwhile") ||
			strings.Contains(text, "service:b") {
			t.Errorf("the plan:\n%s", text)
		}
		other := s.content(t, "other", "services: {a: {image: 'busybox:1.36'}}\nnetworks: {default: {ipam: {config: [{subnet: 172.29.0.0/16}]}}}")
		if _, err := s.machine.Plan(t.Context(), host.State{other}); !errors.Is(err, lab.ErrConflict) ||
			!strings.Contains(err.Error(), "the subnet 172.29.0.0/16 of the network other_default overlaps with 172.29.8.0/24, "+
				"which is that of the network sub_back") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the network of a stranger", func(t *testing.T) {
		s := fresh(t)
		stack := s.content(t, "mine", "services: {a: {image: 'busybox:1.36', command: [sleep, '100000'], init: true, "+
			"restart: always, network_mode: 'container:vpn'}}")
		if len(stack.Warnings) != 1 {
			t.Errorf("warnings: %v", stack.Warnings)
		}
		if _, err := s.machine.Plan(t.Context(), host.State{stack}); !errors.Is(err,
			lab.ErrNotFound) || !strings.Contains(err.Error(), "container vpn") {
			t.Errorf("it is not there: %v", err)
		}
		s.look(t, "docker run -d --name vpn busybox:1.36 sleep 100000")
		s.apply(t, stack)
		s.look(t, "docker stop vpn; docker rm vpn; docker run -d --name vpn busybox:1.36 sleep 100000")
		if p := s.plan(t, stack); p.Empty() {
			t.Error("the container whose network it shares was recreated, and nothing is to be done")
		}
		s.apply(t, stack)
	})
}

func TestExclusiveFake(t *testing.T) {
	exclusives(t, func(t *testing.T) subject {
		s, _ := newFake(t, composetest.Config{})
		return s
	})
}

// TestExclusiveRandom moves everything between services at random, with services that come and go
// and with some that do not get healthy, on an engine that gives nothing to two.
func TestExclusiveRandom(t *testing.T) {
	s, _ := newFake(t, composetest.Config{})
	random := rand.New(rand.NewPCG(1, 2))
	former := s.content(t, "only", owners{".", ".", ".", "."}.services("", `"true"`))
	s.apply(t, former)
	for n := range 60 {
		absent := []string{"", "", "d", "c", "b"}[random.IntN(5)]
		there := slices.DeleteFunc([]string{"a", "b", "c", "d", "."}, func(x string) bool { return x == absent })
		var o owners
		for i := range o {
			o[i] = there[random.IntN(len(there))]
		}
		stack := s.content(t, "only", o.services(absent, `"true"`))
		if random.IntN(3) > 0 {
			s.apply(t, stack)
			former = stack
			continue
		}
		made := s.fake.Containers()
		before := made[len(made)-1].Created
		who := there[random.IntN(len(there)-1)]
		failed := false
		s.fake.Fail(who, func(c *composetest.Container) bool {
			failed = failed || c.Created.After(before)
			return c.Created.After(before) && !rolledBack(s, stack)
		})
		p := s.plan(t, stack)
		_, err := p.Apply(t.Context(), nil)
		s.fake.Reset()
		if failed && (err == nil || !strings.Contains(err.Error(), "rolled back: the former stack runs")) {
			t.Fatalf("%d: %s failed in %v: %v", n, who, o, err)
		}
		if !failed {
			former = stack
		}
		if p = s.plan(t, former); !p.Empty() {
			t.Fatalf("%d: after %v without %s, where %s failed (%t): %v\n%s", n, o, absent, who, failed, err, p)
		}
	}
}

// TestExclusivePowerCuts cuts the power before every change of the engine while everything is swapped.
func TestExclusivePowerCuts(t *testing.T) {
	for k := 1; ; k++ {
		s, _ := newFake(t, composetest.Config{})
		s.apply(t, s.content(t, "only", owners{"a", "b", "a", "b"}.services("d", `"true"`)))
		swapped := s.content(t, "only", owners{"b", "c", "b", "a"}.services("d", `"true"`))
		up := s.fake.PowerCutAtChange(k)
		_, err := s.plan(t, swapped).Apply(t.Context(), nil)
		if err == nil {
			if k < 8 {
				t.Errorf("only %d changes", k-1)
			}
			return
		}
		<-up
		s.machine.Close()
		s.apply(t, swapped)
		for _, c := range s.fake.Containers() {
			if c.Service() != "a" && c.Name != "only-"+c.Service()+"-1" || c.Service() == "a" && c.Name != "only" {
				t.Errorf("cut before change %d: %s is named %s", k, c.Service(), c.Name)
			}
		}
	}
}

// rolledBack reports whether the former compose.yaml lies on the machine again.
func rolledBack(s subject, stack compose.Stack) bool {
	b, err := s.box.FS().ReadFile("/opt/stacks/only/compose.yaml")
	return err == nil && string(b) != string(stack.Render())
}
