package apt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// both runs a script and gives its output, errors included, and its exit code at the end.
func both(t *testing.T, m *hosttest.Machine, script string) string {
	t.Helper()
	out, err := m.Exec("{ " + script + "\n} 2>&1; echo \"[$?]\"")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const asEngine = "apt-get -q -y -o DPkg::Lock::Timeout=300 " +
	"-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install " +
	"--no-install-recommends --allow-downgrades --allow-change-held-packages -- "

// An aptCase is a script that root runs on a new machine, and what APT and dpkg say.
type aptCase struct {
	name, before, script string
	fault                func(hosttest.Faults)
	want                 []string // in this order
	not                  string
}

const (
	docker = "printf 'Types: deb\\nURIs: https://download.docker.com/linux/debian\\nSuites: bookworm\\n" +
		"Components: stable\\nSigned-By: /etc/apt/keyrings/docker.asc\\n' >/etc/apt/sources.list.d/docker.sources; "
	key = "echo '-----BEGIN PGP PUBLIC KEY BLOCK-----' >/etc/apt/keyrings/docker.asc; "
)

// aptCases are for a machine that knows the packages which TestAptSays adds.
var aptCases = []aptCase{
	{name: "before update", script: asEngine + "jq", want: []string{"E: Unable to locate package jq", "[100]"}},
	{
		name: "installed before update", script: asEngine + "curl",
		want: []string{
			"curl is already the newest version (7.88.1-10+deb12u12).\n0 upgraded, 0 newly installed, 0 to remove",
			"[0]",
		},
	},
	{
		name: "not found", before: "apt-get update", script: asEngine + "jq nosuch",
		want: []string{"E: Unable to locate package nosuch\n[100]"}, not: "Setting up",
	},
	{
		name: "version not found", before: "apt-get update", script: asEngine + "jq=9",
		want: []string{"E: Version '9' for 'jq' was not found\n[100]"},
	},
	{
		name: "dependencies", before: "apt-get update",
		script: asEngine +
			"lab-test-b; dpkg-query -W -f='${Package} ${Version} ${db:Status-Abbrev}\\n' 'lab-*'; apt-mark showauto",
		want: []string{
			"additional packages will be installed:\n  lab-test-a\n",
			"lab-test-a 1.1 ii",
			"lab-test-b 2.0 ii",
			"lab-test-a\n[0]",
		},
	},
	{
		name: "unmet", before: "apt-get update", script: asEngine + "broken",
		want: []string{
			"The following packages have unmet dependencies:\n" +
				" broken : Depends: lab-test-a (>= 2.0) but 1.1 is to be installed",
			"E: Unable to correct problems, you have held broken packages.\n[100]",
		},
	},
	{
		name: "downgrade breaks", before: "apt-get update; apt-get -y install lab-test-b broken2",
		script: asEngine + "lab-test-a=1.0",
		want:   []string{"broken2 : Depends: lab-test-a (>= 1.1) but 1.0 is to be installed", "[100]"},
	},
	{
		name: "downgrade", before: "apt-get update; apt-get -y install lab-test-a",
		script: "apt-get -y install lab-test-a=1.0; " + asEngine + "lab-test-a=1.0; cat /usr/share/lab-test-a/version",
		want: []string{
			"E: Packages were downgraded and -y was used without --allow-downgrades.",
			"Unpacking lab-test-a (1.0) over (1.1)",
			"1.0\n[0]",
		},
	},
	{
		name: "held", before: "apt-get update; apt-get -y install lab-test-a=1.0; apt-mark hold lab-test-a",
		script: "apt-get -y upgrade; apt-get -y install lab-test-a; " + asEngine +
			"lab-test-a; dpkg-query -W -f='${db:Status-Abbrev}${Version}\\n' lab-test-a",
		want: []string{
			"kept back:\n  lab-test-a\n",
			"E: Held packages were changed and -y was used without --allow-change-held-packages.",
			"Setting up lab-test-a (1.1)",
			"hi 1.1\n[0]",
		},
	},
	{
		name: "prompt", before: "apt-get update", script: "apt-get install lab-test-b </dev/null",
		want: []string{"Do you want to continue? [Y/n] Abort.\n[1]"},
	},
	{
		name: "no prompt", before: "apt-get update", script: "apt-get install lab-test-a </dev/null",
		want: []string{"Setting up lab-test-a (1.1) ...\n[0]"},
	},
	{
		name: "not root", script: "runuser -u pi -- apt-get -y install jq",
		want: []string{
			"E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\n" +
				"E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n[100]",
		},
	},
	{
		name: "locked", script: "apt-get -y install curl; dpkg --configure -a",
		fault: func(f hosttest.Faults) { f.AptLock(true) },
		want: []string{
			"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 642 (unattended-upgr)",
			"dpkg: error: dpkg frontend lock was locked by another process with pid 642",
			"[2]",
		},
	},
	{
		name: "fetch lists", script: "apt-get -o Acquire::Retries=1 update",
		fault: func(f hosttest.Faults) { f.AptFetch(-1) },
		want: []string{
			"Ign:1 http://deb.debian.test/debian bookworm InRelease\n" +
				"Err:1 http://deb.debian.test/debian bookworm InRelease\n  Temporary failure resolving 'deb.debian.test'",
			"W: Some index files failed to download. They have been ignored, or old ones used instead.\n[0]",
		},
	},
	{
		name: "fetch again", script: "apt-get -q -o Acquire::Retries=3 update",
		fault: func(f hosttest.Faults) { f.AptFetch(3) },
		want:  []string{"Ign:1 ", "Get:1 http://deb.debian.test/debian bookworm InRelease", "[0]"}, not: "W:",
	},
	{
		name: "source unknown", before: "apt-get update", script: asEngine + "docker-ce",
		want: []string{"E: Unable to locate package docker-ce\n[100]"},
	},
	{
		name: "source without key", script: docker + "apt-get update",
		want: []string{
			"NO_PUBKEY",
			"E: The repository 'https://download.docker.com/linux/debian bookworm InRelease' is not signed.\n[100]",
		},
	},
	{
		name: "source",
		script: docker + key + "apt-get update && " + asEngine +
			"docker-ce docker-compose-plugin; systemctl is-active docker containerd; getent group docker; " +
			"apt-cache madison docker-ce",
		want: []string{
			"Setting up docker-ce (5:28.1.1-1~debian.12~bookworm)",
			"active\nactive\ndocker:x:",
			" docker-ce | 5:28.1.1-1~debian.12~bookworm | https://download.docker.com/linux/debian bookworm/stable " +
				"arm64 Packages\n",
			"5:27.5.1",
			"[0]",
		},
	},
	{
		name: "conflict", before: docker + key + "apt-get update; " + asEngine + "docker.io",
		script: asEngine + "docker-ce; dpkg-query -W -f='${db:Status-Abbrev}\\n' docker.io",
		want:   []string{"REMOVED:\n  containerd docker.io runc\n", "Removing docker.io", "rc \n[0]"},
	},
	{
		name: "simulation", before: "apt-get update",
		script: "apt-get -s -q -y install chrony lab-test-b; apt-get -s -y install chrony systemd-timesyncd-; " +
			"dpkg -l chrony | tail -n 1",
		want: []string{
			"REMOVED:\n  systemd-timesyncd\n",
			"\nRemv systemd-timesyncd [252.38-1~deb12u1]\nInst chrony (4.3-2+deb12u1 Debian:12.11/stable [arm64])\n" +
				"Inst lab-test-a (1.1 Debian",
			"\nConf chrony (",
			"\nRemv systemd",
			"no packages found matching chrony",
		},
	},
	{
		name: "simulation of an upgrade", before: "apt-get update; apt-get -y install lab-test-a=1.0",
		script: "apt-get -s -y install lab-test-a",
		want:   []string{"Inst lab-test-a [1.0] (1.1 Debian:12.11/stable ["},
	},
	{
		name: "no removal", before: "apt-get update", script: "apt-get -s -y --no-remove install chrony",
		want: []string{"REMOVED:\n  systemd-timesyncd\n", "E: Packages need to be removed but remove is disabled.\n[100]"},
	},
	{
		name: "conflict with a held one", before: "apt-get update; apt-mark hold systemd-timesyncd",
		script: "apt-get -s -y install chrony",
		want:   []string{" chrony : Conflicts: systemd-timesyncd\n", "[100]"},
	},
	{
		name: "the one that provides it", before: "apt-get update",
		script: "apt-get -y install virtual1; apt-get -y install virtual2; apt-cache showpkg virtual1 | tail -n 1",
		want: []string{
			"Setting up provider1 (1) ...",
			"Package virtual2 is a virtual package provided by:\n  provider1 1\n  provider2 1\n",
			"E: Package 'virtual2' has no installation candidate\n",
			"provider1 1 (= )\n[0]",
		},
	},
	{
		name: "a command before dpkg", before: "apt-get update",
		script: "export f='sed 1,/^$/d; exit 3'; apt-get -y -o DPkg::Pre-Install-Pkgs::='eval \"$f\"' -o " +
			"DPkg::Tools::Options::eval::Version=3 install chrony; dpkg -l chrony | tail -n 1",
		want: []string{
			"systemd-timesyncd 252.38-1~deb12u1 arm64 none > - - none **REMOVE**\n" +
				"chrony - - none < 4.3-2+deb12u1 arm64 none /var/cache/apt/archives/chrony_4.3-2+deb12u1_arm64.deb\n" +
				"chrony - - none < 4.3-2+deb12u1 arm64 none **CONFIGURE**\n",
			"E: Sub-process eval \"$f\" returned an error code (3)\nE: Failure running script eval \"$f\"\n",
			"no packages found matching chrony",
		},
	},
	{
		name: "sources that contradict each other",
		script: docker + key +
			"echo 'deb [signed-by=/k] https://download.docker.com/linux/debian/ bookworm stable' " +
			">/etc/apt/sources.list.d/a.list; apt-get -s install jq",
		want: []string{
			"E: Conflicting values set for option Signed-By regarding source https://download.docker.com/linux/debian/ " +
				"bookworm: /k != /etc/apt/keyrings/docker.asc\nE: The list of sources could not be read.\n[100]",
		},
	},
	{
		name: "source that is gone", before: docker + key + "apt-get update; rm /etc/apt/sources.list.d/docker.sources",
		script: asEngine + "docker-ce",
		want:   []string{"E: Unable to locate package docker-ce\n[100]"},
	},
	{
		name:   "package of a test",
		before: "echo 'deb [trusted=yes] http://apt.example.org/ ./' >/etc/apt/sources.list.d/x.list; apt-get update",
		script: asEngine + "elsewhere; apt-cache policy elsewhere",
		want: []string{
			"elsewhere:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 500\n" +
				"        500 http://apt.example.org/ ./ Packages\n        100 /var/lib/dpkg/status\n[0]",
		},
	},
	{
		name: "malformed source", script: "echo 'deb http://x' >/etc/apt/sources.list.d/x.list; apt-get update",
		want: []string{
			"E: Malformed entry 1 in list file /etc/apt/sources.list.d/x.list (Suite)\n" +
				"E: The list of sources could not be read.\n[100]",
		},
	},
	{
		name: "malformed configuration", script: "echo 'x \"y' >/etc/apt/apt.conf.d/99x; apt-get update",
		want: []string{"E: Syntax error /etc/apt/apt.conf.d/99x:1: ", "[100]"},
	},
	{
		name: "script that fails", before: "apt-get update",
		script: asEngine + "bad-script; dpkg-query -W -f='${db:Status-Abbrev}\\n' bad-script",
		want: []string{
			"dpkg: error processing package bad-script (--configure):\n" +
				" installed bad-script package post-installation script subprocess returned error exit status 3\n" +
				"Errors were encountered while processing:\n bad-script\n" +
				"E: Sub-process /usr/bin/dpkg returned an error code (1)\n",
			"iF \n[0]",
		},
	},
	{
		name: "dpkg killed", before: "apt-get update", script: asEngine + "lab-test-a",
		fault: func(f hosttest.Faults) { f.KillCommand("dpkg", 1) },
		want:  []string{"E: Sub-process /usr/bin/dpkg received signal 9.\n[100]"},
	},
	{
		name: "disk full", before: "apt-get update", script: asEngine + "lab-test-a; dpkg-query -W lab-test-a",
		fault: func(f hosttest.Faults) { f.DiskFullAfter(100) },
		want:  []string{"No space left on device", "no packages found matching lab-test-a\n[1]"},
	},
	{
		name: "hold of what is unknown", script: "apt-mark hold -- nosuch",
		want: []string{"E: Unable to locate package nosuch\nE: No packages found\n[100]"},
	},
	{
		name: "options", script: "apt-get --zorp; apt-get frob",
		want: []string{
			"E: Command line option --zorp is not understood in combination with the other options\n" +
				"E: Invalid operation frob\n[100]",
		},
	},
	{
		name: "removal", before: "apt-get update; " + asEngine + "lab-test-b lab-test-conf",
		script: "apt-get -y remove -- lab-test-a lab-test-conf nfs-common; dpkg -l 'lab-*' | tail -n 1; " +
			"ls -d /etc/lab* /usr/share/lab*; apt-get -y purge lab-test-conf; ls -d /etc/lab*",
		want: []string{
			"Package 'nfs-common' is not installed, so not removed\n",
			"REMOVED:\n  lab-test-a lab-test-b lab-test-conf\n",
			"rc  lab-test-conf  1.1",
			"cannot access '/usr/share/lab*'",
			"/etc/lab-test.conf\n",
			"Purging configuration files for lab-test-conf",
			"cannot access '/etc/lab*'",
		},
	},
	{
		name: "no autoremove", before: "apt-get update; apt-get -y install jq; apt-get -y remove jq",
		script: "apt-get -s install; apt-get -y autoremove; dpkg -l libonig5 | tail -n 1",
		want: []string{
			"no longer required:\n  libjq1 libonig5\n",
			"Removing libjq1",
			"no packages found matching libonig5",
		},
	},
}

func TestAptSays(t *testing.T) {
	for _, c := range aptCases {
		t.Run(c.name, func(t *testing.T) {
			m := hosttest.New(t, hosttest.Config{})
			m.AddPackage(
				hosttest.Package{Name: "provider1", Version: "1", Provides: "virtual1, virtual2"},
				hosttest.Package{Name: "provider2", Version: "1", Provides: "virtual2"},
				hosttest.Package{Name: "broken", Version: "1", Depends: "lab-test-a (>= 2.0)"},
				hosttest.Package{Name: "bad-script", Version: "1", Postinst: "exit 3"},
				hosttest.Package{Name: "elsewhere", Version: "1", Source: "apt.example.org"},
				hosttest.Package{Name: "broken2", Version: "1", Depends: "lab-test-a (>= 1.1)"},
			)
			if c.before != "" {
				both(t, m, c.before)
			}
			if c.fault != nil {
				c.fault(m.Faults())
			}
			got := both(t, m, c.script)
			rest := got
			for _, w := range c.want {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Fatalf("no %q in\n%s", w, got)
				}
				rest = after
			}
			if c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("%q in\n%s", c.not, got)
			}
		})
	}
}

