package real

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// The recipe of the machines' root file system is the source of the two files
// that build it: a change of either of them causes a rebuild.
var (
	//go:embed image.go
	imageSource string
	//go:embed debs.go
	debsSource string
)

// SudoUser is a user of every machine for whom, unlike for pi, sudo asks for
// SudoPassword. The machine's key logs in as either.
const (
	SudoUser     = "ops"
	SudoPassword = "correct horse"
)

// imagePackages are the packages of Raspberry Pi OS Lite that the lab uses. Python
// is there for Ansible, with which benchmarks compare; this module does not use
// it.
const imagePackages = "systemd,systemd-sysv,systemd-timesyncd,dbus,udev,kmod,openssh-server,sudo,ca-certificates," +
	"iproute2,iptables,nftables,procps,curl,e2fsprogs,xfsprogs,dosfstools,fdisk,parted,netbase,iputils-ping,less," +
	"cron,tzdata,python3-minimal,python3-apt"

// image returns the machines' root file system. Its first use builds it, which
// takes one to three minutes.
func image(ctx context.Context) (string, error) {
	sources := hostSources()
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", runtime.GOARCH, imageSource, debsSource)
	for _, s := range sources {
		b, err := os.ReadFile(s)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\x00", b)
	}
	return cached(ctx, "machines", fmt.Sprintf("%x", h.Sum(nil)[:8]), func(dir string) error {
		return buildImage(ctx, dir, sources)
	})
}

// hostSources returns the apt sources of this machine if it is the same Debian
// release. Without any, mmdebstrap uses the release's own.
func hostSources() []string {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(release), "VERSION_CODENAME=bookworm") {
		return nil
	}
	for _, f := range []string{"/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"} {
		if st, err := os.Stat(f); err == nil && st.Size() > 0 {
			return []string{f}
		}
	}
	return nil
}

func buildImage(ctx context.Context, root string, sources []string) error {
	if err := run(ctx, "mmdebstrap", append(append(mmdebstrapArgs(ctx, imagePackages), "bookworm", root),
		sources...)...); err != nil {
		return err
	}
	return customise(ctx, root)
}

// mmdebstrapArgs returns options for a small Debian with the packages.
func mmdebstrapArgs(ctx context.Context, packages string) []string {
	args := []string{
		"--quiet", "--mode=root", "--format=directory", "--variant=minbase", "--include=" + packages,
		"--aptopt=Acquire::Check-Valid-Until \"false\"", // the clock may be wrong, and a mirror outdated
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
	}
	for _, key := range []string{"Acquire::http::Proxy", "Acquire::https::Proxy"} {
		if v, err := capture(ctx, "", "apt-config", "shell", "v", key); err == nil {
			if _, proxy, ok := strings.Cut(strings.TrimSpace(v), "v="); ok {
				args = append(args, fmt.Sprintf("--aptopt=%s \"%s\"", key, strings.Trim(proxy, "'")))
			}
		}
	}
	return args
}

// customise turns a Debian root file system into that of a test machine.
func customise(ctx context.Context, root string) error {
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"useradd", "--create-home", "--uid", "1000", "--shell", "/bin/bash", "--groups", "adm,sudo", "pi"}},
		{"", []string{"useradd", "--create-home", "--uid", "1001", "--shell", "/bin/bash", "--groups", "sudo", SudoUser}},
		{SudoUser + ":" + SudoPassword + "\n", []string{"chpasswd"}},
	} {
		if _, err := capture(ctx, c.stdin, "chroot", append([]string{root}, c.args...)...); err != nil {
			return err
		}
	}
	keys, err := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*"))
	if err != nil {
		return err
	}
	for _, k := range append(keys, filepath.Join(root, "etc/machine-id")) { // each machine gets its own
		if err := os.Remove(k); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"etc/sudoers.d/010_pi-nopasswd":  "pi ALL=(ALL) NOPASSWD: ALL\n",
		"etc/ssh/sshd_config.d/lab.conf": "HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n",
		"boot/firmware/cmdline.txt": "console=serial0,115200 console=tty1 root=PARTUUID=5ba1b2d0-02 " +
			"rootfstype=ext4 fsck.repair=yes rootwait\n",
		// apt uses only the local repository, so that apt-get update needs no
		// network. EnableDebian adds the others.
		"etc/apt/sources.list.d/lab-test.list": "deb [trusted=yes] file:/srv/lab-apt ./\n",
	} {
		if err := writeFile(filepath.Join(root, name), content, 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(root, "etc/sudoers.d/010_pi-nopasswd"), 0o440); err != nil {
		return err
	}
	// The kernel is this machine's: there are no modules to load, and no console to
	// log in on.
	for _, unit := range []string{"systemd-modules-load.service", "getty@tty1.service", "console-getty.service"} {
		if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system", unit)); err != nil {
			return err
		}
	}
	if err := parkSources(root); err != nil {
		return err
	}
	if err := writeRepository(ctx, filepath.Join(root, "srv/lab-apt")); err != nil {
		return err
	}
	return run(ctx, "chroot", root, "apt-get", "update", "-qq")
}

// parkedSources is the directory for the sources of Debian's own repositories, until
// EnableDebian.
const parkedSources = "usr/share/lab/apt-sources"

// parkSources moves Debian's apt sources to where apt does not read them.
func parkSources(root string) error {
	parked := filepath.Join(root, parkedSources)
	if err := os.MkdirAll(parked, 0o755); err != nil {
		return err
	}
	for _, pattern := range []string{"etc/apt/sources.list", "etc/apt/sources.list.d/*"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, f := range found {
			if filepath.Base(f) == "lab-test.list" || !isRegular(f) {
				continue
			}
			if err := os.Rename(f, filepath.Join(parked, strings.TrimPrefix(filepath.Base(f), "0000"))); err != nil {
				return err
			}
		}
	}
	return nil
}
