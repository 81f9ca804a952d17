package host_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// accountAsMade prints all that there is of the account half, without the days of its password.
const accountAsMade = `getent passwd half; getent shadow half | cut -d: -f1,2; getent group half || echo no group
getent gshadow half || echo no gshadow; grep -h '^half:' /etc/subuid /etc/subgid || :; id -G half
cd /home/half 2>/dev/null || exit 0; find . -printf '%p %M %u %g %l\n' | sort; find . -type f | sort | xargs cat | sha256sum`

// halfMade are states of a machine, each made by a script, from which the account half is completed.
var halfMade = map[string]string{
	"only in passwd": "useradd -U -M -s /bin/bash -c 'not yet whole (lab)' half; " +
		"sed -i '/^half:/d' /etc/shadow /etc/group /etc/gshadow /etc/subuid /etc/subgid",
	"no group": "useradd -U -M -s /bin/bash -c 'not yet whole (lab)' half; sed -i '/^half:/d' /etc/group /etc/gshadow",
	"no home":  "useradd -U -M -s /bin/bash -c 'not yet whole (lab)' half",
	"an empty home of root": "useradd -U -M -s /bin/bash -c 'not yet whole (lab)' half; " +
		"mkdir -m 0 /home/half",
	"a skeleton half copied": "useradd -U -m -s /bin/bash -c 'not yet whole (lab)' half; " +
		"cd /home/half; f=$(find . -type f | sort | head -n 1); rm $(find . -type f | sort | tail -n +2); truncate -s 10 $f; chown root:root $f",
	"by something else, without a shadow entry":  "useradd -U -m -s /bin/bash half; sed -i '/^half:/d' /etc/shadow",
	"by something else, without a group":         "useradd -U -m -s /bin/bash half; sed -i '/^half:/d' /etc/group /etc/gshadow",
	"an empty lock file":                         ": >/etc/passwd.lock; : >/etc/gshadow.lock",
	"a lock file with the ID of another process": "printf '1\\0' >/etc/passwd.lock; printf '1\\0' >/etc/group.lock",
}

func completeAccounts(t *testing.T, m *host.Machine) {
	run := rootRun(t, m)
	half := host.State{host.Group{Name: "half"}, host.User{Name: "half"}}
	alone := host.State{host.User{Name: "half"}}
	const undo = "userdel -r half 2>/dev/null || :; groupdel half 2>/dev/null || :; rm -rf /home/half /etc/*.lock"
	settle(t, m, alone)
	want := run(accountAsMade)
	run(undo)
	for name, script := range halfMade {
		run(script)
		settle(t, m, alone)
		got := run(accountAsMade)
		if got != want {
			t.Errorf("%s: the account is\n%s\nwant\n%s", name, got, want)
		}
		run(undo)
	}

	run("groupadd half; sed -i '/^half:/d' /etc/gshadow")
	settle(t, m, host.State{host.Group{Name: "half"}})
	if got := run("getent gshadow half"); got != "half:!::\n" {
		t.Errorf("the entry of a group in gshadow: %q", got)
	}
	settle(t, m, half)
	run(undo)

	run("useradd -U -M -c 'not yet whole (lab)' half; mkdir /home/half; cp /etc/skel/.bashrc /home/half; echo data >/home/half/mine")
	settle(t, m, alone)
	if got := run("cat /home/half/mine"); got != "data\n" {
		t.Errorf("a home that was there before is lost: %q", got)
	}
	run(undo)
}

func TestHalfMadeAccounts(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	completeAccounts(t, m)
}

// TestHalfMadeAccountsOnMachine does the same on a real Debian machine.
func TestHalfMadeAccountsOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	completeAccounts(t, m)
}

// TestAccountsCutOff cuts the power at each write of the creation of accounts and groups.
func TestAccountsCutOff(t *testing.T) {
	s := host.State{
		host.Group{Name: "crew", GID: 4711},
		host.User{Name: "half", Groups: []string{"crew"}, Comment: "Half", Hash: lab.NewSecret("$6$salt$hash")},
		host.User{Name: "service", System: true, Group: "crew"},
	}
	const look = accountAsMade + "\ngetent passwd service; getent shadow service | cut -d: -f1,2; getent group crew; getent gshadow crew"
	box, m := open(t, hosttest.Config{})
	before := box.Counters().Writes
	settle(t, m, s)
	writes := int(box.Counters().Writes - before)
	want := rootRun(t, m)(look)
	for k := 1; k <= writes; k++ {
		box, m := open(t, hosttest.Config{})
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		up := box.Faults().PowerCutAtWrite(k)
		if _, err := p.Apply(t.Context(), nil); err == nil {
			t.Errorf("write %d: no error", k)
		}
		<-up
		settle(t, m, s)
		if got := rootRun(t, m)(look); got != want {
			t.Errorf("write %d: it is\n%s\nwant\n%s", k, got, want)
		}
	}
}