func TestAptUnits(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	const unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
	m.AddPackage(hosttest.Package{
		Name: "svc", Version: "2", Users: []string{"svc"},
		Units: map[string]string{"svc.service": unit},
		Commands: map[string]hosttest.Command{"hello": func(p *hosttest.Process) int {
			fmt.Fprintln(p.Stdout(), "hi")
			return 7
		}},
	})
	const state = "systemctl is-enabled svc; systemctl is-active svc"
	for _, c := range [][2]string{
		{"hello", "sh: 1: hello: not found\n[127]\n"},
		{"apt-get -qq update >/dev/null && " + asEngine + "svc >/dev/null 2>&1; " + state, "enabled\nactive\n[0]\n"},
		{"id -un svc; hello", "svc\nhi\n[7]\n"},
		{
			"systemctl disable --now svc >/dev/null 2>&1; apt-get -y --reinstall install svc >/dev/null 2>&1; " + state,
			"disabled\ninactive\n[3]\n",
		},
		{
			"apt-get -y remove svc >/dev/null 2>&1; hello; " + state,
			"sh: 1: hello: not found\nFailed to get unit file state for svc.service: No such file or directory\n" +
				"inactive\n[3]\n",
		},
		{"apt-get -y purge svc >/dev/null 2>&1; " + asEngine + "svc >/dev/null 2>&1; " + state, "enabled\nactive\n[0]\n"},
		{
			asEngine +
				"open-iscsi >/dev/null 2>&1; systemctl is-enabled iscsid open-iscsi; systemctl is-active iscsid; " +
				"grep -c '^InitiatorName=iqn.1993-08.org.debian:01:............$' /etc/iscsi/initiatorname.iscsi",
			"disabled\nenabled\ninactive\n1\n[0]\n",
		},
	} {
		if got := both(t, m, c[0]); got != c[1] {
			t.Errorf("%s\nis %q, want %q", c[0], got, c[1])
		}
	}
}

