package base_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
)

var update = flag.Bool("update", false, "write the golden files")

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUQ5B1mVmIZ0Tpkl8BGU1PLK5zmNMLmXkDm3zcIg2r8 me"

// full is a Config with everything.
func full() base.Config {
	return base.Config{
		Timezone: "Europe/Paris", NTP: []string{"192.168.1.1", "pool.ntp.org"}, Packages: []string{"curl", "jq"},
		Users: []host.User{{Name: "deploy", System: true}}, Keys: []string{key},
		Sysctl:  map[string]string{"net.ipv4.ip_forward": "1", "fs.inotify.max_user_instances": "1024"},
		Modules: []string{"iscsi_tcp"}, Cgroups: true, NoSwap: true,
		Unattended: true, HoldBack: []string{"libvirt-*", "nginx"}, Reboot: true,
		Journal: base.Journal{Disk: "200M", Memory: "50M"},
	}
}

func pi1() base.Machine {
	return base.Machine{Name: "pi1", Domain: "arcodange.lab", User: "pi", Peers: []base.Peer{
		{Name: "pi2", Address: "192.168.1.202"}, {Name: "nas", Address: "nas.example.org"},
		{Name: "pi3", Address: "fd00::3"}}}
}

// show returns the state as text: each resource by its ID, with the fields that are set.
func show(s host.State) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteString(r.ID() + "\n")
		fields(&b, reflect.ValueOf(r))
	}
	return b.String()
}

// fields writes the fields that are set, and those of the resource that it wraps.
func fields(b *strings.Builder, v reflect.Value) {
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		switch {
		case f.Name == "resource":
			fields(b, value.Elem())
		case value.IsZero() || !f.IsExported() && f.Name != "program":
		case value.Kind() == reflect.Pointer:
			fmt.Fprintf(b, "  %s: %q\n", f.Name, fmt.Sprint(value.Elem()))
		default:
			fmt.Fprintf(b, "  %s: %q\n", f.Name, fmt.Sprint(value))
		}
	}
}

func TestStateGolden(t *testing.T) {
	for name, s := range map[string]host.State{"zero": base.Config{}.State(base.Machine{Name: "pi1"}),
		"full": full().State(pi1())} {
		file := filepath.Join("testdata", name+".golden")
		got := show(s)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s: %v\n%s", name, err, lab.Diff(file, want, []byte(got)))
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidate(t *testing.T) {
	if ps := (base.Config{}).Validate(); len(ps) > 0 {
		t.Errorf("the zero Config: %v", ps)
	}
	if ps := append(full().Validate(), pi1().Validate()...); len(ps) > 0 {
		t.Errorf("the full Config: %v", ps)
	}
	for want, c := range map[string]base.Config{
		"timezone: is not a time zone":         {Timezone: "Europe/../Paris"},
		"ntp: no server is named by its IP":    {NTP: []string{"pool.ntp.org"}},
		"holdBack[0]: is not the name":         {Unattended: true, HoldBack: []string{"a\";"}},
		"holdBack: has no effect without":      {HoldBack: []string{"docker-ce"}},
		"packages[1]: is not the name":         {Packages: []string{"curl", "a b"}},
		"packages[1]: the same as packages[0]": {Packages: []string{"curl", "curl"}},
		"ntp: the same as packages[0]":         {Packages: []string{"systemd-timesyncd"}, NTP: []string{"192.0.2.1"}},
		"users[0].name: is not the name":       {Users: []host.User{{Name: "Root User"}}},
		"users[1]: the same as users[0]":       {Users: []host.User{{Name: "a"}, {Name: "a"}}},
		"keys[0]: is not one line":             {Keys: []string{"nonsense"}},
		"sysctl.net ipv4: is not the name":     {Sysctl: map[string]string{"net ipv4": "1"}},
		"modules[0]: is not the name of a":     {Modules: []string{"../x"}},
		"ntp[1]: is not a name or an IP":       {NTP: []string{"192.0.2.1", "a b"}},
		"journal.disk: is not a size":          {Journal: base.Journal{Disk: "200 MB"}},
		"journal.memory: is not a size":        {Journal: base.Journal{Memory: "1.5G"}},
		"unattended: the same as packages[0]":  {Packages: []string{"unattended-upgrades"}, Unattended: true},
	} {
		ps := c.Validate()
		if len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) || !errors.Is(ps.Err(), lab.ErrInvalid) {
			t.Errorf("want %q, got:\n%v", want, ps)
		}
	}
	if ps := (base.Machine{Name: "p_1", Domain: "a_b"}).Validate(); len(ps) != 2 || ps[0].Path != "name" ||
		ps[1].Path != "domain" {
		t.Errorf("%v", ps)
	}
}

// The state can be had: a machine that has it needs nothing more.
func TestConverges(t *testing.T) {
	box := hosttest.New(t, hosttest.Config{Hostname: "raspberrypi"})
	m := machinetest.Fake(t, "pi1", box)
	machinetest.Converge(t, m, full().State(pi1()))
}

func ExampleConfig() {
	c := base.Config{Packages: []string{"curl", "a b"}, NTP: []string{"pool.ntp.org"}}
	fmt.Println(c.Validate())
	for _, r := range (base.Config{Packages: []string{"curl"}, NoSwap: true}).State(base.Machine{Name: "pi1"}) {
		fmt.Println(r.ID())
	}
	// Output:
	// packages[1]: is not the name of a package: two or more letters a-z, digits and + - .: a b
	// ntp: no server is named by its IP address: after a power cut there may be no DNS before there is the right time (add the router's)
	// hostname:pi1
	// file:/etc/apt/apt.conf.d/80-lab
	// package:curl
	// swap:none
}
