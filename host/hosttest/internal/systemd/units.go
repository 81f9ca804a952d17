package systemd

import "maps"

// BaseDaemons are the executables of the base system's services. They have nothing to do: a process stands for them.
var BaseDaemons = []string{
	"/usr/sbin/cron",
	"/usr/bin/dbus-daemon",
	"/usr/sbin/NetworkManager",
	"/usr/sbin/avahi-daemon",
	"/usr/sbin/agetty",
	"/usr/lib/systemd/systemd-journald",
	"/usr/lib/systemd/systemd-udevd",
	"/usr/lib/systemd/systemd-logind",
	"/usr/lib/systemd/systemd-timesyncd",
	"/usr/lib/systemd/systemd",
	"/usr/lib/systemd/systemd-modules-load",
	"/usr/sbin/dphys-swapfile",
	"/usr/lib/apt/apt.systemd.daily",
	"/usr/sbin/fstrim",
	"/usr/sbin/logrotate",
	"/usr/sbin/fake-hwclock",
}

// BaseUnits gives the unit files of the base system by their names.
func BaseUnits() map[string]string {
	units := baseServices()
	maps.Copy(units, baseTriggers())
	maps.Copy(units, baseTargets())
	return units
}

func baseServices() map[string]string {
	service := func(desc, exec, typ, wantedBy, more string) string {
		s := "[Unit]\nDescription=" + desc + "\n\n[Service]\n"
		if typ != "" {
			s += "Type=" + typ + "\n"
		}
		s += "ExecStart=" + exec + "\n" + more
		if wantedBy != "" {
			s += "\n[Install]\nWantedBy=" + wantedBy + "\n"
		}
		return s
	}
	return map[string]string{
		"ssh.service": "[Unit]\nDescription=OpenBSD Secure Shell server\n" +
			"After=network.target auditd.service\nConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n\n[Service]\n" +
			"EnvironmentFile=-/etc/default/ssh\nExecStartPre=/usr/sbin/sshd -t\n" +
			"ExecStart=/usr/sbin/sshd -D $SSHD_OPTS\nExecReload=/usr/sbin/sshd -t\n" +
			"ExecReload=/bin/kill -HUP $MAINPID\nKillMode=process\nRestart=on-failure\nRestartPreventExitStatus=255\n" +
			"Type=notify\nRuntimeDirectory=sshd\nRuntimeDirectoryMode=0755\n\n[Install]\nWantedBy=multi-user.target\n" +
			"Alias=sshd.service\n",
		"cron.service": service("Regular background program processing daemon",
			"/usr/sbin/cron -f $EXTRA_OPTS", "", "multi-user.target",
			"EnvironmentFile=-/etc/default/cron\nIgnoreSIGPIPE=false\nKillMode=process\nRestart=on-failure\n"),
		"dbus.service": "[Unit]\nDescription=D-Bus System Message Bus\n\n[Service]\nType=notify\n" +
			"NotifyAccess=main\nExecStart=/usr/bin/dbus-daemon --system\n",
		"NetworkManager.service": service("Network Manager", "/usr/sbin/NetworkManager --no-daemon", "dbus",
			"multi-user.target", "BusName=org.freedesktop.NetworkManager\nExecReload=/bin/true\nRestart=on-failure\n"),
		"avahi-daemon.service": service("Avahi mDNS/DNS-SD Stack", "/usr/sbin/avahi-daemon -s", "dbus",
			"multi-user.target", "BusName=org.freedesktop.Avahi\n"),
		"getty@.service": "[Unit]\nDescription=Getty on %I\n\n[Service]\n" +
			"ExecStart=-/sbin/agetty -o '-p -- \\\\u' --noclear - $TERM\nType=idle\nRestart=always\nRestartSec=0\n\n" +
			"[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
		"systemd-journald.service": service("Journal Service", "/lib/systemd/systemd-journald", "notify", "",
			"Restart=always\n"),
		"systemd-udevd.service": service("Rule-based Manager for Device Events and Files",
			"/lib/systemd/systemd-udevd", "notify", "", ""),
		"systemd-logind.service": service("User Login Management", "/lib/systemd/systemd-logind", "notify", "",
			"Restart=always\n"),
		"systemd-timesyncd.service": "[Unit]\nDescription=Network Time Synchronization\n" +
			"ConditionVirtualization=!container\n\n[Service]\nType=notify\nUser=systemd-timesync\n" +
			"ExecStart=!!/lib/systemd/systemd-timesyncd\nRestart=always\n\n[Install]\nWantedBy=sysinit.target\n" +
			"Alias=dbus-org.freedesktop.timesync1.service\n",
		"systemd-sysctl.service": service("Apply Kernel Variables", "/lib/systemd/systemd-sysctl", "oneshot", "",
			"RemainAfterExit=yes\n"),
		"systemd-modules-load.service": service("Load Kernel Modules", "/lib/systemd/systemd-modules-load", "oneshot",
			"", "RemainAfterExit=yes\n"),
		"dphys-swapfile.service": service("dphys-swapfile - set up, mount/unmount, and delete a swap file",
			"/sbin/dphys-swapfile swapon", "oneshot", "multi-user.target",
			"RemainAfterExit=yes\nExecStop=/sbin/dphys-swapfile swapoff\n"),
		"fake-hwclock.service": service("Restore / save the current clock", "/sbin/fake-hwclock load",
			"oneshot", "sysinit.target", "RemainAfterExit=yes\n"),
		"apt-daily.service": service("Daily apt download activities",
			"/usr/lib/apt/apt.systemd.daily update", "oneshot", "", ""),
		"apt-daily-upgrade.service": service("Daily apt upgrade and clean activities",
			"/usr/lib/apt/apt.systemd.daily install", "oneshot", "", ""),
		"fstrim.service": service("Discard unused blocks", "/sbin/fstrim --fstab --verbose", "oneshot", "", ""),
		"logrotate.service": service("Rotate log files", "/usr/sbin/logrotate /etc/logrotate.conf",
			"oneshot", "", ""),
		"systemd-reboot.service": "[Unit]\nDescription=System Reboot\n",
	}
}

