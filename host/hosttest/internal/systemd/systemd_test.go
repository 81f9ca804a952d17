package systemd_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
)

func want(t *testing.T, m *hosttest.Machine, script, out string, code int) {
	t.Helper()
	if got, c := debiantest.Sh(m, script); got != out || c != code {
		t.Errorf("%s\ngot %q, %d\nwant %q, %d", script, got, c, out, code)
	}
}

// unitText turns ";" into line ends; "\\;" is a semicolon.
func unitText(lines string) string {
	s := strings.ReplaceAll(lines, `\;`, "\x00")
	return strings.ReplaceAll(strings.ReplaceAll(s, ";", "\n"), "\x00", ";") + "\n"
}

func putUnit(m *hosttest.Machine, name, lines string) {
	m.FS().WriteFile("/etc/systemd/system/"+name, []byte(unitText(lines)))
}

// TestAsKind compares what was refused on a Debian machine, word by word.
func TestAsKind(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	want(t, m, "systemctl kill nosuch.service; echo $?; systemctl kill cron; echo $?",
		"Failed to kill unit nosuch.service: Unit nosuch.service not loaded.\n1\n0\n", 0)
	want(t, m, "systemctl start foo@; echo $?",
		"Failed to start foo@.service: Unit name foo@.service is missing the instance name.\n"+
			"See system logs and 'systemctl status foo@.service' for details.\n1\n", 0)
	want(t, m, "LC_ALL=C systemctl mask cron", "Created symlink /etc/systemd/system/cron.service -> /dev/null.\n", 0)
	want(t, m, "LC_ALL=C.UTF-8 systemctl mask ssh", "Created symlink /etc/systemd/system/ssh.service → /dev/null.\n", 0)
	want(t, m, "dpkg --configure nosuch; echo $?; dpkg --get-selections nosuch; echo $?",
		"dpkg: error processing package nosuch (--configure):\n"+
			" no package named 'nosuch' is installed, cannot configure\nErrors were encountered while processing:\n"+
			" nosuch\n1\ndpkg: no packages found matching nosuch\n0\n", 0)
	want(t, m,
		"useradd -d relative z; echo $?; useradd -b rel z; echo $?; useradd -c a:b z; echo $?; useradd -m z; "+
			"usermod -d rel z; echo $?",
		"useradd: invalid home directory 'relative'\n3\nuseradd: invalid base directory 'rel'\n3\n"+
			"useradd: invalid comment 'a:b'\n3\nusermod: homedir must be an absolute path\n3\n", 0)
	want(t, m,
		"usermod -d /srv/none z; usermod -m -d /srv/other z; echo $?; getent passwd z | cut -d: -f6; "+
			"usermod -e 20000 z; getent shadow z | cut -d: -f8",
		"usermod: The previous home directory (/srv/none) does not exist or is inaccessible. Move cannot be "+
			"completed.\n0\n/srv/other\n20000\n", 0)
}