func TestConffiles(t *testing.T) {
	const file, mine = "/etc/lab-test.conf", "echo mine >/etc/lab-test.conf"
	v := map[string]string{"1.0": "", "1.1": ""}
	for version := range v {
		m := hosttest.New(t, hosttest.Config{})
		if _, err := m.Exec("apt-get update && apt-get -y install lab-test-conf=" + version); err != nil {
			t.Fatal(err)
		}
		text, _ := m.FS().ReadFile(file)
		v[version] = string(text)
	}
	for name, c := range map[string]struct {
		first   bool   // install 1.0 before
		edit    string // what the administrator does then
		options string
		want    string // the content; "" is no file
		dist    bool   // the new one is left beside it
		code    int
	}{
		"untouched":           {first: true, want: v["1.1"]},
		"changed, keep":       {first: true, edit: mine, options: "--force-confold", want: "mine\n", dist: true},
		"changed, replace":    {first: true, edit: mine, options: "--force-confnew", want: v["1.1"]},
		"changed, no option":  {first: true, edit: mine, options: "--force-confdef", want: "mine\n", code: 100},
		"deleted":             {first: true, edit: "rm " + file, options: "--force-confold", want: "", dist: true},
		"there before":        {edit: mine, options: "--force-confold", want: "mine\n", dist: true},
		"there before, equal": {edit: "printf %s '" + v["1.1"] + "' >" + file, options: "--force-confdef", want: v["1.1"]},
		"fresh":               {want: v["1.1"]},
	} {
		t.Run(name, func(t *testing.T) {
			m := hosttest.New(t, hosttest.Config{})
			both(t, m, "apt-get update")
			if c.first {
				both(t, m, asEngine+"lab-test-conf=1.0")
			}
			both(t, m, c.edit+"\n:")
			opt := ""
			if c.options != "" {
				opt = "-o Dpkg::Options::=" + c.options
			}
			out := both(t, m, "apt-get -y "+opt+" install lab-test-conf </dev/null")
			if !strings.HasSuffix(out, fmt.Sprintf("[%d]\n", c.code)) {
				t.Errorf("exit code: %s", out)
			}
			b, err := m.FS().ReadFile(file)
			if string(b) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("the file is %q, %v", b, err)
			}
			if _, err := m.FS().Stat(file + ".dpkg-dist"); (err == nil) != c.dist {
				t.Errorf("dpkg-dist: %v", err)
			}
		})
	}
}