// baseTriggers are the timers and sockets.
func baseTriggers() map[string]string {
	timer := func(desc, cal string) string {
		return "[Unit]\nDescription=" + desc + "\n\n[Timer]\nOnCalendar=" + cal +
			"\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
	}
	return map[string]string{
		"apt-daily.timer":         timer("Daily apt download activities", "*-*-* 6,18:00"),
		"apt-daily-upgrade.timer": timer("Daily apt upgrade and clean activities", "*-*-* 6:00"),
		"fstrim.timer":            timer("Discard unused blocks once a week", "weekly"),
		"logrotate.timer":         timer("Daily rotation of log files", "daily"),
		"dbus.socket": "[Unit]\nDescription=D-Bus System Message Bus Socket\n\n[Socket]\n" +
			"ListenStream=/run/dbus/system_bus_socket\n",
		"ssh.socket": "[Unit]\nDescription=OpenBSD Secure Shell server socket\n" +
			"Conflicts=ssh.service\n\n[Socket]\nListenStream=22\nAccept=yes\n\n[Install]\nWantedBy=sockets.target\n",
	}
}

func baseTargets() map[string]string {
	target := func(desc, more string) string { return "[Unit]\nDescription=" + desc + "\n" + more }
	return map[string]string{
		"basic.target": target("Basic System",
			"Requires=sysinit.target\nWants=sockets.target timers.target paths.target slices.target\n"+
				"After=sysinit.target\n"),
		"sysinit.target": target("System Initialization",
			"Wants=local-fs.target swap.target\nAfter=local-fs.target\n"),
		"multi-user.target": target("Multi-User System",
			"Requires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n"),
		"graphical.target":      target("Graphical Interface", "Requires=multi-user.target\nAllowIsolate=yes\n"),
		"rescue.target":         target("Rescue Mode", "AllowIsolate=yes\n"),
		"reboot.target":         target("System Reboot", "Requires=systemd-reboot.service\nAllowIsolate=yes\n"),
		"sockets.target":        target("Socket Units", ""),
		"timers.target":         target("Timer Units", ""),
		"paths.target":          target("Path Units", ""),
		"slices.target":         target("Slice Units", ""),
		"local-fs.target":       target("Local File Systems", ""),
		"remote-fs.target":      target("Remote File Systems", "\n[Install]\nWantedBy=multi-user.target\n"),
		"swap.target":           target("Swaps", ""),
		"network.target":        target("Network", ""),
		"network-online.target": target("Network is Online", ""),
		"network-pre.target":    target("Preparation for Network", ""),
		"nss-lookup.target":     target("Host and Network Name Lookups", ""),
		"time-sync.target":      target("System Time Synchronized", ""),
		"time-set.target":       target("System Time Set", ""),
		"getty.target":          target("Login Prompts", ""),
		"shutdown.target":       target("System Shutdown", ""),
	}
}

