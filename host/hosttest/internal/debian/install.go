package debian

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

// A Config is what makes a machine this one.
type Config struct {
	Hostname       string
	Timezone       string
	Cmdline        string // empty means what Raspberry Pi OS ships
	User           string // the login user
	Password       string // of User; empty locks it
	SudoPassword   string // what sudo asks User for; empty means NOPASSWD
	AuthorizedKeys []ssh.PublicKey
	HostKeys       []ssh.PublicKey
}

// New makes a machine on which Debian is installed and that is not booted yet.
func New(hw kernel.Config, cfg Config) *kernel.Kernel {
	r := bookworm()
	hw.Root, hw.Boot, hw.Programs = r.root[hw.Arch], r.boot, r.programs
	k := kernel.New(hw)
	apt.SetArchive(k, packages())
	personalise(k, cfg)
	return k
}

// Start is what happens after the kernel has booted, until all is up that the default target wants.
func Start(k *kernel.Kernel) {
	bootConfig(k)
	systemd.Start(k)
}

// personalise puts on a new machine what makes it this one.
func personalise(m *kernel.Kernel, cfg Config) {
	put := func(path string, perm uint32, s string) { m.Install(path, perm, []byte(s)) }
	h := cfg.Hostname
	put("/etc/hostname", 0o644, h+"\n")
	put("/etc/hosts", 0o644, "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n"+
		"ff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n\n127.0.1.1\t"+h+"\n")
	put("/etc/machine-id", 0o444, strings.ReplaceAll(kernel.NewUUID(), "-", "")+"\n")
	put("/etc/timezone", 0o644, cfg.Timezone+"\n")
	put("/boot/firmware/cmdline.txt", 0o755, bootCmdline(m, cfg)+"\n")
	put("/etc/fstab", 0o644, fstab(m))
	if cfg.Timezone != "Etc/UTC" {
		f := m.FS()
		put("/usr/share/zoneinfo/"+cfg.Timezone, 0o644, "TZif2 "+cfg.Timezone+"\n")
		f.Remove("/etc/localtime")
		f.Symlink("/usr/share/zoneinfo/"+cfg.Timezone, "/etc/localtime")
	}
	for _, k := range cfg.HostKeys {
		name := strings.TrimPrefix(k.Type(), "ssh-")
		if strings.HasPrefix(name, "ecdsa") {
			name = "ecdsa"
		}
		put("/etc/ssh/ssh_host_"+name+"_key.pub", 0o644, string(ssh.MarshalAuthorizedKey(k)))
	}
	addUser(m, cfg)
	addAuthorizedKeys(m, cfg)
}

func fstab(m *kernel.Kernel) string {
	text := "proc            /proc           proc    defaults          0       0\n"
	for _, d := range m.Disks {
		for _, p := range d.Parts {
			switch {
			case p.MountAt == "/":
				text += "PARTUUID=" + p.PARTUUID + "  /               ext4    defaults,noatime  0       1\n"
			case p.MountAt == "/boot/firmware":
				text += "PARTUUID=" + p.PARTUUID + "  /boot/firmware  vfat    defaults          0       2\n"
			case p.MountAt != "":
				text += "UUID=" + p.UUID + " " + p.MountAt + " " + p.FSType + " defaults,noatime,nofail 0 2\n"
			}
		}
	}
	return text
}

// addUser makes the user that people log in as, with what Raspberry Pi OS gives the first one. For root it sets the
// password.
func addUser(m *kernel.Kernel, cfg Config) {
	u := cfg.User
	if u == "root" {
		if cfg.Password == "" {
			return
		}
		b, _ := m.FS().ReadFile("/etc/shadow")
		m.FS().WriteFile("/etc/shadow",
			[]byte(strings.Replace(string(b), "root:*:", "root:"+libc.ShadowHash(cfg.Password)+":", 1)))
		return
	}
	f := m.FS()
	add := func(path, line string) {
		b, _ := f.ReadFile(path)
		f.WriteFile(path, append(b, line...))
	}
	hash := "!"
	if p := cfg.Password; p != "" {
		hash = libc.ShadowHash(p)
	} else if p := cfg.SudoPassword; p != "" {
		hash = libc.ShadowHash(p)
	}
	add("/etc/passwd", u+":x:1000:1000:,,,:/home/"+u+":/bin/bash\n")
	add("/etc/shadow", u+":"+hash+":20221:0:99999:7:::\n")
	add("/etc/group", u+":x:1000:\n")
	add("/etc/gshadow", u+":!::\n")
	b, _ := f.ReadFile("/etc/group")
	text := string(b)
	for _, g := range []string{"adm", "dialout", "cdrom", "sudo", "audio", "video", "plugdev", "games", "users",
		"netdev", "gpio", "i2c", "spi"} {
		text = addMember(text, g, u)
	}
	f.WriteFile("/etc/group", []byte(text))
	f.MkdirAll("/home/" + u + "/.ssh")
	f.Chown("/home/"+u, 1000, 1000)
	f.Chmod("/home/"+u, 0o700)
	f.Chown("/home/"+u+"/.ssh", 1000, 1000)
	f.Chmod("/home/"+u+"/.ssh", 0o700)
	if cfg.SudoPassword == "" {
		m.Install("/etc/sudoers.d/010_pi-nopasswd", 0o440, []byte(u+" ALL=(ALL) NOPASSWD: ALL\n"))
	}
}

func addAuthorizedKeys(m *kernel.Kernel, cfg Config) {
	u := cfg.User
	home := "/home/" + u
	id := 1000
	if u == "root" {
		home, id = "/root", 0
		m.FS().MkdirAll("/root/.ssh")
		m.FS().Chmod("/root/.ssh", 0o700)
	}
	var keys strings.Builder
	for _, k := range cfg.AuthorizedKeys {
		keys.Write(ssh.MarshalAuthorizedKey(k))
	}
	m.Install(home+"/.ssh/authorized_keys", 0o600, []byte(keys.String()))
	m.FS().Chown(home+"/.ssh/authorized_keys", id, id)
}

// addMember adds a user to a group of an /etc/group text.
func addMember(text, group, user string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, group+":") {
			l = strings.TrimSuffix(l, "\n")
			if !strings.HasSuffix(l, ":") {
				l += ","
			}
			lines[i] = l + user + "\n"
		}
	}
	return strings.Join(lines, "")
}

func bootCmdline(k *kernel.Kernel, cfg Config) string {
	if cfg.Cmdline != "" {
		return strings.TrimSuffix(cfg.Cmdline, "\n")
	}
	return fmt.Sprintf("console=serial0,115200 console=tty1 root=PARTUUID=%s rootfstype=ext4 fsck.repair=yes "+
		"rootwait cfg80211.ieee80211_regdom=FR", k.RootPart().PARTUUID)
}
