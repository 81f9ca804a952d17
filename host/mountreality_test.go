package host_test

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

func mountRealities() []reality {
	tmpfs := func(path string, options ...string) host.State {
		return host.State{host.Mount{Path: path, Source: "tmpfs", FSType: "tmpfs", Options: options}}
	}
	// once succeeds if exactly one file system is mounted at the path that the kernel shows.
	once := func(shown string) string {
		return `[ "$(cut -d' ' -f5 /proc/self/mountinfo | grep -cxF '` + shown + `')" = 1 ]`
	}
	written := func(path string) []string { return []string{"mount:" + path} }
	fresh := func(path string) []string { return []string{"mount:" + path, "mount:" + path + "/mounted"} }
	return []reality{
		{
			name:  "a link above the mount point",
			do:    "mkdir -p /mnt/ssd/cache; ln -s /mnt/ssd /data",
			state: tmpfs("/data/cache"),
			plan:  fresh("/data/cache"),
			check: once("/mnt/ssd/cache"),
			undo:  "umount /data/cache; rm /data",
		},
		{
			name:  "a link above, and it is mounted",
			do:    "mkdir -p /mnt/ssd/c; ln -s ../mnt/./ssd /srv/data2; mount -t tmpfs tmpfs /mnt/ssd/c",
			state: tmpfs("/srv/data2/c"),
			plan:  written("/srv/data2/c"),
			check: once("/mnt/ssd/c"),
			undo:  "umount /mnt/ssd/c",
		},
		{
			name:  "the mount point is a link",
			do:    "mkdir -p /mnt/real; ln -s /mnt/real /srv/linked",
			state: tmpfs("/srv/linked"),
			plan:  fresh("/srv/linked"),
			check: once("/mnt/real"),
			undo:  "umount /mnt/real",
		},
		{
			name: "fstab has it under its other name",
			do: "mkdir -p /mnt/other/x; ln -s /mnt/other /srv/other; mount -t tmpfs tmpfs /mnt/other/x\n" +
				"echo 'tmpfs /mnt/other/x/ tmpfs noexec 0 0' >>/etc/fstab; systemctl daemon-reload",
			state: tmpfs("/srv/other/x"), plan: written("/srv/other/x"),
			check: "[ $(grep -c other/x /etc/fstab) = 1 ]", undo: "umount /mnt/other/x",
		},
		{
			name:  "blanks and other bytes that are escaped",
			state: tmpfs("/srv/a b\t#c\\d%s"),
			plan:  fresh("/srv/a b\t#c\\d%s"),
			check: `[ "$(cut -d' ' -f5 /proc/self/mountinfo | grep -c '/srv/a.040b')" = 1 ]
				umount '/srv/a b	#c\d%s'; mount '/srv/a b	#c\d%s'`,
			undo: `umount '/srv/a b	#c\d%s'`,
		},
		{
			name: "fstab escapes more than it must",
			do: `mkdir '/srv/e f'; mount -t tmpfs tmpfs '/srv/e f'
				printf '%s\n' 'tmpfs /\163rv/e\040f tmpfs defaults 0 0' >>/etc/fstab; systemctl daemon-reload`,
			state: tmpfs("/srv/e f"),
			plan:  written("/srv/e f"),
			check: "[ $(grep -c 'e.040f' /etc/fstab) = 1 ]",
			undo:  "umount '/srv/e f'",
		},
		{
			name:  "stacked, and not wanted",
			do:    "mkdir /srv/stack; for i in 1 2 3; do mount -t tmpfs tmpfs /srv/stack; done",
			state: host.State{host.Mount{Path: "/srv/stack", Absent: true}},
			plan:  []string{"mount:/srv/stack/unmount"},
			check: "! grep -q /srv/stack /proc/self/mountinfo",
		},
		{
			name:    "hidden by another one at its place",
			do:      "mkdir /srv/low /srv/lowsrc; mount --bind /srv/lowsrc /srv/low; mount --make-private /srv/low; mount -t tmpfs tmpfs /srv/low",
			state:   host.State{host.Mount{Path: "/srv/low", Source: "/srv/lowsrc", FSType: "none", Options: []string{"bind"}}},
			refused: "tmpfs is mounted there, not /srv/lowsrc",
			undo:    "umount /srv/low; umount /srv/low",
		},
		{
			name:  "hidden by one above",
			do:    "mkdir -p /srv/top/x; mount -t tmpfs tmpfs /srv/top/x; mount -t tmpfs tmpfs /srv/top",
			state: tmpfs("/srv/top/x"),
			plan:  fresh("/srv/top/x"),
			undo:  "umount /srv/top/x; umount /srv/top; umount /srv/top/x",
		},
		{
			name:  "a bind mount that is there",
			do:    "mkdir /srv/b1 /srv/b2; mount --bind /srv/b1 /srv/b2",
			state: host.State{host.Mount{Path: "/srv/b2", Source: "/srv/b1/", FSType: "none", Options: []string{"bind"}}},
			plan:  written("/srv/b2"), check: once("/srv/b2"), undo: "umount /srv/b2",
		},
		{
			name:    "a bind mount of another directory",
			do:      "mkdir /srv/b3 /srv/b4 /srv/b5; mount --bind /srv/b3 /srv/b4",
			state:   host.State{host.Mount{Path: "/srv/b4", Source: "/srv/b5", FSType: "none", Options: []string{"bind"}}},
			refused: "is mounted there, not /srv/b5", undo: "umount /srv/b4",
		},
		{
			name:  "a device that may be absent is",
			state: host.State{host.Mount{Path: "/srv/nofail", Source: "LABEL=nosuch", Options: []string{"nofail"}}},
			plan:  written("/srv/nofail"),
		},
		{
			name:  "a device that must not be absent is",
			state: host.State{host.Mount{Path: "/srv/fail", Source: "LABEL=nosuch"}},
			plan:  fresh("/srv/fail"),
			fails: "LABEL=nosuch",
			undo:  "sed -i /srv.fail/d /etc/fstab",
		},
		{
			name:  "options were added",
			do:    "mkdir /srv/o1; mount -t tmpfs tmpfs /srv/o1; echo 'tmpfs /srv/o1 tmpfs defaults 0 0' >>/etc/fstab",
			state: tmpfs("/srv/o1", "noexec", "nosuid", "size=2M"),
			plan:  []string{"mount:/srv/o1/options", "mount:/srv/o1"},
			check: "findmnt -n -o OPTIONS -O noexec,nosuid,size=2048k /srv/o1",
			undo:  "umount /srv/o1",
		},
		{
			name: "options were removed",
			do: "mkdir /srv/o2; mount -t tmpfs -o noexec,nodev,noatime,size=1M tmpfs /srv/o2\n" +
				"echo 'tmpfs /srv/o2 tmpfs noexec,nodev,noatime,size=1M 0 0' >>/etc/fstab",
			state: tmpfs("/srv/o2", "nodev"),
			plan:  []string{"mount:/srv/o2/options", "mount:/srv/o2"},
			check: "! findmnt -n -o OPTIONS /srv/o2 | grep -e noexec -e noatime -e size; findmnt -n -O nodev /srv/o2",
			undo:  "umount /srv/o2",
		},
		{
			name:  "a size that is no multiple of a page",
			state: tmpfs("/srv/odd-size", "size=1000001"),
			plan:  fresh("/srv/odd-size"),
			undo:  "umount /srv/odd-size",
		},
		{
			name:  "a path that is too long for the name of a unit",
			state: tmpfs("/srv/" + strings.Repeat("long/", 60) + "path"),
			plan:  fresh("/srv/" + strings.Repeat("long/", 60) + "path"),
			undo:  "umount /srv/" + strings.Repeat("long/", 60) + "path",
		},
		{
			name:  "fstab has the options, the mount does not",
			do:    "mkdir /srv/o3; mount -t tmpfs tmpfs /srv/o3; echo 'tmpfs /srv/o3 tmpfs ro 0 0' >>/etc/fstab",
			state: tmpfs("/srv/o3", "ro"), plan: []string{"mount:/srv/o3/options"},
			check: "! touch /srv/o3/x 2>/dev/null", undo: "umount /srv/o3",
		},
		{
			name:    "an option that only a mount sets",
			do:      "mkdir /srv/o4; mount -t tmpfs -o mode=0700 tmpfs /srv/o4",
			state:   tmpfs("/srv/o4", "mode=0755"),
			refused: "the option mode can only change when it is mounted again",
			undo:    "umount /srv/o4",
		},
		{
			name:  "the options of a bind mount",
			do:    "mkdir /srv/o5 /srv/o6; mount --bind /srv/o5 /srv/o6",
			state: host.State{host.Mount{Path: "/srv/o6", Source: "/srv/o5", FSType: "none", Options: []string{"bind", "ro"}}},
			plan:  []string{"mount:/srv/o6/options", "mount:/srv/o6"},
			check: "touch /srv/o5/x; ! touch /srv/o6/x 2>/dev/null",
			undo:  "umount /srv/o6",
		},
		{
			name:    "its unit is masked",
			do:      "systemctl mask srv-masked.mount",
			state:   tmpfs("/srv/masked"),
			refused: "srv-masked.mount is masked",
			undo:    "systemctl unmask srv-masked.mount",
		},
		{
			name: "a unit file decides at boot",
			do: "printf '[Mount]\\nWhat=tmpfs\\nWhere=/srv/own-unit\\nType=tmpfs\\n' " +
				">'/etc/systemd/system/srv-own\\x2dunit.mount'; systemctl daemon-reload",
			state:   tmpfs("/srv/own-unit"),
			refused: "decides what is mounted there at boot, not fstab",
			undo:    "rm '/etc/systemd/system/srv-own\\x2dunit.mount'; systemctl daemon-reload",
		},
		{
			name: "mounted at the first access", kernel: true, needs: "[ -e /dev/autofs ]",
			do: "mkdir /srv/auto; echo 'tmpfs /srv/auto tmpfs x-systemd.automount 0 0' >>/etc/fstab\n" +
				"systemctl daemon-reload; systemctl start srv-auto.automount",
			state: tmpfs("/srv/auto", "x-systemd.automount"),
			check: "grep -q '/srv/auto .*autofs' /proc/self/mountinfo; ls /srv/auto/; grep -q '/srv/auto .*tmpfs' /proc/self/mountinfo",
		},
		{
			name: "to be mounted at the first access", kernel: true, needs: "[ -e /dev/autofs ]",
			state: tmpfs("/srv/auto3", "x-systemd.automount"),
			plan:  fresh("/srv/auto3"),
			check: "grep -q '/srv/auto3 .*autofs' /proc/self/mountinfo; ! grep -q '/srv/auto3 .*tmpfs' /proc/self/mountinfo\n" +
				"ls /srv/auto3/; grep -q '/srv/auto3 .*tmpfs' /proc/self/mountinfo",
			undo: "systemctl stop srv-auto3.automount",
		},
		{
			name:   "mounted at the first access, and accessed",
			kernel: true,
			needs:  "[ -e /dev/autofs ]",
			state:  tmpfs("/srv/auto", "x-systemd.automount"),
			undo:   "systemctl stop srv-auto.automount",
		},
		{
			name:   "mounted at the first access, and wanted at once",
			kernel: true,
			needs:  "[ -e /dev/autofs ]",
			do:     "systemctl start srv-auto.automount",
			state:  tmpfs("/srv/auto", "noexec"),
			plan:   fresh("/srv/auto"),
			check:  once("/srv/auto"),
			undo:   "umount /srv/auto",
		},
		{
			name:   "mounted at the first access, and not wanted",
			kernel: true,
			needs:  "[ -e /dev/autofs ]",
			do: "mkdir /srv/auto2; echo 'tmpfs /srv/auto2 tmpfs x-systemd.automount 0 0' >>/etc/fstab\n" +
				"systemctl daemon-reload; systemctl start srv-auto2.automount; ls /srv/auto2/",
			state: host.State{host.Mount{Path: "/srv/auto2", Absent: true}},
			plan:  []string{"mount:/srv/auto2/unmount", "mount:/srv/auto2"},
			check: "! grep -q /srv/auto2 /proc/self/mountinfo",
		},
	}
}