func TestServiceLife(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	show := "systemctl show -p LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Result,FragmentPath x"
	want(t, m, show,
		"Result=success\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nFragmentPath=\nUnitFileState=\n"+
			"NeedDaemonReload=no\n", 0)
	want(t, m, "systemctl start x", "Failed to start x.service: Unit x.service not found.\n", 5)
	want(t, m, "systemctl enable x", "Failed to enable unit: Unit file x.service does not exist.\n", 1)
	want(t, m, "systemctl is-enabled x", "Failed to get unit file state for x.service: No such file or directory\n", 1)
	want(t, m, "systemctl is-active x", "inactive\n", 3)
	putUnit(m, "x.service",
		"[Unit];Description=The x;[Service];ExecStart=/bin/sleep infinity;[Install];WantedBy=multi-user.target")
	want(t, m, show,
		"Result=success\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n"+
			"FragmentPath=/etc/systemd/system/x.service\nUnitFileState=disabled\nNeedDaemonReload=no\n", 0)
	want(t, m,
		"systemctl enable --now x; systemctl is-active x; systemctl is-enabled x; "+
			"readlink /etc/systemd/system/multi-user.target.wants/x.service",
		"Created symlink /etc/systemd/system/multi-user.target.wants/x.service -> /etc/systemd/system/x.service.\n"+
			"active\nenabled\n/etc/systemd/system/x.service\n", 0)
	want(t, m, "systemctl enable x; systemctl start x; echo $?", "0\n", 0)
	out, _ := debiantest.Sh(m, "systemctl show -p MainPID --value x")
	want(t, m, "ps -o args= -p "+strings.TrimSpace(out), "/bin/sleep infinity\n", 0)
	first, _ := debiantest.Sh(m, "systemctl show -p InvocationID,ExecMainStartTimestampMonotonic x")
	putUnit(m, "x.service",
		"[Unit];Description=The other x;[Service];ExecStart=/bin/sleep infinity;[Install];WantedBy=multi-user.target")
	want(t, m, "systemctl show -p NeedDaemonReload --value x; systemctl show -p Description --value x", "yes\nThe x\n", 0)
	want(t, m, "systemctl restart x",
		"Warning: The unit file, source configuration file or drop-ins of x.service changed on disk. Run 'systemctl "+
			"daemon-reload' to reload units.\n", 0)
	want(t, m, "systemctl daemon-reload; systemctl show -p NeedDaemonReload,Description x",
		"Description=The other x\nNeedDaemonReload=no\n", 0)
	if again, _ := debiantest.Sh(m, "systemctl show -p InvocationID,ExecMainStartTimestampMonotonic x"); again == first {
		t.Error("a restart kept the invocation")
	}
	want(t, m,
		"mkdir -p /etc/systemd/system/x.service.d; printf '[Service]\\nEnvironment=A=1\\n' "+
			">/etc/systemd/system/x.service.d/a.conf; systemctl show -p NeedDaemonReload --value x; "+
			"systemctl daemon-reload; systemctl show -p DropInPaths,Environment x",
		"yes\nEnvironment=A=1\nDropInPaths=/etc/systemd/system/x.service.d/a.conf\n", 0)
	want(t, m, "systemctl mask x", "Failed to mask unit: File /etc/systemd/system/x.service already exists.\n", 1)
	want(t, m,
		"systemctl disable --now x; systemctl is-active x; systemctl is-enabled x; systemctl stop x; "+
			"systemctl stop nosuch",
		"Removed \"/etc/systemd/system/multi-user.target.wants/x.service\".\ninactive\ndisabled\n"+
			"Failed to stop nosuch.service: Unit nosuch.service not loaded.\n", 5)
	want(t, m,
		"systemctl mask cron; systemctl is-enabled cron; systemctl restart cron; systemctl unmask cron; "+
			"systemctl is-enabled cron; systemctl is-active cron",
		"Created symlink /etc/systemd/system/cron.service -> /dev/null.\nmasked\n"+
			"Failed to restart cron.service: Unit cron.service is masked.\n"+
			"Removed \"/etc/systemd/system/cron.service\".\nenabled\nactive\n", 0)
	want(t, m, "systemctl is-enabled sshd ssh getty@.service dbus; systemctl show -p Id,Names sshd",
		"alias\nenabled\nindirect\nstatic\nId=ssh.service\nNames=ssh.service sshd.service\n", 0)
	want(t, m, "systemctl foo; systemctl start; systemctl show -p Id,ActiveState ssh nosuch",
		"Unknown command verb foo.\nToo few arguments.\nId=ssh.service\nActiveState=active\n\nId=nosuch.service\n"+
			"ActiveState=inactive\n", 0)
	// After a reboot what is enabled runs again.
	debiantest.Sh(m, "systemctl enable x")
	m.Reboot()
	want(t, m, "systemctl is-active x cron ssh; systemctl is-system-running", "active\nactive\nactive\nrunning\n", 0)
}

