package apt

import (
	"fmt"
	"strings"
)

// BasePackages is what Raspberry Pi OS Lite (Debian 12) has installed, as far as labs look at it: name, version,
// section, priority, flags (e: essential, s: Multi-Arch same, f: foreign, a: architecture all).
const BasePackages = `adduser 3.134 admin important fa
apt 2.6.1 admin required
avahi-daemon 0.8-10+deb12u1 net optional f
base-files 12.4+deb12u11 admin required ef
base-passwd 3.6.1 admin required ef
bash 5.2.15-2+b8 shells required ef
bsdutils 1:2.38.1-5+deb12u3 utils required ef
ca-certificates 20230311+deb12u1 misc standard fa
coreutils 9.1-1 utils required ef
cron 3.0pl1-162 admin important f
cron-daemon-common 3.0pl1-162 admin important fa
curl 7.88.1-10+deb12u12 web optional f
dash 0.5.12-2 shells required ef
dbus 1.14.10-1~deb12u1 admin standard f
debconf 1.5.82 admin required fa
debianutils 5.7-0.5~deb12u1 utils required ef
diffutils 1:3.8-4 utils required e
dphys-swapfile 20100506-7.1+rpt3 utils optional f
dpkg 1.21.22 admin required ef
e2fsprogs 1.47.0-2 admin required f
fake-hwclock 0.12+nmu1 admin optional fa
fdisk 2.38.1-5+deb12u3 utils important f
findutils 4.9.0-4 utils required ef
gpgv 2.2.40-1.1 utils important f
grep 3.8-5 utils required ef
gzip 1.12-1 utils required e
hostname 3.23+nmu1 admin required e
init-system-helpers 1.65.2 admin required efa
iproute2 6.1.0-3 net important f
iptables 1.8.9-2 net optional f
kmod 30+20221128-1 admin important f
libc-bin 2.36-9+rpt2+deb12u10 libs required ef
libc6 2.36-9+rpt2+deb12u10 libs optional s
libgcc-s1 12.2.0-14+deb12u1 libs optional s
libpam-modules 1.5.2-6+deb12u1 admin required s
libssl3 3.0.16-1~deb12u1 libs optional s
libsystemd0 252.38-1~deb12u1 libs optional s
locales 2.36-9+rpt2+deb12u10 localization standard fa
login 1:4.13+dfsg1-1+deb12u1 admin required ef
logrotate 3.21.0-1 admin important f
mawk 1.3.4.20200120-3.1 interpreters required f
mount 2.38.1-5+deb12u3 admin required f
network-manager 1.42.4-1+rpt1+deb12u1 net optional f
openssh-client 1:9.2p1-2+deb12u6 net standard f
openssh-server 1:9.2p1-2+deb12u6 net optional f
openssl 3.0.16-1~deb12u1 utils optional f
parted 3.5-3 admin optional f
passwd 1:4.13+dfsg1-1+deb12u1 admin required f
perl-base 5.36.0-7+deb12u2 perl required e
procps 2:4.0.2-3 admin important f
raspberrypi-sys-mods 20250415 admin optional a
raspi-config 20250410 utils optional fa
sed 4.9-1 utils required ef
ssl-cert 1.1.2 utils optional fa
sudo 1.9.13p3-1+deb12u1 admin optional f
systemd 252.38-1~deb12u1 admin important f
systemd-sysv 252.38-1~deb12u1 admin important f
systemd-timesyncd 252.38-1~deb12u1 admin standard f
sysvinit-utils 3.06-4 admin required ef
tar 1.34+dfsg-1.2+deb12u1 utils required ef
tzdata 2025b-0+deb12u1 localization required fa
udev 252.38-1~deb12u1 admin important f
util-linux 2.38.1-5+deb12u3 utils required ef
wget 1.21.3-1+deb12u1 web standard f
zlib1g 1:1.2.13.dfsg-1 libs optional s
`

func BaseStatus(arch string) string {
	var b strings.Builder
	for line := range strings.Lines(BasePackages) {
		f := strings.Fields(line)
		flags := ""
		if len(f) > 4 {
			flags = f[4]
		}
		a := arch
		if strings.Contains(flags, "a") {
			a = "all"
		}
		fmt.Fprintf(&b, "Package: %s\n", f[0])
		if strings.Contains(flags, "e") {
			b.WriteString("Essential: yes\n")
		}
		fmt.Fprintf(&b, "Status: install ok installed\nPriority: %s\nSection: %s\nInstalled-Size: 512\n"+
			"Maintainer: Debian Developers <debian-devel@lists.debian.org>\nArchitecture: %s\n", f[3], f[2], a)
		switch {
		case strings.Contains(flags, "s"):
			b.WriteString("Multi-Arch: same\n")
		case strings.Contains(flags, "f"):
			b.WriteString("Multi-Arch: foreign\n")
		}
		fmt.Fprintf(&b, "Version: %s\nDescription: %s of the base system\n\n", f[1], f[0])
	}
	return b.String()
}

// BaseLists says which files belong to some packages of the base.
func BaseLists(string) map[string]string {
	return map[string]string{
		"coreutils":      "/.\n/usr\n/usr/bin\n/usr/bin/stat\n/usr/bin/cat\n/usr/bin/sha256sum\n",
		"cron":           "/.\n/etc\n/etc/crontab\n/usr/sbin\n/usr/sbin/cron\n/lib/systemd/system/cron.service\n",
		"openssh-server": "/.\n/etc\n/etc/ssh\n/usr/sbin\n/usr/sbin/sshd\n/lib/systemd/system/ssh.service\n",
		"sudo":           "/.\n/etc/sudoers\n/usr/bin/sudo\n/usr/sbin/visudo\n",
		"passwd":         "/.\n/usr/sbin/useradd\n/usr/sbin/usermod\n",
	}
}
