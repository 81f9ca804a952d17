package longhornprep_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/longhornprep"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

var all = longhornprep.Config{NFS: true, Encryption: true}

const file = "/etc/iscsi/initiatorname.iscsi"

func pi(t *testing.T) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, hosttest.Config{})
	m := machinetest.Fake(t, "pi1", box)
	return box, m
}

// withMultipath installs multipath-tools, whose multipathd reads its configuration when it starts and when it is told to.
func withMultipath(t *testing.T, box *hosttest.Machine) {
	t.Helper()
	box.Handle("multipathd", func(p *hosttest.Process) int {
		const read = "cat /etc/multipath/conf.d/*.conf >/run/multipathd.conf 2>/dev/null || :"
		switch strings.Join(p.Args[1:], " ") {
		case "show blacklist":
			return p.Run("cat", "/run/multipathd.conf")
		case "reconfigure":
			return p.Run("sh", "-c", read)
		case "-d -s":
			p.Run("sh", "-c", read)
			p.Ready()
			<-p.Context().Done()
			return 0
		}
		return 1
	})
	run(t, box, "apt-get update; apt-get install -y multipath-tools")
}

func run(t *testing.T, box *hosttest.Machine, script string) string {
	t.Helper()
	out, err := box.Exec(script)
	if err != nil {
		t.Fatalf("%s: %s %v", script, out, err)
	}
	return out
}

func TestConverges(t *testing.T) {
	for _, c := range []longhornprep.Config{{}, all, {Multipath: longhornprep.Mask}} {
		for _, installed := range []bool{false, true} {
			t.Run(fmt.Sprint(c, installed), func(t *testing.T) {
				box, m := pi(t)
				if installed {
					withMultipath(t, box)
				}
				s := c.State(longhornprep.Machine{Name: "pi1"})
				machinetest.Converge(t, m, s)
				out := run(t, box, "systemctl is-active iscsid; systemctl is-enabled iscsid; cat /proc/modules | grep -c iscsi_tcp")
				if out != "active\nenabled\n1\n" {
					t.Errorf("got %q", out)
				}
				box.Reboot()
				m.Close()
				if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
					t.Errorf("after a reboot: %v\n%s", err, p)
				}
				_, err := box.Exec("systemctl start multipathd")
				if masked := c.Multipath == longhornprep.Mask; (err != nil) != masked && installed {
					t.Errorf("multipathd: %v", err)
				}
			})
		}
	}
}

// TestInitiator: a name is kept unless another machine has it.
func TestInitiator(t *testing.T) {
	const one, mine = "iqn.1993-08.org.debian:01:c0ffee", "iqn.1993-08.org.debian:01:pi1"
	for _, c := range []struct {
		name, before string
		taken        []string
		want, cause  string // the cause is empty if nothing is planned
	}{
		{"its own", "InitiatorName=" + one, nil, one, ""},
		{"its own, among others", "InitiatorName=" + one, []string{"iqn.2000-01.org.x:y"}, one, ""},
		{"a clone's", "## DO NOT EDIT\nInitiatorName=" + one, []string{one}, mine, "another machine has the same name"},
		{"not made yet", "GenerateName=yes", nil, mine, "it has no name"},
		{"a comment", "#InitiatorName=" + one, nil, mine, "it has no name"},
		{"derived", "InitiatorName=" + mine, []string{one}, mine, ""},
	} {
		box, m := pi(t)
		run(t, box, "apt-get update; apt-get install -y open-iscsi; systemctl start iscsid; printf '"+c.before+"\\n' >"+file+
			"; touch -d '2020-01-01' "+file)
		p := machinetest.Converge(t, m, longhornprep.Config{}.State(longhornprep.Machine{Name: "pi1", Taken: c.taken}))
		if has := strings.Contains(p.String(), "initiator:"); has != (c.cause != "") || !strings.Contains(p.String(), c.cause) {
			t.Errorf("%s: %s", c.name, p)
		}
		if restarts := strings.Contains(p.String(), "restart"); restarts != (c.cause != "") {
			t.Errorf("%s: restart of iscsid: %t\n%s", c.name, restarts, p)
		}
		if out := run(t, box, "sed -n s/^InitiatorName=//p "+file+"; stat -c %a "+file); !strings.HasPrefix(out, c.want+"\n") {
			t.Errorf("%s: got %q", c.name, out)
		}
		r, err := longhornprep.Examine(t.Context(), m, "")
		if err != nil || r.Initiator != c.want {
			t.Errorf("%s: %q %v", c.name, r.Initiator, err)
		}
	}
}

