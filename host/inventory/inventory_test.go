package inventory

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

// labInventory is the inventory of the real lab.
const labInventory = `
hosts:
  pi1: {address: 192.168.1.201, user: pi}
  pi2: {address: 192.168.1.202, user: pi}
  pi3: {address: 192.168.1.203, user: pi}
  localhost: {local: true}
groups:
  raspberries: {hosts: [pi1, pi2, pi3]}
  local: {hosts: [localhost, pi1, pi2, pi3]}
  postgres: {hosts: [pi2]}
  gitea: {children: [postgres]}
  pihole: {hosts: [pi1, pi3]}
  step_ca: {hosts: [pi1, pi2, pi3], vars: {step_ca_primary: pi1}}
vars:
  zone: arcodange.lab
`

func readInventorySpec(tb testing.TB, text string) (*strictyaml.Document, Spec) {
	tb.Helper()
	d, err := strictyaml.Parse("lab.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	var spec Spec
	if err := d.Decode(&spec); err != nil {
		tb.Fatal(err)
	}
	return d, spec
}

func newLabInventory(tb testing.TB) *Inventory {
	tb.Helper()
	_, spec := readInventorySpec(tb, labInventory)
	inv, err := New(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return inv
}

func hostNames(hosts []*Host) string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	return strings.Join(names, " ")
}

func TestInventory(t *testing.T) {
	inv := newLabInventory(t)
	if got := hostNames(inv.Hosts()); got != "pi1 pi2 pi3 localhost" {
		t.Error(got)
	}
	if got := strings.Join(inv.Groups(), " "); got != "all ungrouped raspberries local postgres gitea pihole step_ca" {
		t.Error(got)
	}
	pi2, err := inv.Host("pi2")
	if err != nil {
		t.Fatal(err)
	}
	want := &Host{Name: "pi2", Address: "192.168.1.202", Port: 22, User: "pi",
		Groups: []string{"gitea", "local", "postgres", "raspberries", "step_ca"},
		Vars:   map[string]any{"zone": "arcodange.lab", "step_ca_primary": "pi1"}}
	if !reflect.DeepEqual(pi2, want) {
		t.Errorf("got  %+v\nwant %+v", pi2, want)
	}
	if h, err := inv.Host("localhost"); err != nil || !h.Local || h.Address != "" || h.Port != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	_, err = inv.Host("p1")
	if !errors.Is(err, lab.ErrNotFound) || err.Error() != "p1: find host: not found in the inventory" ||
		lab.Hints(err)[0] != "nearest: pi1" {
		t.Error(err, lab.Hints(err))
	}
}

func TestInventoryDefaults(t *testing.T) {
	_, err := New(Spec{Hosts: []HostSpec{{Name: "a.example.org"},
		{Name: "b", Address: "::1", Port: 2222, Jump: []string{"a.example.org", "root@gate.example.org:22"}}}})
	want := "hosts.b.jump[1]: neither a host of the inventory nor an address: root@gate.example.org:22"
	if err == nil || err.Error() != want {
		t.Fatal(err)
	}
	inv, err := New(Spec{Hosts: []HostSpec{{Name: "a.example.org"},
		{Name: "b", Address: "::1", Port: 2222, Jump: []string{"a.example.org", "gate.example.org:22"}}}})
	if err != nil {
		t.Fatal(err)
	}
	hosts := []*Host{
		{Name: "a.example.org", Address: "a.example.org", Port: 22, Vars: map[string]any{}},
		{Name: "b", Address: "::1", Port: 2222,
			Jump: []string{"a.example.org", "gate.example.org:22"}, Vars: map[string]any{}},
	}
	if !reflect.DeepEqual(inv.Hosts(), hosts) {
		t.Errorf("%+v", inv.Hosts())
	}
}

func TestInventoryVars(t *testing.T) {
	_, spec := readInventorySpec(t, `
hosts:
  a: {vars: {host: a, x: {of: host}}}
  b:
groups:
  child: {hosts: [a, b], vars: {child: c, parent: child, x: {of: child, more: 1}}}
  parent: {children: [child], vars: {parent: p, all: p, x: {of: parent}}}
  z: {hosts: [a], vars: {same: z, priority: z}}
  y: {hosts: [a], vars: {same: y, priority: y}, priority: 1}
vars: {all: a, only: all}
`)
	inv, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		// y takes precedence over z by its priority; its name would not give it precedence
		{"host": "a", "x": map[string]any{"of": "host"}, "child": "c", "parent": "child", "all": "p",
			"only": "all", "same": "y", "priority": "y"},
		{"x": map[string]any{"of": "child", "more": 1}, "child": "c", "parent": "child", "all": "p", "only": "all"},
	}
	for i, h := range inv.Hosts() {
		if !reflect.DeepEqual(h.Vars, want[i]) {
			t.Errorf("%s: %v\nwant %v", h.Name, h.Vars, want[i])
		}
	}
}