// A power cut at any write leaves packages that dpkg --configure -a and a second installation repair.
func TestAptPowerCuts(t *testing.T) {
	const install = asEngine + "lab-test-b lab-test-conf lab-test-svc"
	// What was cut off while it was unpacked is not unpacked again without --reinstall, which is told of dependencies too.
	again := strings.Replace(asEngine, " install ", " install --reinstall ", 1) +
		"lab-test-a lab-test-b lab-test-conf lab-test-svc"
	const versions = "dpkg-query -W -f='${Package} ${Version} ${db:Status-Abbrev}\\n' 'lab-*'; " +
		"systemctl is-enabled lab-test-svc"
	prepare := func(t *testing.T) *hosttest.Machine {
		m := hosttest.New(t, hosttest.Config{})
		both(t, m, "apt-get update; "+asEngine+"lab-test-conf=1.0; echo mine >>/etc/lab-test.conf; sync")
		return m
	}
	m := prepare(t)
	start := m.Counters().Writes
	both(t, m, install)
	total := int(m.Counters().Writes - start)
	want := both(t, m, versions)
	paths := []string{"/etc/lab-test.conf", "/etc/lab-test.conf.dpkg-dist", "/etc/systemd/system",
		"/usr/share/lab-test-a", "/usr/share/lab-test-b", "/var/lib/dpkg"}
	whole := m.FS().Snapshot(paths...)
	interrupted, half := 0, 0
	step := 1
	if testing.Short() {
		step = 9
	}
	for k := 1; k <= total; k += step {
		m := prepare(t)
		done := m.Faults().PowerCutAtWrite(k)
		m.Exec(install)
		select {
		case <-done:
		case <-time.After(2 * time.Minute):
			t.Fatalf("write %d: no power cut", k)
		}
		out := both(t, m, again)
		if strings.Contains(out, "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'") {
			interrupted++
			states := both(t, m, "dpkg-query -W -f='${db:Status-Abbrev}' 'lab-*'")
			if strings.Contains(both(t, m, "dpkg -l 'lab-*'"), "\ni") && strings.ContainsAny(states, "UFH") {
				half++
			}
			if out := both(t, m, "dpkg --force-confdef --force-confold --configure -a"); !strings.HasSuffix(out, "[0]\n") {
				t.Fatalf("write %d of %d: %s", k, total, out)
			}
			out = both(t, m, again)
		}
		if !strings.HasSuffix(out, "[0]\n") {
			t.Fatalf("write %d of %d: %s", k, total, out)
		}
		if got := both(t, m, versions); got != want {
			t.Errorf("write %d of %d: %s, want %s", k, total, got, want)
		}
		for _, d := range whole.Diff(m.FS().Snapshot(paths...)) {
			if !strings.Contains(d, ".dpkg-") && !strings.Contains(d, ".list-new") {
				t.Errorf("write %d of %d: %s", k, total, d)
			}
		}
	}
	// Only a cut between the last step and the end of dpkg finds nothing half installed.
	if interrupted < total/step/2 || half < interrupted-2 {
		t.Errorf("of %d cuts %d interrupted dpkg, %d with a package half installed", total, interrupted, half)
	}
	t.Logf("%d writes, %d interruptions, %d with a package half installed", total, interrupted, half)
}
