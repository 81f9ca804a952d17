package host_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// clashing are states that cannot be, by what the error of the plan says. On the machine there are an
// account taken with the UID 4711, and a group taken with the GID 4711.
func clashing() map[string]host.State {
	return map[string]host.State{
		"the UID 4711 belongs to the account taken": {host.User{Name: "new", UID: 4711}},
		"the state gives the UID 4712 to twin too":  {host.User{Name: "new", UID: 4712}, host.User{Name: "twin", UID: 4712}},
		"the GID 4711 belongs to the group taken":   {host.Group{Name: "new", GID: 4711}},
		"the state gives the GID 4712 to twin too":  {host.Group{Name: "new", GID: 4712}, host.Group{Name: "twin", GID: 4712}},
		"not found: the group nosuch":               {host.User{Name: "new", Group: "nosuch"}},
		"not found: the group missing":              {host.User{Name: "new", Groups: []string{"adm", "missing"}}},
		"not found: the group gone":                 {host.User{Name: "taken", Groups: []string{"gone"}}},
	}
}

func rootRun(t *testing.T, m *host.Machine) func(script string) string {
	return func(script string) string {
		t.Helper()
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return string(r.Stdout)
	}
}

// accountsAsWanted plans accounts and groups that clash, locks a password, and follows changes of hands.
func accountsAsWanted(t *testing.T, m *host.Machine) {
	run := rootRun(t, m)
	run("groupadd -g 4711 taken; useradd -u 4711 -g 4711 taken")
	for says, s := range clashing() {
		_, err := m.Plan(t.Context(), s)
		if err == nil || !errors.Is(err, lab.ErrConflict) && !errors.Is(err, lab.ErrNotFound) ||
			!strings.Contains(err.Error(), says) || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: the plan: %v", says, err)
		}
	}
	settle(t, m, host.State{ // the numbers change hands
		host.Group{Name: "heirs", GID: 4711}, host.User{Name: "heir", UID: 4711, Group: "heirs"},
		host.User{Name: "taken", Absent: true}, host.Group{Name: "taken", Absent: true},
	})

	const hash, other = "$6$salt$one", "$6$salt$two"
	shadow := func() string { return strings.Split(run("getent shadow heir"), ":")[1] }
	settle(t, m, host.State{host.User{Name: "heir", Hash: lab.NewSecret(hash)}})
	if got := shadow(); got != hash {
		t.Errorf("a first password: %s", got)
	}
	run("usermod -L heir")
	settle(t, m, host.State{host.User{Name: "heir", Hash: lab.NewSecret(hash)}})
	settle(t, m, host.State{host.User{Name: "heir", Hash: lab.NewSecret(other)}})
	if got := shadow(); got != "!"+other {
		t.Errorf("another password of a locked account: %s", got)
	}
	run("usermod -U heir")
	settle(t, m, host.State{host.User{Name: "heir", Hash: lab.NewSecret(other)}})
	if got := shadow(); got != other {
		t.Errorf("after the account was unlocked: %s", got)
	}
	run("usermod -L heir")
	for _, none := range []string{"*", "!", "!*"} {
		settle(t, m, host.State{host.User{Name: "heir", Hash: lab.NewSecret(none)}})
	}
	run("userdel heir; groupdel heirs")
}

func TestAccounts(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	accountsAsWanted(t, m)
}

// TestAccountsOnMachine does the same on a real Debian machine.
func TestAccountsOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	accountsAsWanted(t, m)
}

// TestLockIsSaid: the plan says that a locked password stays locked, and shows no hash.
func TestLockIsSaid(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if _, err := box.Exec("echo 'pi:!$6$salt$old' | chpasswd -e"); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), host.State{host.User{Name: "pi", Hash: lab.NewSecret("$6$salt$new")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.String(); !strings.Contains(got, "it stays locked, until: usermod -U pi") || strings.Contains(got, "salt") {
		t.Errorf("the plan is\n%s", got)
	}
}
