package host_test

import "gitea.arcodange.lab/arcodange-org/lab/host"

func bootRealities() []reality {
	forward := host.State{host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"}}
	const line = "sysctl:net.ipv4.ip_forward"
	const now, late = line + "/now", line + "/boot"
	const reset = "sysctl -q -w net.ipv4.ip_forward=0; rm -f /etc/sysctl.d/90-lab.conf /etc/sysctl.d/zz-lab.conf\n"
	// booted does what is done at boot, and succeeds if the parameter is set after that.
	const booted = "/usr/lib/systemd/systemd-sysctl; [ \"$(cat /proc/sys/net/ipv4/ip_forward)\" = 1 ]"
	const clear = "rm -f /etc/sysctl.d/??-x.conf /etc/sysctl.d/zzz.conf /usr/lib/sysctl.d/97-x.conf " +
		"/run/sysctl.d/97-x.conf; sed -i /ip_forward/d /etc/sysctl.conf\n" + reset
	const unlisted = "rm -f /etc/modprobe.d/[xy].conf /usr/lib/modprobe.d/x.conf"
	const cloud = "mkdir -p /etc/cloud/cloud.cfg.d; printf '#!/bin/sh\n' >/usr/bin/cloud-init; chmod 755 /usr/bin/cloud-init\n"
	const noCloud = "rm -rf /etc/cloud /usr/bin/cloud-init /boot/firmware/user-data"
	return []reality{
		{
			name:  "nothing else sets a parameter",
			do:    reset,
			state: forward,
			plan:  []string{line, now},
			check: booted,
			undo:  clear,
		},
		{
			name:  "sysctl.conf sets it to something else",
			do:    reset + "echo net.ipv4.ip_forward=0 >>/etc/sysctl.conf; ln -sf ../sysctl.conf /etc/sysctl.d/99-sysctl.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name:  "a later file sets it with slashes and a dash",
			do:    reset + "echo ' - net/ipv4/ip_forward = 0' >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name:  "a later file sets it under its other name",
			do:    reset + "echo net.ipv4.conf.all.forwarding=0 >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name:  "the value that counts keeps an early place",
			do:    reset + "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/10-x.conf; echo net.ipv4.conf.all.forwarding=0 >/etc/sysctl.d/20-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name:  "a package's file comes later",
			do:    reset + "echo net.ipv4.ip_forward=0 >/usr/lib/sysctl.d/97-x.conf",
			state: forward, plan: []string{line, late, now}, check: booted, undo: clear,
		},
		{
			name: "a package's file comes later, and another hides it",
			do: reset + "echo net.ipv4.ip_forward=0 >/usr/lib/sysctl.d/97-x.conf\n" +
				"mkdir -p /run/sysctl.d; ln -sf /dev/null /run/sysctl.d/97-x.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name:  "comments and other parameters",
			do:    reset + "printf '# net.ipv4.ip_forward=0\\n;net.ipv4.ip_forward=0\\nnet.ipv4.ip_forward_x=0\\n' >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name:  "a pattern comes later",
			do:    reset + "echo 'net.ipv4.conf.*.forwarding=0' >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, now}, undo: clear,
		},
		{
			name:  "the same value comes later",
			do:    reset + "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/95-x.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name:  "our own file has it twice",
			do:    "printf 'net.ipv4.ip_forward = 1\\nnet/ipv4/ip_forward=0\\n' >/etc/sysctl.d/90-lab.conf",
			state: forward, plan: []string{line, now}, check: booted, undo: clear,
		},
		{
			name: "our own file, under a name that is not read", do: reset,
			state: host.State{host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1", File: "/etc/sysctl.d/lab"}},
			plan:  []string{line, late, now}, check: booted, undo: clear + "rm /etc/sysctl.d/lab",
		},
		{
			name:    "a file comes after all others",
			do:      reset + "echo net.ipv4.ip_forward=0 >/etc/sysctl.d/zzz.conf",
			state:   forward,
			refused: "/etc/sysctl.d/zzz.conf sets net.ipv4.ip_forward = 0 at boot",
			undo:    clear,
		},
		{
			name:  "the later file is edited by the same plan",
			do:    reset + "echo net.ipv4.ip_forward=0 >/etc/sysctl.d/95-x.conf",
			state: append(host.State{host.Line{Path: "/etc/sysctl.d/95-x.conf", Match: "ip_forward", Absent: true}}, forward...),
			plan:  []string{"line:/etc/sysctl.d/95-x.conf:ip_forward", line, now},
			check: booted,
			undo:  clear,
		},
		{
			name:  "a key with slashes",
			do:    reset,
			state: host.State{host.Sysctl{Key: "net/ipv4/ip_forward", Value: "1"}},
			plan:  []string{"sysctl:net/ipv4/ip_forward", "sysctl:net/ipv4/ip_forward/now"},
			check: booted,
			undo:  clear,
		},
		{
			name: "cloud-init writes /etc/hosts",
			do: cloud + "echo 'manage_etc_hosts: true' >/etc/cloud/cloud.cfg\n" +
				"printf 'x: 1\\nmanage_etc_hosts:  \"localhost\" # y\\n' >/etc/cloud/cloud.cfg.d/01_debian.cfg",
			state: host.State{host.Line{Path: "/etc/hosts", Line: "192.0.2.9 lab-cloud"}},
			plan:  []string{"cloudinit:hosts", "line:/etc/hosts:192.0.2.9 lab-cloud"},
			check: "grep -q false /etc/cloud/cloud.cfg.d/99-zz-lab-hosts.cfg",
			undo:  noCloud,
		},
		{
			name: "cloud-init writes /etc/hosts, as the user-data says",
			do: cloud + "echo 'manage_etc_hosts: false' >/etc/cloud/cloud.cfg\n" +
				"mkdir -p /boot/firmware; echo 'manage_etc_hosts: true' >/boot/firmware/user-data",
			state:   host.State{host.Hostname{Name: "pi1"}},
			refused: "cloud-init writes /etc/hosts at every boot, as /boot/firmware/user-data says",
			undo:    noCloud,
		},
		{
			name: "cloud-init does not write /etc/hosts, as the user-data says",
			do: cloud + "echo 'manage_etc_hosts: true' >/etc/cloud/cloud.cfg\n" +
				"mkdir -p /boot/firmware; echo 'manage_etc_hosts: False' >/boot/firmware/user-data",
			state: host.State{host.Block{Path: "/etc/hosts", Name: "cloud", Content: "x"}},
			plan:  []string{"block:/etc/hosts:cloud"},
			undo:  noCloud,
		},
		{
			name:  "cloud-init is turned off",
			do:    cloud + "echo 'manage_etc_hosts: true' >/etc/cloud/cloud.cfg; : >/etc/cloud/cloud-init.disabled",
			state: host.State{host.Block{Path: "/etc/hosts", Name: "off", Content: "x"}},
			plan:  []string{"block:/etc/hosts:off"},
			undo:  noCloud,
		},
		{
			name:  "a swap unit of its own",
			needs: "! systemd-detect-virt -c -q", // containers have none
			do: `printf '[Swap]\nWhat=/opt/swap\n[Install]\nWantedBy=swap.target\n' ` +
				`>/etc/systemd/system/opt-swap.swap; systemctl enable opt-swap.swap`,
			state: host.State{host.NoSwap{}},
			plan:  []string{"any"},
			check: "! systemctl is-enabled -q opt-swap.swap",
		},
		{
			name:  "a swap unit that a generator made",
			needs: "! systemd-detect-virt -c -q", // containers have none
			do: `mkdir -p /etc/systemd/system-generators; printf '#!/bin/sh\n` +
				`printf "[Swap]\\nWhat=/opt/gen\\n" >$2/opt-gen.swap; mkdir -p $2/swap.target.wants; ln -sf ../opt-gen.swap $2/swap.target.wants/\n' ` +
				">/etc/systemd/system-generators/lab; chmod 755 /etc/systemd/system-generators/lab; systemctl daemon-reload",
			state: host.State{host.NoSwap{}},
			plan:  []string{"swap:none/opt-gen.swap"},
			check: "[ $(systemctl show -p LoadState --value opt-gen.swap) = masked ]",
			undo:  "rm /etc/systemd/system-generators/lab; systemctl daemon-reload", kernel: true,
		},
		{
			name:    "a module that is blacklisted",
			do:      "mkdir -p /etc/modprobe.d; echo ' blacklist  xt-conntrack' >/etc/modprobe.d/x.conf",
			state:   host.State{host.KernelModule{Name: "xt_conntrack"}},
			refused: "/etc/modprobe.d/x.conf: blacklist xt-conntrack",
			undo:    unlisted,
		},
		{
			name:    "a module that must not be installed",
			do:      "mkdir -p /usr/lib/modprobe.d; echo 'install ip_vs /bin/true' >/usr/lib/modprobe.d/x.conf",
			state:   host.State{host.KernelModule{Name: "ip_vs"}},
			refused: "/usr/lib/modprobe.d/x.conf: install ip_vs /bin/true",
			undo:    unlisted,
		},
		{
			name: "a module that is blacklisted, and built in",
			do: "mkdir -p /etc/modprobe.d; echo 'blacklist dm-mod' >/etc/modprobe.d/x.conf\n" +
				"mkdir -p /lib/modules/$(uname -r); echo kernel/drivers/md/dm-mod.ko >>/lib/modules/$(uname -r)/modules.builtin",
			state: host.State{host.KernelModule{Name: "dm-mod"}},
			plan:  []string{"file:/etc/modules-load.d/lab-dm-mod.conf"},
			undo:  unlisted,
		},
		{
			name: "a blacklist that another file hides, and other modules",
			do: "mkdir -p /etc/modprobe.d /usr/lib/modprobe.d; echo 'blacklist ext4' >/usr/lib/modprobe.d/x.conf\n" +
				"ln -s /dev/null /etc/modprobe.d/x.conf\n" +
				"printf '# blacklist ext4\nblacklist ext4x\ninstall ext4 /sbin/modprobe -i ext4\n' >/etc/modprobe.d/y.conf\n" +
				"mkdir -p /lib/modules/$(uname -r); echo kernel/fs/ext4/ext4.ko >>/lib/modules/$(uname -r)/modules.builtin",
			state: host.State{host.KernelModule{Name: "ext4"}},
			plan:  []string{"file:/etc/modules-load.d/lab-ext4.conf"},
			undo:  unlisted,
		},
	}
}
