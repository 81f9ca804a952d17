package utillinux_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestMountTools(t *testing.T) {
	cfg := hosttest.Config{Disks: []hosttest.Disk{{Serial: "D1", Size: 1 << 30,
		Partitions: []hosttest.Partition{{FSType: "ext4", Label: "data", UUID: "c353c779-b6fd-4ed7-bf10-bdb5b51630e5",
			Files: map[string]string{"a/f": "x"}}}}}}
	const note = "       dmesg(1) may have more information after failed mount system call.\n"
	runCases(t, cfg, []shellCase{
		{"label", "mount LABEL=data /mnt; cat /mnt/a/f; echo; " +
			"findmnt -n -r -o SOURCE,TARGET,FSTYPE,OPTIONS,UUID,LABEL /mnt; mountpoint -q /mnt && umount -v -- /mnt; " +
			"mountpoint /mnt; echo $?",
			"x\n/dev/sda1 /mnt ext4 rw,relatime c353c779-b6fd-4ed7-bf10-bdb5b51630e5 data\n" +
				"umount: /mnt (/dev/sda1) unmounted\n/mnt is not a mountpoint\n32\n"},
		{"fstab", "mkdir -p /srv/a; echo 'LABEL=data /srv/a ext4 defaults,noatime 0 2' >>/etc/fstab; " +
			"mount -- /srv/a; findmnt -n -o OPTIONS /srv/a; mount /srv/a; echo $?; umount /srv/a; mount -a; echo $?; " +
			"umount /dev/sda1; echo $?; mount LABEL=data; findmnt -n -o TARGET LABEL=data",
			"rw,noatime\nmount: /srv/a: /dev/sda1 already mounted on /srv/a.\n" + note + "32\n0\n0\n/srv/a\n"},
		{"bind", "mkdir -p /x/y /z; mount --bind /x /z; findmnt -n -o SOURCE,FSROOT /z; findmnt -n -v -o SOURCE /z; " +
			"[ -d /z/y ]; echo $?; umount /z; rmdir /z; echo $?", "/dev/mmcblk0p2[/x] /x\n/dev/mmcblk0p2\n0\n0\n"},
		{"tmpfs", "mount -t tmpfs -o size=1M,mode=0700 none /mnt; echo a >/mnt/f; findmnt -n -o SOURCE,FSTYPE /mnt; " +
			"stat -c %a /mnt; mount -o remount,ro /mnt; echo b >/mnt/f; mount -o remount,rw /mnt; echo b >/mnt/f; " +
			"cat /mnt/f; (cd /mnt && umount /mnt); echo $?; umount -l /mnt; ls /mnt",
			"none   tmpfs\n700\nsh: 1: cannot create /mnt/f: Read-only file system\nb\n" +
				"umount: /mnt: target is busy.\n32\n"},
		{"errors", "mount -- /nosuch; echo $?; mount /dev/nosuch /mnt; echo $?; mount LABEL=zz /mnt; echo $?; " +
			"umount -- /nosuch; echo $?; umount /mnt; echo $?; mount a b c; echo $?; umount; echo $?; mount --foo; " +
			"echo $?; umount -Z; echo $?; mount -t foo none /mnt; echo $?; mount -t nfs4 h:/x /mnt; echo $?; " +
			"mount -o remount,ro /nosuch; echo $?; mount -o remount /etc; echo $?; mount --bind /nosuch /mnt; " +
			"echo $?; mount --bind /tmp /nosuch; echo $?; umount -q /mnt; echo $?",
			"mount: /nosuch: can't find in /etc/fstab.\n1\nmount: /mnt: special device /dev/nosuch does not exist.\n" +
				note + "32\nmount: /mnt: can't find LABEL=zz.\n1\numount: /nosuch: no mount point specified.\n32\n" +
				"umount: /mnt: not mounted.\n32\n" +
				"mount: bad usage\nTry 'mount --help' for more information.\n1\numount: bad usage\n" +
				"Try 'umount --help' for more information.\n1\nmount: unrecognized option '--foo'\n" +
				"Try 'mount --help' for more information.\n1\numount: invalid option -- 'Z'\n" +
				"Try 'umount --help' for more information.\n1\n" +
				"mount: /mnt: unknown filesystem type 'foo'.\n" + note +
				"32\nmount: /mnt: bad option; for several filesystems (e.g. nfs, cifs) you might need a " +
				"/sbin/mount.<type> helper program.\n" + note + "32\nmount: /nosuch: mount point does not exist.\n" +
				note + "32\nmount: /etc: mount point not mounted or bad option.\n" + note + "32\n" +
				"mount: /mnt: special device /nosuch does not exist.\n" + note +
				"32\nmount: /nosuch: mount point does not exist.\n" + note + "32\n32\n"},
		{"user", "runuser -u nobody -- mount --bind /tmp /mnt; echo $?; runuser -u nobody -- umount /; echo $?",
			"mount: /mnt: must be superuser to use mount.\n" + note +
				"32\numount: /: must be superuser to unmount.\n32\n"},
		{"findmnt", "findmnt /; findmnt -n -o TARGET --target /etc/passwd; findmnt -M /etc; echo $?; " +
			"findmnt /nosuch; echo $?; findmnt -o FOO; echo $?; findmnt -J -o TARGET,FSTYPE /; " +
			"findmnt -l -n -o TARGET -t tmpfs; findmnt --verify; echo $?",
			`
TARGET SOURCE         FSTYPE OPTIONS
/      /dev/mmcblk0p2 ext4   rw,noatime
/
1
1
findmnt: unknown column: FOO
1
{
   "filesystems": [
      {
         "target": "/",
         "fstype": "ext4"
      }
   ]
}
/run
/dev/shm
/run/lock
Success, no errors or warnings detected
0
`},
		{"verify", "echo 'LABEL=zz /nosuch ext4 defaults 0 2' >>/etc/fstab; findmnt --verify; echo $?",
			"/nosuch\n   [E] unreachable on boot required target: No such file or directory\n" +
				"   [E] unreachable: LABEL=zz\n\n0 parse errors, 2 errors, 0 warnings\n1\n"},
		{"mountpoint", "mountpoint /; mountpoint -q /etc; echo $?; mountpoint /nosuch; echo $?; mountpoint; echo $?",
			"/ is a mountpoint\n32\nmountpoint: /nosuch: No such file or directory\n1\nmountpoint: bad usage\n" +
				"Try 'mountpoint --help' for more information.\n1\n"},
		{"swap errors", "swapon --show; swapoff /dev/nosuch; echo $?; swapoff; echo $?; swapoff -a; echo $?; " +
			"swapon /dev/nosuch; echo $?; swapon /dev/sda1; echo $?; swapoff /dev/sda1; echo $?",
			"swapoff: /dev/nosuch: swapoff failed: No such file or directory\n4\nswapoff: bad usage\n" +
				"Try 'swapoff --help' for more information.\n16\n0\nswapon: cannot open /dev/nosuch: No such file or " +
				"directory\n255\nswapon: /dev/sda1: read swap header failed\n255\n" +
				"swapoff: /dev/sda1: swapoff failed: Invalid argument\n4\n"},
	})
}

func TestSwap(t *testing.T) {
	runCases(t,
		hosttest.Config{Disks: []hosttest.Disk{{Size: 1 << 30, Filesystem: &hosttest.Partition{FSType: "swap"}}}},
		[]shellCase{
			{"disk", "swapon /dev/sda; swapon --show; swapon --show=NAME,SIZE --noheadings --bytes --raw; " +
				"grep -c sda /proc/swaps; swapoff -a; swapon --show; wc -l </proc/swaps",
				"NAME     TYPE       SIZE USED PRIO\n/dev/sda partition 1024M   0B   -2\n/dev/sda 1073737728\n1\n1\n"},
		})
}