// TestRefuses: what somebody uses is neither renamed nor taken away.
func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		before string
		config longhornprep.Config
		want   string
	}{
		{"a multipath device, and multipathd is to be masked",
			"mount -t tmpfs tmpfs /sys/block; mkdir -p /sys/block/dm-0/dm; echo mpath-3600 >/sys/block/dm-0/dm/uuid",
			longhornprep.Config{Multipath: longhornprep.Mask}, "a multipath device is in use: 3600"},
		{"a multipath device, and its disks are to be left alone",
			"mount -t tmpfs tmpfs /sys/block; mkdir -p /sys/block/dm-0/dm; echo mpath-3600 >/sys/block/dm-0/dm/uuid",
			longhornprep.Config{}, "a multipath device is in use: 3600"},
		{"volumes of a clone", "mount -t tmpfs tmpfs /sys/class; mkdir -p /sys/class/iscsi_session/session1",
			longhornprep.Config{}, "volumes are attached: session1"},
	} {
		box, m := pi(t)
		withMultipath(t, box)
		run(t, box, "apt-get install -y open-iscsi; echo InitiatorName=iqn.2000-01.org.x:y >"+file+"\n"+c.before)
		writes := box.Counters().Writes
		p, err := m.Plan(t.Context(), c.config.State(longhornprep.Machine{Name: "pi1", Taken: []string{"iqn.2000-01.org.x:y"}}))
		if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: %v\n%s", c.name, err, p)
		}
		if n := box.Counters().Writes; n != writes {
			t.Errorf("%s: the plan wrote %d times", c.name, n-writes)
		}
	}
}

func TestValidate(t *testing.T) {
	if ps := append(all.Validate(), (longhornprep.Machine{Name: "pi1"}).Validate()...); len(ps) > 0 {
		t.Error(ps)
	}
	if ps := (longhornprep.Config{Multipath: "off"}).Validate(); len(ps) != 1 || !errors.Is(ps.Err(), lab.ErrInvalid) {
		t.Error(ps)
	}
	m := longhornprep.Machine{Name: "Pi_1"}
	if ps := m.Validate(); len(ps) != 1 || ps[0].Path != "name" {
		t.Error(ps)
	}
	m = longhornprep.Machine{Name: "pi1", Taken: []string{"x", "iqn.1993-08.org.debian:01:pi1"}}
	if ps := m.Validate(); len(ps) != 1 || ps[0].Path != "taken[1]" {
		t.Error(ps)
	}
}

// TestExamine looks at a machine before and after, and writes nothing.
func TestExamine(t *testing.T) {
	box, m := pi(t)
	writes := box.Counters().Writes
	r, err := longhornprep.Examine(t.Context(), m, "/var/lib/longhorn")
	if err != nil || r.OK() || box.Counters().Writes != writes {
		t.Fatalf("%+v %v", r, err)
	}
	for _, row := range r.Rows {
		if row.OK == (row.Next != "") || row.Name == "" {
			t.Errorf("%+v", row)
		}
	}
	machinetest.Converge(t, m, all.State(longhornprep.Machine{Name: "pi1"}))
	if r, err = longhornprep.Examine(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if !row.OK && row.Name != "NFS 4.1 or 4.2" {
			t.Errorf("%+v", row)
		}
	}
}

// TestExamineOnMachine does it on a real Debian machine, which has none of the packages.
func TestExamineOnMachine(t *testing.T) {
	box := real.Machines(t, 1)[0]
	m := &host.Machine{Target: ssh.Target{Name: "pi1", Address: box.Addr, User: box.User, ConnectTimeout: time.Minute,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.Key}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey))}},
		Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")}}}}
	defer m.Close()
	r, err := longhornprep.Examine(t.Context(), m, "/var/lib/longhorn/new")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]longhornprep.Row{}
	for _, row := range r.Rows {
		got[row.Name] = row
	}
	for name, ok := range map[string]bool{"commands": false, "iscsid": false, "initiator": false, "multipathd": true,
		"mount propagation": true, "data directory": false} {
		if got[name].OK != ok {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	if !strings.Contains(got["commands"].Found, "iscsiadm") || got["iscsid"].Found != "inactive" {
		t.Errorf("%+v", got)
	}
}

func ExampleConfig() {
	c := longhornprep.Config{NFS: true, Encryption: true}
	for _, r := range c.State(longhornprep.Machine{Name: "pi1"}) {
		fmt.Println(r.ID())
	}
	// Output:
	// package:open-iscsi
	// module:iscsi_tcp
	// initiator:/etc/iscsi/initiatorname.iscsi
	// unit:iscsid.service
	// package:nfs-common
	// package:cryptsetup
	// package:dmsetup
	// module:dm_crypt
	// directory:/etc/multipath
	// directory:/etc/multipath/conf.d
	// file:/etc/multipath/conf.d/longhorn.conf
	// multipath:multipathd.service
}
