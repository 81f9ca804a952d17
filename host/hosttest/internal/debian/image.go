package debian

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

// rootDirs are the directories that root owns with mode 0755.
const rootDirs = `
	/boot/firmware /dev /etc/apt/apt.conf.d /etc/apt/preferences.d /etc/apt/sources.list.d /etc/apt/trusted.gpg.d
	/etc/apt/keyrings /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/cron.weekly /etc/cron.monthly /etc/default
	/etc/modprobe.d /etc/modules-load.d /etc/network/interfaces.d /etc/profile.d /etc/ssh/sshd_config.d
	/etc/ssh/ssh_config.d /etc/ssl/certs /etc/sysctl.d /etc/systemd/system /etc/systemd/network /etc/tmpfiles.d
	/etc/udev/rules.d /home /media /mnt /opt /proc /root /run /srv /sys /usr/bin /usr/sbin /usr/games /usr/include
	/usr/lib/sysctl.d /usr/lib/modules-load.d /usr/lib/systemd/system /usr/lib/tmpfiles.d /usr/local/bin
	/usr/local/sbin /usr/local/etc /usr/local/lib /usr/local/share/ca-certificates /usr/share/doc
	/usr/share/keyrings /usr/share/zoneinfo /usr/src /var/backups /var/cache/apt/archives/partial
	/var/lib/apt/lists/partial /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/systemd/timers /var/log/apt
	/var/opt /var/spool/cron/crontabs /var/local
`

// rootLinks are symbolic links, with what they point to.
var rootLinks = []struct{ path, target string }{
	{"/bin", "usr/bin"},
	{"/sbin", "usr/sbin"},
	{"/lib", "usr/lib"},
	{"/var/run", "/run"},
	{"/var/lock", "/run/lock"},
	{"/etc/mtab", "../proc/self/mounts"},
	{"/etc/os-release", "../usr/lib/os-release"},
	{"/etc/localtime", "/usr/share/zoneinfo/Etc/UTC"},
	{"/usr/share/zoneinfo/UTC", "Etc/UTC"},
	{"/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf"},
	{"/usr/bin/awk", "mawk"},
	{"/var/spool/mail", "../mail"},
	{"/usr/lib/systemd/system/ctrl-alt-del.target", "reboot.target"},
	{"/usr/lib/systemd/system/default.target", "multi-user.target"},
}

// A rootFile is a file that root owns.
type rootFile struct {
	path    string
	mode    uint32
	content string
}

