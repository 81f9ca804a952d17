package hosttest_test

import (
	"strconv"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

func TestFirstContact(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	out, errs, err := debiantest.Exec(t, c, "id -u; hostname; uname -m; echo $$", "")
	t.Log(out, errs, err)
	script := "read -r x; echo got $x; head -c 5; echo; cat"
	out, errs, err = debiantest.Exec(t, c,
		`sudo -n -- setsid -w flock -n -o -E 75 /run/lab.lock sh -c 'eval "$(head -c `+strconv.Itoa(len(script))+`)"'`,
		script+"line\n12345rest of it")
	t.Logf("%q %q %v", out, errs, err)
	if want := "got line\n12345\nrest of it"; out != want || err != nil {
		t.Fatalf("got %q, %q, %v; want %q", out, errs, err, want)
	}
	out, errs, err = debiantest.Exec(t, c,
		"stat -c '%a %U %n' /etc/passwd /nope; getent passwd pi; dpkg-query -W sudo nope; "+
			"systemctl show -p Id,ActiveState,MainPID cron ssh; "+
			"printf '/etc/hosts\\0/etc/passwd\\0' | xargs -0 sha256sum; ls /dev /proc; mktemp; sleep 0", "")
	t.Logf("%s\n%s\n%v", out, errs, err)
	t.Logf("%+v", m.Counters())
}

// A restart that is due after a reboot was put off by a service manager that is gone.
func TestRestartIsForgottenByAReboot(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	m.FS().WriteFile("/etc/systemd/system/x.service",
		[]byte("[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1h\n"))
	debiantest.Sh(m, "systemctl start x")
	debiantest.WaitFor(t, func() bool {
		_, code := debiantest.Sh(m, "systemctl show -p SubState x | grep -q auto-restart")
		return code == 0
	})
	gone := systemd.Of(m.Kernel())
	m.Reboot()
	gone.Restart(gone.Unit("x.service"))
	if u := gone.Unit("x.service"); u.Restarts != 0 {
		t.Errorf("%d restarts", u.Restarts)
	}
}