func TestInventoryProblems(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"hosts: {}", "\nlab.yaml:1:1: hosts: the inventory has no hosts"},
		{"hosts:\n  pi*:\n  12:34:\n  all:\n  a b:\n", `
lab.yaml:2:3: hosts.pi*: not a name that a pattern can select: pi* (letters and digits, . _ - in between, not all digits)
lab.yaml:3:3: hosts.12:34: not a name that a pattern can select: 12:34 (letters and digits, . _ - in between, not all digits)
lab.yaml:4:3: hosts.all: the name of a built-in group (rename the host)
lab.yaml:5:3: hosts.a b: not a name that a pattern can select: a b (letters and digits, . _ - in between, not all digits)`},
		{"hosts: {a: , '7': }\ngroups: {all: {vars: {x: y}}, ungrouped: , a: , '!b': }", `
lab.yaml:1:14: hosts.7: not a name that a pattern can select: 7 (letters and digits, . _ - in between, not all digits)
lab.yaml:2:10: groups.all: the name of the built-in group of every host (its variables are the "vars" of the inventory)
lab.yaml:2:31: groups.ungrouped: the name of the built-in group of the hosts in no other (remove it)
lab.yaml:2:44: groups.a: a host has the same name (rename one of them, so that a pattern can only mean one)
lab.yaml:2:49: groups.!b: not a name that a pattern can select: !b (letters and digits, . _ - in between, not all digits)`},
		{`hosts:
  pi1: {address: 192.168.1.999}
  rack.1: {}
  pi3: {address: 192.168.1}
`, `
lab.yaml:2:18: hosts.pi1.address: not an address: 192.168.1.999 (an IPv4 address is four numbers from 0 to 255)
lab.yaml:3:3: hosts.rack.1: its name is no address: neither a host name nor an IPv4 address, which is four numbers from 0 to 255 (write address: IP)
lab.yaml:4:18: hosts.pi3.address: not an address: 192.168.1 (an IPv4 address is four numbers from 0 to 255)`},
		{`hosts:
  pi1: {address: 10.0.0.1}
  pi2: {address: "::ffff:10.0.0.1"}
  pi3: {address: 10.0.0.1, port: 2222}
  pi4: {address: 10.0.0.1, jump: [pi3]}
  pi5: {address: PI6}
  pi6:
  pi7: {address: "10.0.0.2:22"}
  pi8: {address: "a/b", port: 70000, user: a b}
  pi9: {jump: [pi9, pi1x, here, "a b.c"]}
  here: {local: true}
  there: {local: true, port: 22}
`, `
lab.yaml:3:18: hosts.pi2.address: already the address of pi1: ::ffff:10.0.0.1 (a machine has one name; use groups for its parts)
lab.yaml:7:3: hosts.pi6.address: already the address of pi5: pi6 (a machine has one name; use groups for its parts)
lab.yaml:8:18: hosts.pi7.address: not an address: 10.0.0.2:22 (write port: 22)
lab.yaml:9:18: hosts.pi8.address: not an address: a/b (a host name or an IP address)
lab.yaml:9:31: hosts.pi8.port: not between 1 and 65535: 70000
lab.yaml:9:44: hosts.pi8.user: not a user name: a b
lab.yaml:10:16: hosts.pi9.jump[0]: a host cannot be reached through itself: pi9
lab.yaml:10:21: hosts.pi9.jump[1]: not a host of the inventory: pi1x (nearest: pi1)
lab.yaml:10:27: hosts.pi9.jump[2]: the local host cannot be a jump: here (connections start there)
lab.yaml:10:33: hosts.pi9.jump[3]: neither a host of the inventory nor an address: a b.c
lab.yaml:12:3: hosts.there: the local host is not dialled (remove address, port, user and jump, or local)
lab.yaml:12:3: hosts.there: here is already the local host (a machine has one name; use groups for its parts)`},
		{`hosts: {pi1: , pi2: }
groups:
  web: {hosts: [pi1, p2, pi1, db], children: [dbs, pi2, all]}
  db: {children: [a]}
  a: {children: [b, c]}
  b: {children: [a]}
  c: {children: [c]}
`, `
lab.yaml:3:22: groups.web.hosts[1]: not a host of the inventory: p2 (nearest: pi2)
lab.yaml:3:26: groups.web.hosts[2]: listed twice: pi1
lab.yaml:3:31: groups.web.hosts[3]: a group, not a host: db (move it to children)
lab.yaml:3:47: groups.web.children[0]: not a group of the inventory: dbs (nearest: db)
lab.yaml:3:52: groups.web.children[1]: a host, not a group: pi2 (move it to hosts)
lab.yaml:3:57: groups.web.children[2]: a built-in group, which cannot belong to another: all
lab.yaml:5:7: groups.a.children: a group that contains itself: a > b > a (remove one of these children)
lab.yaml:7:7: groups.c.children: a group that contains itself: c > c (remove one of these children)`},
	} {
		d, spec := readInventorySpec(t, c.text)
		inv, err := New(spec)
		err = d.Locate(err)
		if err == nil || "\n"+err.Error() != c.want || inv != nil {
			t.Errorf("%s\ngot:\n%v\nwant:%s", c.text, err, c.want)
		}
	}
	// Problems that a document cannot have.
	_, err := New(Spec{Hosts: []HostSpec{{Name: "a"}, {Name: "a"}, {}}, Groups: []GroupSpec{{Name: "g"}, {Name: "g"}, {}}})
	want := "hosts.a: two hosts have this name\nhosts[2]: a host needs a name\n" +
		"groups.g: two groups have this name\ngroups[2]: a group needs a name"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}