// rootFiles is what the packages put in place that any system has.
var rootFiles = []rootFile{
	{"/etc/subuid", 0o644, ""},
	{"/etc/subgid", 0o644, ""},
	{"/etc/shells", 0o644, "# /etc/shells: valid login shells\n/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n" +
		"/bin/rbash\n/usr/bin/rbash\n/bin/dash\n/usr/bin/dash\n"},
	{"/etc/login.defs", 0o644, "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nSYS_UID_MIN 100\n" +
		"SYS_UID_MAX 999\nUSERGROUPS_ENAB yes\nUMASK 022\n"},
	{"/etc/nsswitch.conf", 0o644, "passwd: files systemd\ngroup: files systemd\nshadow: files systemd\n" +
		"hosts: files mdns4_minimal [NOTFOUND=return] dns\nnetworks: files\nservices: db files\n"},
	{"/etc/services", 0o644, "ssh\t\t22/tcp\ndomain\t\t53/tcp\ndomain\t\t53/udp\nhttp\t\t80/tcp\nntp\t\t123/udp\n" +
		"https\t\t443/tcp\npostgresql\t5432/tcp\n"},
	{"/etc/resolv.conf", 0o644, "nameserver 192.168.1.1\n"},
	{"/etc/environment", 0o644, ""},
	{"/etc/debian_version", 0o644, "12.11\n"},
	{"/etc/issue", 0o644, "Debian GNU/Linux 12 \\n \\l\n\n"},
	{"/etc/profile", 0o644, "PATH=\"/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games\"\nexport PATH\n"},
	{"/etc/default/locale", 0o644, "LANG=C.UTF-8\n"},
	{"/etc/modules", 0o644, "# Kernel modules to load at boot, one a line.\n"},
	{"/etc/sysctl.conf", 0o644, "# Kernel parameters; see also /etc/sysctl.d.\n"},
	{"/usr/lib/sysctl.d/50-default.conf", 0o644,
		"kernel.sysrq = 0x01b6\nnet.ipv4.conf.default.rp_filter = 2\n-net.ipv4.ping_group_range = 0 2147483647\n" +
			"fs.protected_hardlinks = 1\nfs.protected_symlinks = 1\nfs.protected_regular = 2\n" +
			"fs.protected_fifos = 1\n"},
	{"/usr/lib/os-release", 0o644,
		"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n" +
			"VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n" +
			"SUPPORT_URL=\"https://www.debian.org/support\"\nBUG_REPORT_URL=\"https://bugs.debian.org/\"\n"},
	{"/etc/ssh/sshd_config", 0o644,
		"Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\n" +
			"PrintMotd no\nAcceptEnv LANG LC_*\nSubsystem\tsftp\t/usr/lib/openssh/sftp-server\n"},
	{"/etc/ssh/ssh_config", 0o644,
		"Include /etc/ssh/ssh_config.d/*.conf\nHost *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n"},
	{"/etc/crontab", 0o644, "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n" +
		"17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n"},
	{"/etc/sudoers", 0o440, "Defaults\tenv_reset\nDefaults\tmail_badpass\n" +
		"Defaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n" +
		"Defaults\tuse_pty\n\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n\n@includedir /etc/sudoers.d\n"},
	{"/etc/ca-certificates.conf", 0o644, "mozilla/ISRG_Root_X1.crt\n"},
	{"/etc/ssl/certs/ca-certificates.crt", 0o644, ""},
	{"/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt", 0o644,
		"-----BEGIN CERTIFICATE-----\nSVNSRyBSb290IFgx\n-----END CERTIFICATE-----\n"},
	{"/etc/skel/.bash_logout", 0o644, "# ~/.bash_logout: executed by bash(1) when login shell exits.\n"},
	{"/etc/skel/.bashrc", 0o644, "# ~/.bashrc: executed by bash(1) for non-login shells.\n"},
	{"/etc/skel/.profile", 0o644, "# ~/.profile: executed by the command interpreter for login shells.\n"},
	{"/root/.bashrc", 0o644, ""},
	{"/root/.profile", 0o644, "mesg n 2> /dev/null || true\n"},
}

// packageFiles belong to dpkg and APT.
var packageFiles = []rootFile{
	{"/etc/apt/sources.list", 0o644,
		"deb http://deb.debian.test/debian bookworm main contrib non-free non-free-firmware\n" +
			"deb http://deb.debian.test/debian-security/ bookworm-security main contrib non-free non-free-firmware\n" +
			"deb http://deb.debian.test/debian bookworm-updates main contrib non-free non-free-firmware\n"},
	{"/etc/apt/sources.list.d/raspi.list", 0o644, "deb http://archive.raspberrypi.test/debian/ bookworm main\n"},
	{"/var/lib/dpkg/lock", 0o640, ""},
	{"/var/lib/dpkg/lock-frontend", 0o640, ""},
	{"/var/lib/apt/lists/lock", 0o640, ""},
	{"/var/cache/apt/archives/lock", 0o640, ""},
	{"/var/lib/apt/extended_states", 0o644, ""},
	{"/var/lib/dpkg/diversions", 0o644, ""},
	{"/var/lib/dpkg/statoverride", 0o644, ""},
	{"/var/log/dpkg.log", 0o644, ""},
	{"/var/log/apt/history.log", 0o644, ""},
}

// timeZones are those that a machine knows.
var timeZones = []string{
	"Etc/UTC", "Etc/GMT", "Europe/Paris", "Europe/London", "Europe/Berlin", "America/New_York", "Asia/Tokyo",
	"Australia/Sydney",
}

func rootImage(arch string, bins map[string]string) *kernel.Image {
	b := kernel.NewBuilder()
	addDirs(b)
	for _, l := range rootLinks {
		b.Link(l.path, l.target)
	}
	addAccounts(b)
	for _, f := range slices.Concat(rootFiles, packageFiles) {
		b.File(f.path, f.mode, f.content)
	}
	for _, z := range timeZones {
		b.File("/usr/share/zoneinfo/"+z, 0o644, "TZif2 "+z+"\n")
	}
	addPrograms(b, bins)
	addUnits(b)
	b.File("/var/lib/dpkg/status", 0o644, apt.BaseStatus(arch))
	for name, files := range apt.BaseLists(arch) {
		b.File("/var/lib/dpkg/info/"+name+".list", 0o644, files)
	}
	return b.Image()
}

