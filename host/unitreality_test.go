package host_test

import "gitea.arcodange.lab/arcodange-org/lab/host"

func unitRealities() []reality {
	yes, no := true, false
	started := func(name string) host.Unit { return host.Unit{Name: name, State: host.Started} }
	enabled := func(name string, on *bool) host.State { return host.State{host.Unit{Name: name, Enabled: on}} }
	file := func(name, text string) string {
		return "printf '" + text + "' >/etc/systemd/system/" + name + "; systemctl daemon-reload\n"
	}
	vendor := func(name, text string) string {
		return "printf '" + text + "' >/usr/lib/systemd/system/" + name + "; systemctl daemon-reload\n"
	}
	const sleep, install = `[Service]\nExecStart=/bin/sleep infinity\n`, `[Install]\nWantedBy=multi-user.target\n`
	const once = `[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo x >>/srv/%%n"\n`
	ran := func(name string, times string) string { return "[ $(wc -l </srv/" + name + ") = " + times + " ]" }
	sysv := func(name string) string {
		return `mkdir -p /etc/init.d; printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: ` + name +
			`\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n` +
			`# Default-Stop: 0 1 6\n### END INIT INFO\nexit 0\n' >/etc/init.d/` + name + "\n" +
			"chmod 755 /etc/init.d/" + name + "; systemctl daemon-reload\n"
	}
	unit := func(name, op string) []string { return []string{"unit:" + name + "/" + op} }
	loop := `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1h\n`
	looping := func(name string) string {
		return "systemctl start " + name + "; until systemctl show " + name + " | grep -q auto-restart; do sleep 0.1; done"
	}
	// link gives the unit of a package another name.
	link := func(name, other string) string {
		return "ln -s /usr/lib/systemd/system/" + name + " /etc/systemd/system/" + other + "; systemctl daemon-reload"
	}
	return []reality{
		{
			name:  "a restart loop",
			do:    file("lab-loop.service", loop) + looping("lab-loop.service"),
			state: host.State{started("lab-loop.service")},
			plan:  unit("lab-loop.service", "start"),
			fails: "is in a restart loop: exit-code",
			undo:  "systemctl stop lab-loop.service",
		},
		{
			name:  "a restart loop that is not wanted",
			do:    file("lab-loop2.service", loop) + looping("lab-loop2.service"),
			state: host.State{host.Unit{Name: "lab-loop2.service", State: host.Stopped}},
			plan:  unit("lab-loop2.service", "stop"),
			check: "! systemctl is-active lab-loop2.service",
		},
		{
			name: "a oneshot that does not remain",
			state: host.State{host.UnitFile{Name: "lab-once.service",
				Content: "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >>/srv/lab-once.service'\n"},
				started("lab-once.service")},
			plan:  []string{"file:/etc/systemd/system/lab-once.service", "systemd:daemon-reload", "unit:lab-once.service/start"},
			check: ran("lab-once.service", "1"),
		},
		{
			name: "a oneshot whose file changes", do: file("lab-again.service", once),
			state: host.State{host.DropIn{Unit: "lab-again.service", Name: "x", Content: "[Service]\nEnvironment=A=1\n"},
				host.Unit{Name: "lab-again.service", State: host.Started, RestartOn: []string{"dropin:lab-again.service/x"}}},
			plan: []string{"any"}, check: ran("lab-again.service", "1"),
		},
		{
			name: "a oneshot whose file has changed",
			state: host.State{host.DropIn{Unit: "lab-again.service", Name: "x", Content: "[Service]\nEnvironment=A=2\n"},
				host.Unit{Name: "lab-again.service", State: host.Started, RestartOn: []string{"dropin:lab-again.service/x"}}},
			plan:  []string{"file:/etc/systemd/system/lab-again.service.d/x.conf", "systemd:daemon-reload", "unit:lab-again.service/start"},
			check: ran("lab-again.service", "2"), kernel: true, // the same machine as before
		},
		{
			name:  "a oneshot that ran by itself",
			do:    file("lab-self.service", once+install) + "systemctl enable --now lab-self.service",
			state: host.State{started("lab-self.service")},
			plan:  nil,
			check: ran("lab-self.service", "1"),
		},
		{
			name:  "a oneshot that fails",
			do:    file("lab-bad.service", `[Service]\nType=oneshot\nExecStart=/bin/false\n`),
			state: host.State{started("lab-bad.service")},
			plan:  unit("lab-bad.service", "start"),
			fails: "lab-bad.service",
		},
		{
			name:  "a condition that is not met",
			do:    file("lab-cond.service", `[Unit]\nConditionPathExists=/nosuch\n`+sleep+install) + "systemctl enable lab-cond.service",
			state: host.State{started("lab-cond.service")},
			plan:  unit("lab-cond.service", "start"),
			fails: "a condition in its file was not met",
		},
		{
			name:  "a script of init.d without a link",
			do:    sysv("lab-sysv"),
			state: enabled("lab-sysv.service", &yes),
			plan:  unit("lab-sysv.service", "enable"), check: "ls /etc/rc3.d/S??lab-sysv",
		},
		{
			name:  "a script of init.d with a link",
			do:    sysv("lab-sysv2") + "systemctl enable lab-sysv2.service",
			state: enabled("lab-sysv2.service", &yes),
		},
		{
			name:  "a script of init.d that is not wanted",
			do:    sysv("lab-sysv3") + "systemctl enable lab-sysv3.service",
			state: enabled("lab-sysv3.service", &no),
			plan:  unit("lab-sysv3.service", "disable"),
			check: "! ls /etc/rc[2345].d/S??lab-sysv3 2>/dev/null",
		},
		{
			name:  "enabled under another name only",
			do:    vendor("lab-main.service", sleep+install) + link("lab-main.service", "lab-other.service"),
			state: enabled("lab-main.service", &yes), plan: unit("lab-main.service", "enable"),
			check: "[ -h /etc/systemd/system/multi-user.target.wants/lab-main.service ]",
		},
		{
			name:  "an alias is enabled",
			do:    vendor("lab-main2.service", sleep+install) + link("lab-main2.service", "lab-alias2.service"),
			state: enabled("lab-alias2.service", &yes), plan: unit("lab-alias2.service", "enable"),
			check: "[ -h /etc/systemd/system/multi-user.target.wants/lab-main2.service ]",
		},
		{
			name:  "an alias is masked",
			do:    vendor("lab-main3.service", sleep+install) + link("lab-main3.service", "lab-alias3.service"),
			state: host.State{host.Unit{Name: "lab-alias3.service", Masked: true}},
			plan:  unit("lab-alias3.service", "mask"),
			check: "! systemctl start lab-main3.service 2>/dev/null",
		},
		{
			name: "it enables another unit",
			do: vendor("lab-also.service", sleep+`[Install]\nAlso=lab-also.socket\n`) +
				vendor("lab-also.socket", `[Socket]\nListenStream=/run/lab-also\n[Install]\nWantedBy=sockets.target\n`),
			state: enabled("lab-also.service", &yes),
			plan:  unit("lab-also.service", "enable"),
			check: "systemctl is-enabled lab-also.socket",
		},
		{
			name:   "it enables another unit, and should not",
			kernel: true, // the same machine as before
			state:  enabled("lab-also.service", &no),
			plan:   unit("lab-also.service", "disable"),
			check:  "! systemctl is-enabled -q lab-also.socket",
		},
		{
			name: "a socket starts it again",
			do: vendor("lab-sock.service", sleep) +
				vendor("lab-sock.socket", `[Socket]\nListenStream=/run/lab-sock\n`) + "systemctl start lab-sock.socket lab-sock.service",
			state:   host.State{host.Unit{Name: "lab-sock.service", State: host.Stopped}},
			refused: "lab-sock.socket is active, and starts it again",
			undo:    "systemctl stop lab-sock.socket lab-sock.service",
		},
		{
			name: "a socket that is stopped too",
			do: vendor("lab-sock2.service", sleep) +
				vendor("lab-sock2.socket", `[Socket]\nListenStream=/run/lab-sock2\n`) + "systemctl start lab-sock2.socket lab-sock2.service",
			state: host.State{host.Unit{Name: "lab-sock2.service", State: host.Stopped}, host.Unit{Name: "lab-sock2.socket", State: host.Stopped}},
			plan:  []string{"unit:lab-sock2.service/stop", "unit:lab-sock2.socket/stop"},
			check: "! systemctl is-active lab-sock2.service lab-sock2.socket",
		},
		{
			name:  "a file that is gone after a boot",
			do:    "mkdir -p /run/systemd/system; printf '" + sleep + install + "' >/run/systemd/system/lab-run.service; systemctl daemon-reload",
			state: enabled("lab-run.service", &yes), refused: "does not survive a boot",
		},
		{
			name: "static, and started by a package's link",
			do: vendor("lab-vendor.service", sleep) +
				"mkdir -p /usr/lib/systemd/system/multi-user.target.wants\n" +
				"ln -s ../lab-vendor.service /usr/lib/systemd/system/multi-user.target.wants/; systemctl daemon-reload",
			state:   enabled("lab-vendor.service", &no),
			refused: "it is static, and started by multi-user.target",
		},
		{
			name:    "generated from fstab",
			do:      "echo 'tmpfs /srv/gen tmpfs defaults 0 0' >>/etc/fstab; systemctl daemon-reload",
			state:   enabled("srv-gen.mount", &no),
			refused: "it is generated, and started by local-fs.target",
			undo:    "sed -i /srv.gen/d /etc/fstab; systemctl daemon-reload",
		},
		{
			name:    "generated from fstab, and not mounted at boot",
			do:      "echo 'tmpfs /srv/gen2 tmpfs noauto 0 0' >>/etc/fstab; systemctl daemon-reload",
			state:   enabled("srv-gen2.mount", &yes),
			refused: "generated from /etc/fstab, which does not start it",
			undo:    "sed -i /srv.gen2/d /etc/fstab; systemctl daemon-reload",
		},
	}
}