// TestRestartOfWhatIsRequired: what requires a unit is restarted with it, and stopped with it.
func TestRestartOfWhatIsRequired(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	putUnit(m, "base.service", "[Service];ExecStart=/bin/sleep infinity")
	putUnit(m, "on.service", "[Unit];Requires=base.service;After=base.service;[Service];ExecStart=/bin/sleep infinity")
	putUnit(m, "off.service", "[Unit];Requires=base.service;[Service];ExecStart=/bin/sleep infinity")
	want(t, m, "systemctl start on; a=$(pgrep -f infinity); systemctl restart base; b=$(pgrep -f infinity); "+
		"[ \"$a\" != \"$b\" ]; systemctl is-active base on off", "active\nactive\ninactive\n", 0)
	want(t, m, "systemctl stop base; systemctl is-active base on", "inactive\ninactive\n", 3)
}

func TestServiceFailures(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	putUnit(m, "gone.service", "[Service];Type=exec;ExecStart=/nosuch/program")
	putUnit(m, "bad.service", "[Service];Type=oneshot;ExecStart=/bin/sh -c 'echo to the journal\\; exit 3'")
	putUnit(m, "pre.service", "[Service];ExecStartPre=/bin/false;ExecStart=/bin/sleep infinity")
	putUnit(m, "user.service", "[Service];Type=oneshot;User=ghost;ExecStart=/bin/true")
	putUnit(m, "env.service", "[Service];EnvironmentFile=/nosuch;ExecStart=/bin/sleep infinity")
	putUnit(m, "needs.service", "[Unit];Requires=bad.service;[Service];ExecStart=/bin/sleep infinity")
	putUnit(m, "empty.service", "[Service];Type=simple")
	putUnit(m, "cond.service", "[Unit];ConditionPathExists=/nosuch;[Service];ExecStart=/bin/sleep infinity")
	putUnit(m, "once.service",
		"[Service];Type=oneshot;RemainAfterExit=yes;ExecStart=/bin/sh -c 'touch /ran-$X';Environment=X=5")
	see := func(u string) string {
		return "Job for " + u + ".service failed because the control process exited with error code.\n" +
			"See \"systemctl status " + u + ".service\" and \"journalctl -xeu " + u + ".service\" for details.\n"
	}
	show := "systemctl show -p ActiveState,SubState,Result,ExecMainStatus --value "
	want(t, m, "systemctl start bad; echo $?; "+show+"bad; journalctl -u bad -o cat -n 100 --no-pager | head -1",
		see("bad")+"1\nexit-code\n3\nfailed\nfailed\nto the journal\n", 0)
	want(t, m,
		"systemctl is-failed bad; systemctl is-system-running; systemctl --failed --no-legend --plain list-units | "+
			"cut -d' ' -f1; systemctl reset-failed bad; systemctl is-active bad",
		"failed\ndegraded\nbad.service\ninactive\n", 3)
	want(t, m, "systemctl start gone; echo $?; "+show+"gone", see("gone")+"1\nexit-code\n203\nfailed\nfailed\n", 0)
	want(t, m, "systemctl start pre; echo $?; pgrep sleep", see("pre")+"1\n", 1)
	want(t, m, "systemctl start user; "+show+"user", see("user")+"exit-code\n217\nfailed\nfailed\n", 0)
	want(t, m, "systemctl start env; echo $?",
		"Job for env.service failed because of unavailable resources or another system error.\n"+
			"See \"systemctl status env.service\" and \"journalctl -xeu env.service\" for details.\n1\n", 0)
	want(t, m, "systemctl start needs; echo $?",
		"A dependency job for needs.service failed. See 'journalctl -xe' for details.\n1\n", 0)
	want(t, m, "systemctl start empty; echo $?",
		"Failed to start empty.service: Unit empty.service has a bad unit file setting.\n"+
			"See system logs and 'systemctl status empty.service' for details.\n1\n", 0)
	want(t, m, "systemctl start cond; echo $?; systemctl is-active cond", "0\ninactive\n", 3)
	want(t, m, "systemctl start once; "+show+"once; ls /ran-5", "success\n0\nactive\nexited\n/ran-5\n", 0)
	want(t, m, "systemctl reload once; echo $?",
		"Failed to reload once.service: Job type reload is not applicable for unit once.service.\n3\n", 0)
}