// BaseUnitLinks are the links that enable the base units, and their aliases.
var BaseUnitLinks = []string{
	"/usr/lib/systemd/system/multi-user.target.wants/getty.target ../getty.target",
	"/usr/lib/systemd/system/multi-user.target.wants/dbus.service ../dbus.service",
	"/usr/lib/systemd/system/multi-user.target.wants/systemd-logind.service ../systemd-logind.service",
	"/usr/lib/systemd/system/sockets.target.wants/dbus.socket ../dbus.socket",
	"/usr/lib/systemd/system/sysinit.target.wants/systemd-journald.service ../systemd-journald.service",
	"/usr/lib/systemd/system/sysinit.target.wants/systemd-udevd.service ../systemd-udevd.service",
	"/usr/lib/systemd/system/sysinit.target.wants/systemd-sysctl.service ../systemd-sysctl.service",
	"/usr/lib/systemd/system/sysinit.target.wants/systemd-modules-load.service ../systemd-modules-load.service",
	"/etc/systemd/system/multi-user.target.wants/ssh.service /lib/systemd/system/ssh.service",
	"/etc/systemd/system/sshd.service /lib/systemd/system/ssh.service",
	"/etc/systemd/system/multi-user.target.wants/cron.service /lib/systemd/system/cron.service",
	"/etc/systemd/system/multi-user.target.wants/NetworkManager.service /lib/systemd/system/NetworkManager.service",
	"/etc/systemd/system/multi-user.target.wants/avahi-daemon.service /lib/systemd/system/avahi-daemon.service",
	"/etc/systemd/system/multi-user.target.wants/dphys-swapfile.service /lib/systemd/system/dphys-swapfile.service",
	"/etc/systemd/system/multi-user.target.wants/remote-fs.target /lib/systemd/system/remote-fs.target",
	"/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service /lib/systemd/system/systemd-timesyncd.service",
	"/etc/systemd/system/sysinit.target.wants/fake-hwclock.service /lib/systemd/system/fake-hwclock.service",
	"/etc/systemd/system/dbus-org.freedesktop.timesync1.service /lib/systemd/system/systemd-timesyncd.service",
	"/etc/systemd/system/getty.target.wants/getty@tty1.service /lib/systemd/system/getty@.service",
	"/etc/systemd/system/timers.target.wants/apt-daily.timer /lib/systemd/system/apt-daily.timer",
	"/etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer /lib/systemd/system/apt-daily-upgrade.timer",
	"/etc/systemd/system/timers.target.wants/fstrim.timer /lib/systemd/system/fstrim.timer",
	"/etc/systemd/system/timers.target.wants/logrotate.timer /lib/systemd/system/logrotate.timer",
}
