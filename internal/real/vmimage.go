package real

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/crypto/ssh"
)

// The recipe of the image of virtual machines is the source of the files that build it.
//
//go:embed vmimage.go
var vmImageSource string

// vmPackages are, besides a Debian with a kernel of its own, what Longhorn and NFS need, and a target for iSCSI. They are
// installed in the image, since that takes minutes in an emulated machine.
const vmPackages = "systemd,systemd-sysv,dbus,udev,kmod,openssh-server,sudo,curl,iproute2,procps,e2fsprogs,netbase,tzdata," +
	"initramfs-tools,zstd,open-iscsi,nfs-common,nfs-kernel-server,cryptsetup,dmsetup,tgt,linux-image-cloud-amd64"

// vmImage returns the directory with what a virtual machine boots: disk.img, vmlinuz, initrd.img, and the keys id_pi and
// ssh_host_ed25519_key. Its first use builds it, which takes one to three minutes.
func vmImage(ctx context.Context) (string, error) {
	sources := hostSources()
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", runtime.GOARCH, vmImageSource, imageSource)
	for _, s := range sources {
		b, err := os.ReadFile(s)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\x00", b)
	}
	return cached(ctx, "vm", fmt.Sprintf("%x", h.Sum(nil)[:8]), func(dir string) error {
		root := filepath.Join(dir, "root")
		// The initrd has only what finds the root file system: an emulated machine takes long to unpack it.
		hook := `set -e; mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/lab"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$1/usr/share/initramfs-tools/modules.d/lab"`
		args := append(mmdebstrapArgs(ctx, vmPackages), "--essential-hook="+hook, "bookworm", root)
		if err := run(ctx, "mmdebstrap", append(args, sources...)...); err != nil {
			return err
		}
		if err := customiseVM(ctx, dir, root); err != nil {
			return err
		}
		if err := run(ctx, "mke2fs", "-q", "-t", "ext4", "-d", root, filepath.Join(dir, "disk.img"), "2500M"); err != nil {
			return err
		}
		return os.RemoveAll(root)
	})
}

// vmImageIfAny builds the image where virtual machines can run.
func vmImageIfAny(ctx context.Context) (string, error) {
	if vmNeeds() != "" {
		return "", nil
	}
	return vmImage(ctx)
}

// customiseVM turns a Debian root file system into that of a virtual machine.
func customiseVM(ctx context.Context, dir, root string) error {
	for _, c := range [][]string{
		{"useradd", "--create-home", "--uid", "1000", "--shell", "/bin/bash", "--groups", "sudo", "pi"},
		{"systemctl", "enable", "systemd-networkd"},
		{"systemctl", "disable", "nfs-server", "nfs-blkmap", "tgt"}, // tests start what they need
		{"rm", "-f", "/etc/machine-id"},                             // each boot of the image makes its own
	} {
		if _, err := capture(ctx, "", "chroot", append([]string{root}, c...)...); err != nil {
			return err
		}
	}
	// What nobody waits for only takes time.
	for _, unit := range []string{"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
		"e2scrub_reap.service", "fstrim.timer", "getty@tty1.service", "serial-getty@ttyS0.service",
		"systemd-networkd-wait-online.service"} {
		if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system", unit)); err != nil {
			return err
		}
	}
	key, err := newKey(filepath.Join(dir, "id_pi"))
	if err == nil {
		_, err = newKey(filepath.Join(dir, "ssh_host_ed25519_key"))
	}
	if err != nil {
		return err
	}
	hostKey, err := os.ReadFile(filepath.Join(dir, "ssh_host_ed25519_key"))
	if err != nil {
		return err
	}
	authorized := "home/pi/.ssh/authorized_keys"
	for _, f := range []struct {
		name, content string
		mode          os.FileMode
	}{
		{"etc/hostname", "pi1\n", 0o644},
		{"etc/hosts", "127.0.0.1\tlocalhost pi1\n", 0o644},
		{"etc/fstab", "/dev/vda / ext4 defaults 0 1\n", 0o644},
		{"etc/sudoers.d/010_pi-nopasswd", "pi ALL=(ALL) NOPASSWD: ALL\n", 0o440},
		{"etc/ssh/sshd_config.d/lab.conf", "HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n", 0o644},
		{"etc/ssh/ssh_host_ed25519_key", string(hostKey), 0o600},
		{"etc/systemd/network/lab.network", "[Match]\nName=e*\n[Network]\nDHCP=yes\n", 0o644},
		{authorized, string(ssh.MarshalAuthorizedKey(key.PublicKey())), 0o600},
	} {
		if err := writeFile(filepath.Join(root, f.name), f.content, f.mode); err != nil {
			return err
		}
	}
	for _, p := range []string{filepath.Dir(authorized), authorized} {
		if err := os.Chown(filepath.Join(root, p), 1000, 1000); err != nil {
			return err
		}
	}
	if err := parkSources(root); err != nil {
		return err
	}
	var errs []error
	for pattern, name := range map[string]string{"vmlinuz-*": "vmlinuz", "initrd.img-*": "initrd.img"} {
		found, err := filepath.Glob(filepath.Join(root, "boot", pattern))
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("%d files are %s", len(found), pattern)
		}
		if err == nil {
			err = copyFile(found[0], filepath.Join(dir, name))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