func TestHandledService(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	var starts atomic.Int32
	fail := atomic.Bool{}
	m.Handle("/usr/local/bin/k3s", func(p *hosttest.Process) int {
		starts.Add(1)
		fmt.Fprintf(p.Stdout(), "args %v\n", p.Args[1:])
		if fail.Load() {
			return 1
		}
		p.Ready()
		<-p.Context().Done()
		return 0
	})
	putUnit(m, "k3s.service",
		"[Service];Type=notify;EnvironmentFile=-/etc/default/k3s;ExecStart=/usr/local/bin/k3s  server '--flag' "+
			"$OPTS;Restart=always;RestartSec=10min;[Install];WantedBy=multi-user.target")
	m.FS().WriteFile("/etc/default/k3s", []byte("OPTS=\"a b\"\n"))
	want(t, m, "systemctl start k3s; systemctl is-active k3s; journalctl -u k3s -o cat | head -1",
		"active\nargs [server --flag a b]\n", 0)
	fail.Store(true)
	want(t, m, "systemctl restart k3s; systemctl is-active k3s; systemctl show -p NRestarts --value k3s",
		"Job for k3s.service failed because the control process exited with error code.\n"+
			"See \"systemctl status k3s.service\" and \"journalctl -xeu k3s.service\" for details.\nactivating\n0\n", 0)
	fail.Store(false)
	want(t, m,
		"systemctl stop k3s; systemctl is-active k3s; systemctl start k3s; kill -9 $(systemctl show -p MainPID "+
			"--value k3s); until [ \"$(systemctl is-active k3s)\" != active ]; do :; done; "+
			"systemctl show -p SubState --value k3s", "inactive\nauto-restart\n", 0)
	m.Close()
	if n := starts.Load(); n < 3 {
		t.Errorf("%d starts", n)
	}
}

// The power may go while a service is waited for that has not said yet that it is ready.
func TestPowerCutBeforeReady(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	up := make(chan struct{})
	m.Handle("/usr/local/bin/slow", func(p *hosttest.Process) int {
		close(up)
		<-p.Context().Done()
		return 0
	})
	putUnit(m, "slow.service", "[Service];Type=notify;ExecStart=/usr/local/bin/slow")
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.Exec("systemctl start slow")
	}()
	<-up
	m.PowerCut()
	<-over
	want(t, m, "systemctl is-active slow", "inactive\n", 3)
}

func TestRestartOnFailure(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	putUnit(m, "flaky.service",
		"[Service];ExecStart=/bin/sh -c 'echo x >>/count\\; [ $$(wc -l </count) -ge 3 ] && exec sleep infinity\\; "+
			"exit 1';Restart=on-failure;RestartSec=1ms")
	putUnit(m, "loop.service", "[Service];ExecStart=/bin/false;Restart=always;RestartSec=0")
	debiantest.Sh(m, "systemctl start flaky loop")
	debiantest.WaitFor(t, func() bool {
		out, _ := debiantest.Sh(m, "systemctl show -p NRestarts,ActiveState flaky")
		return out == "NRestarts=2\nActiveState=active\n"
	})
	debiantest.WaitFor(t, func() bool {
		out, _ := debiantest.Sh(m, "systemctl show -p Result,ActiveState loop")
		return out == "Result=start-limit-hit\nActiveState=failed\n"
	})
}

