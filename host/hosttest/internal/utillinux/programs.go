package utillinux

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs are util-linux, e2fsprogs, xfsprogs, fdisk, procps, kmod, iproute2 and a few small ones. A name without a slash is
// below /usr/bin.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		// processes
		"env": cmdEnv, "setsid": cmdSetsid, "flock": cmdFlock, "nohup": cmdNohup, "timeout": cmdTimeout, "sleep": cmdSleep,
		"su": cmdRunuser, "setpriv": cmdSetpriv, "/usr/sbin/runuser": cmdRunuser, "ps": cmdPs, "pgrep": cmdPgrep,
		"pkill": cmdPgrep, "yes": cmdYes, "which": cmdWhich,

		// disks and file systems
		"lsblk": cmdLsblk, "/usr/sbin/blkid": cmdBlkid, "/usr/sbin/findfs": cmdFindfs, "/usr/sbin/wipefs": cmdWipefs,
		"/usr/sbin/blockdev": cmdBlockdev,
		"udevadm":            cmdUdevadm, "/usr/sbin/sfdisk": cmdSfdisk, "/usr/sbin/mkswap": cmdMkswap,
		"/usr/sbin/mkfs.ext4": cmdMke2fs, "/usr/sbin/mkfs.xfs": cmdMkfsXFS, "/usr/sbin/e2fsck": cmdE2fsck, "/usr/sbin/fsck.ext4": cmdE2fsck,
		"unshare": cmdUnshare, "chattr": cmdChattr, "lsattr": cmdLsattr, "mount": cmdMount, "umount": cmdUmount, "findmnt": cmdFindmnt,
		"mountpoint": cmdMountpoint, "/usr/sbin/swapon": cmdSwapon, "/usr/sbin/swapoff": cmdSwapoff,

		// the machine
		"uname": cmdUname, "arch": cmdArch, "hostname": cmdHostname, "uptime": cmdUptime, "nproc": cmdNproc,
		"/usr/sbin/sysctl": cmdSysctl, "/usr/lib/systemd/systemd-sysctl": cmdSystemdSysctl,
		"/usr/sbin/modprobe": cmdModprobe, "/usr/sbin/lsmod": cmdLsmod,
		"/usr/sbin/ip": cmdIP, "ss": cmdSs, "/usr/sbin/iptables": cmdIptables,
		"/usr/sbin/update-ca-certificates": cmdUpdateCA,
	}
}

func cmdArch(p *kernel.Process) int {
	p.Print(p.Kernel.Machine(), "\n")
	return 0
}