func addDirs(b *kernel.Builder) {
	for d := range strings.FieldsSeq(rootDirs) {
		b.Dir(d, 0)
	}
	b.Dir("/tmp", 0o1777)
	b.Dir("/var/tmp", 0o1777)
	b.Dir("/root", 0o700)
	b.Dir("/lost+found", 0o700)
	b.Dir("/var/mail", 0o2775).GID = 8
	b.Dir("/var/local", 0o2775).GID = 50
	b.Dir("/etc/sudoers.d", 0o750)
	b.Dir("/var/spool/cron/crontabs", 0o1730).GID = 101
	b.Dir("/etc/ssl/private", 0o710).GID = 104
	b.Dir("/var/lib/private", 0o700)
	b.Dir("/usr/lib/modules", 0)
}

// addAccounts writes the tables of users and groups, of whom none can log in by password.
func addAccounts(b *kernel.Builder) {
	b.File("/etc/passwd", 0o644, basePasswd)
	b.File("/etc/group", 0o644, baseGroup)
	shadow, gshadow := "", ""
	for line := range strings.Lines(basePasswd) {
		name, _, _ := strings.Cut(line, ":")
		shadow += name + ":*:20221:0:99999:7:::\n"
	}
	for line := range strings.Lines(baseGroup) {
		name, _, _ := strings.Cut(line, ":")
		gshadow += name + ":*::\n"
	}
	b.File("/etc/shadow", 0o640, shadow).GID = 42
	b.File("/etc/gshadow", 0o640, gshadow).GID = 42
}

// addPrograms writes the executables; bins gives the directory of each, /usr/bin where it is empty.
func addPrograms(b *kernel.Builder, bins map[string]string) {
	for name, dir := range bins {
		if dir == "" {
			dir = "/usr/bin"
		}
		mode := uint32(0o755)
		switch name {
		case "sudo", "su", "mount", "umount", "passwd", "gpasswd", "newgrp", "chsh":
			mode = 0o4755
		case "chage":
			mode = 0o2755
		}
		b.File(dir+"/"+name, mode, string(kernel.Binary(name)))
	}
	for _, d := range systemd.BaseDaemons {
		b.File(d, 0o755, string(kernel.Binary(d[strings.LastIndexByte(d, '/')+1:])))
	}
}

func addUnits(b *kernel.Builder) {
	for name, text := range systemd.BaseUnits() {
		b.File("/usr/lib/systemd/system/"+name, 0o644, text)
	}
	for _, l := range systemd.BaseUnitLinks {
		path, target, _ := strings.Cut(l, " ")
		b.Link(path, target)
	}
}

const basePasswd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
systemd-network:x:998:998:systemd Network Management:/:/usr/sbin/nologin
systemd-timesync:x:997:997:systemd Time Synchronization:/:/usr/sbin/nologin
messagebus:x:100:102::/nonexistent:/usr/sbin/nologin
sshd:x:102:65534::/run/sshd:/usr/sbin/nologin
`

const baseGroup = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
lp:x:7:
mail:x:8:
news:x:9:
uucp:x:10:
man:x:12:
proxy:x:13:
kmem:x:15:
dialout:x:20:
fax:x:21:
voice:x:22:
cdrom:x:24:
floppy:x:25:
tape:x:26:
sudo:x:27:
audio:x:29:
dip:x:30:
www-data:x:33:
backup:x:34:
operator:x:37:
list:x:38:
irc:x:39:
src:x:40:
shadow:x:42:
utmp:x:43:
video:x:44:
sasl:x:45:
plugdev:x:46:
staff:x:50:
games:x:60:
users:x:100:
nogroup:x:65534:
crontab:x:101:
messagebus:x:102:
_ssh:x:103:
ssl-cert:x:104:
gpio:x:986:
i2c:x:987:
spi:x:988:
netdev:x:105:
systemd-journal:x:999:
systemd-network:x:998:
systemd-timesync:x:997:
`

func bootImage() *kernel.Image {
	b := kernel.NewBuilder()
	b.Dir("/overlays", 0o755)
	b.File("/config.txt", 0o755, "dtparam=audio=on\nauto_initramfs=1\narm_64bit=1\n\n[all]\n")
	b.File("/kernel_2712.img", 0o755, "kernel")
	return b.Image()
}