func TestTemplatesTargetsAndMounts(t *testing.T) {
	m := hosttest.New(t,
		hosttest.Config{Disks: []hosttest.Disk{{Serial: "D", Size: 1 << 30,
			Partitions: []hosttest.Partition{{FSType: "ext4", Label: "data"}}}}})
	putUnit(m, "job@.service",
		"[Unit];Description=Job %i of %n;[Service];Type=oneshot;RemainAfterExit=yes;ExecStart=/bin/sh -c 'echo %i "+
			">/job-%i';[Install];WantedBy=multi-user.target;DefaultInstance=main")
	want(t, m,
		"systemctl enable --now job@a; cat /job-a; systemctl show -p Description --value job@a; "+
			"systemctl is-enabled job@a job@b job@.service; systemctl enable job@",
		"Created symlink /etc/systemd/system/multi-user.target.wants/job@a.service -> "+
			"/etc/systemd/system/job@.service.\na\nJob a of job@a.service\nenabled\ndisabled\nindirect\n"+
			"Created symlink /etc/systemd/system/multi-user.target.wants/job@main.service -> "+
			"/etc/systemd/system/job@.service.\n", 0)
	want(t, m,
		"mkdir -p /mnt/data; echo 'LABEL=data /mnt/data ext4 defaults,noatime,nofail 0 2' >>/etc/fstab; "+
			"systemctl show -p LoadState --value mnt-data.mount; systemctl daemon-reload; "+
			"systemctl show -p LoadState,ActiveState,FragmentPath,UnitFileState mnt-data.mount; "+
			"systemctl start mnt-data.mount; mountpoint -q /mnt/data; echo $?; systemctl is-active mnt-data.mount; "+
			"systemctl stop mnt-data.mount; mountpoint -q /mnt/data; echo $?",
		"not-found\nLoadState=loaded\nActiveState=inactive\nFragmentPath=/run/systemd/generator/mnt-data.mount\n"+
			"UnitFileState=generated\n0\nactive\n32\n", 0)
	putUnit(m, "store.service", "[Unit];RequiresMountsFor=/mnt/data/x;[Service];ExecStart=/bin/sleep infinity")
	want(t, m,
		"systemctl start store; mountpoint -q /mnt/data && echo mounted; systemctl stop mnt-data.mount; "+
			"systemctl is-active store", "mounted\ninactive\n", 3)
	want(t, m, "systemd-escape -p '/mnt/a b/c-d'; systemd-escape -u -p 'mnt-a\\x20b'",
		"mnt-a\\x20b-c\\x2dd\n/mnt/a b\n", 0)
	putUnit(m, "t.timer", "[Timer];OnCalendar=daily;[Install];WantedBy=timers.target")
	putUnit(m, "t.service", "[Service];Type=oneshot;ExecStart=/bin/true")
	want(t, m,
		"systemctl enable --now t.timer; systemctl is-active t.timer; systemctl list-timers --no-legend | "+
			"grep -c t.timer",
		"Created symlink /etc/systemd/system/timers.target.wants/t.timer -> /etc/systemd/system/t.timer.\nactive\n1\n",
		0)
}

func TestAnalyzeVerify(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	putUnit(m, "good.service", "[Service];ExecStart=/bin/true")
	putUnit(m, "bad.service", "[Service];ExecStat=/bin/true;ExecStart=/nosuch;nonsense")
	want(t, m, "systemd-analyze verify /etc/systemd/system/good.service", "", 0)
	out, code := debiantest.Sh(m, "systemd-analyze verify /etc/systemd/system/bad.service")
	for _, w := range []string{"bad.service:2: Unknown key name 'ExecStat' in section 'Service', ignoring.",
		"bad.service:4: Missing '=', ignoring line.", "Command /nosuch is not executable: No such file or directory"} {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not in %q", w, out)
		}
	}
	if code == 0 {
		t.Error("exit 0")
	}
}

func TestSystemctlOfOthers(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	out, errs, err := debiantest.Exec(t, c, "systemctl is-active ssh; systemctl restart ssh", "")
	if code, _ := debiantest.ExitOf(err); out != "active\n" ||
		!strings.Contains(errs, "Interactive authentication required.") || code == 0 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if _, errs, err := debiantest.Exec(t, c, "sudo systemctl restart ssh", ""); err != nil {
		t.Error(errs, err)
	}
}
