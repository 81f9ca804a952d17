package utillinux_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

const dataUUID = "c353c779-b6fd-4ed7-bf10-bdb5b51630e5"

// someDisks are in the states on which a tool decides: blank, raw data, a file system, a partition, swap.
func someDisks() hosttest.Config {
	return hosttest.Config{Disks: []hosttest.Disk{
		{Serial: "BLANK", Size: 1 << 30},
		{Serial: "RAW", Size: 1 << 30, Raw: map[int64][]byte{300 << 20: []byte("only copy")}},
		{Serial: "FS", Size: 1 << 30, Filesystem: &hosttest.Partition{FSType: "ext4", Label: "data", UUID: dataUUID}},
		{Serial: "PART", Size: 1 << 30, Partitions: []hosttest.Partition{{FSType: "xfs", Label: "x", UUID: dataUUID}}},
		{Serial: "SWAP", Size: 1 << 30, Filesystem: &hosttest.Partition{FSType: "swap", UUID: dataUUID}},
	}}
}

// blockCases are for the tools of disks, on someDisks.
var blockCases = []shellCase{
	{"lsblk json", "lsblk -J -b -o NAME,PATH,TYPE,SIZE,FSTYPE,LABEL,UUID,MOUNTPOINT,PKNAME /dev/sdd; " +
		"lsblk -J -o NAME,MOUNTPOINTS,RM /dev/sda", `
{
   "blockdevices": [
      {
         "name": "sdd",
         "path": "/dev/sdd",
         "type": "disk",
         "size": 1073741824,
         "fstype": null,
         "label": null,
         "uuid": null,
         "mountpoint": null,
         "pkname": null,
         "children": [
            {
               "name": "sdd1",
               "path": "/dev/sdd1",
               "type": "part",
               "size": 1071644672,
               "fstype": "xfs",
               "label": "x",
               "uuid": "c353c779-b6fd-4ed7-bf10-bdb5b51630e5",
               "mountpoint": null,
               "pkname": "sdd"
            }
         ]
      }
   ]
}
{
   "blockdevices": [
      {
         "name": "sda",
         "mountpoints": [
             null
         ],
         "rm": false
      }
   ]
}
`},
	{"lsblk raw", "lsblk -n -r -o NAME,TYPE,FSTYPE,MOUNTPOINT /dev/sdc /dev/sdd; " +
		"lsblk -n -r -p -o NAME,TYPE /dev/sdd | sed -n 's/ part$//p'; " +
		"lsblk -P -o NAME,SIZE,RO /dev/disk/by-id/usb-Samsung_SSD_870_BLANK; lsblk -d -n -b -o SIZE /dev/sda",
		"sdc disk ext4 \nsdd disk  \nsdd1 part xfs \n/dev/sdd1\nNAME=\"sda\" SIZE=\"1G\" RO=\"0\"\n1073741824\n"},
	{"lsblk table", "swapon /dev/sde; mount /dev/sdc /mnt; lsblk /dev/sdc /dev/sdd /dev/sde; " +
		"LC_ALL=C.UTF-8 lsblk -o NAME,FSTYPE /dev/sdd; lsblk -o FOO; echo $?; lsblk /dev/nosuch /tmp; echo $?; " +
		"lsblk -n -o NAME /dev/sda /dev/nosuch; echo $?", `
NAME   MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS
sdc      8:32   0    1G  0 disk /mnt
sdd      8:48   0    1G  0 disk 
` + "`-sdd1   8:49   0 1022M  0 part \n" + `sde      8:64   0    1G  0 disk [SWAP]
NAME   FSTYPE
sdd    
└─sdd1 xfs
lsblk: unknown column: FOO
1
lsblk: /dev/nosuch: not a block device
lsblk: /tmp: not a block device
32
lsblk: /dev/nosuch: not a block device
sda
64
`},
	{"blkid", "blkid -p -o export /dev/sdc; echo $?; blkid -p /dev/sda; echo $?; blkid -p /dev/sdb; echo $?; " +
		"blkid /dev/sdc; blkid -L data; blkid -U " + dataUUID +
		"; blkid -U x; echo $?; blkid -s LABEL -o value /dev/sdc; blkid -t LABEL=data -o device; " +
		"blkid /dev/nosuch; echo $?; blkid -Z; echo $?", `
DEVNAME=/dev/sdc
LABEL=data
UUID=c353c779-b6fd-4ed7-bf10-bdb5b51630e5
VERSION=1.0
BLOCK_SIZE=4096
TYPE=ext4
USAGE=filesystem
0
2
2
/dev/sdc: LABEL="data" UUID="c353c779-b6fd-4ed7-bf10-bdb5b51630e5" BLOCK_SIZE="4096" TYPE="ext4"
/dev/sdc
/dev/sdc
2
data
/dev/sdc
2
blkid: invalid option -- 'Z'
Try 'blkid --help' for more information.
1
`},
	{"wipefs", "wipefs -n /dev/sda; wipefs -n /dev/sdb; wipefs -n -J /dev/sda; wipefs -n /dev/sdc; " +
		"wipefs -n -J /dev/sdc; wipefs -i -O TYPE,OFFSET /dev/sdd; wipefs -p /dev/sde; wipefs /dev/nosuch; " +
		"echo $?; wipefs; echo $?; wipefs --foo; echo $?", `
{
   "signatures": [

   ]
}
DEVICE OFFSET TYPE UUID                                 LABEL
sdc    0x438  ext4 c353c779-b6fd-4ed7-bf10-bdb5b51630e5 data
{
   "signatures": [
      {
         "device": "sdc",
         "offset": "0x438",
         "type": "ext4",
         "uuid": "c353c779-b6fd-4ed7-bf10-bdb5b51630e5",
         "label": "data"
      }
   ]
}
gpt  0x200
PMBR 0x1fe
0xff6,c353c779-b6fd-4ed7-bf10-bdb5b51630e5,,swap
wipefs: error: /dev/nosuch: probing initialization failed: No such file or directory
1
wipefs: no device specified
Try 'wipefs --help' for more information.
1
wipefs: unrecognized option '--foo'
Try 'wipefs --help' for more information.
1
`},
	{"wipefs erases", "wipefs -a /dev/sdc; wipefs -n /dev/sdc; blkid /dev/sdc; echo $?; wipefs -a /dev/sdd; " +
		"ls /dev/sdd1; mount /dev/sde /mnt; swapon /dev/sde; wipefs -a /dev/sde; echo $?; " +
		"wipefs -a /dev/mmcblk0; echo $?", `
/dev/sdc: 2 bytes were erased at offset 0x00000438 (ext4): 53 ef
2
/dev/sdd: 8 bytes were erased at offset 0x00000200 (gpt): 45 46 49 20 50 41 52 54
/dev/sdd: 2 bytes were erased at offset 0x000001fe (PMBR): 55 aa
/dev/sdd: calling ioctl to re-read partition table: Success
ls: cannot access '/dev/sdd1': No such file or directory
mount: /mnt: wrong fs type, bad option, bad superblock on /dev/sde, missing codepage or helper program, or other error.
       dmesg(1) may have more information after failed mount system call.
wipefs: error: /dev/sde: probing initialization failed: Device or resource busy
1
wipefs: error: /dev/mmcblk0: probing initialization failed: Device or resource busy
1
`},
	{"dd", "dd if=/dev/sda bs=1M count=4 2>/dev/null | tr -d '\\0' | wc -c; " +
		"dd if=/dev/sdb bs=1M skip=300 count=1 2>/dev/null | tr -d '\\0'; echo; " +
		"printf '\\123\\357' | dd of=/dev/sda bs=1 seek=1080 conv=notrunc 2>/dev/null; wipefs -n -i /dev/sda; " +
		"dd if=/dev/zero of=/dev/sdc bs=4096 count=1 2>/dev/null; wipefs -n /dev/sdc; " +
		"mount /dev/sdc /mnt 2>&1 | head -c 27",
		"0\nonly copy\nsda    0x438  ext2 00000000-0000-0000-0000-000000000000 \nmount: /mnt: wrong fs type,"},
	{"sfdisk", "printf 'label: gpt\\n,,L\\n' | sfdisk -q /dev/sda; echo $?; " +
		"lsblk -n -r -b -o NAME,SIZE,START,PTTYPE /dev/sda; [ -b /dev/sda1 ]; echo $?; " +
		"ls -l /dev/disk/by-id | grep -c BLANK; blkid /dev/sda1 | sed 's/=.*//'; " +
		"printf 'label: gpt\\n,100M,S\\n,200M\\n,,L\\n' | sfdisk -q /dev/sda; lsblk -n -r -o NAME,SIZE /dev/sda; " +
		"sfdisk -d /dev/sda | grep -c start=; wipefs -a -q /dev/sda; lsblk -n -r -o NAME /dev/sda; " +
		"wipefs -n /dev/sda",
		"0\nsda 1073741824  gpt\nsda1 1071644672 2048 gpt\n0\n2\n/dev/sda1: PARTUUID\nsda 1G\nsda1 100M\n" +
			"sda2 200M\nsda3 722M\n3\nsda\n"},
	{"sfdisk refuses", "mount /dev/sdd1 /mnt; printf 'label: gpt\\n,,L\\n' | sfdisk -q /dev/sdd; echo $?; " +
		"swapon /dev/sde; echo ,,L | sfdisk -q /dev/sde; echo $?; sfdisk -q /dev/nosuch </dev/null; echo $?; " +
		"echo foo bar | sfdisk -q /dev/sda; echo $?; echo ,5G | sfdisk -q /dev/sda; echo $?; sfdisk --foo; " +
		"echo $?; sfdisk -q /dev/mmcblk0 </dev/null; echo $?", `
This disk is currently in use - repartitioning is probably a bad idea.
Umount all file systems, and swapoff all swap partitions on this disk.
Use the --no-reread flag to suppress this check.

sfdisk: Use the --force flag to overrule all checks.
1
This disk is currently in use - repartitioning is probably a bad idea.
Umount all file systems, and swapoff all swap partitions on this disk.
Use the --no-reread flag to suppress this check.

sfdisk: Use the --force flag to overrule all checks.
1
sfdisk: cannot open /dev/nosuch: No such file or directory
1
sfdisk: line 1: unsupported command
1
sfdisk: Failed to add #1 partition: No space left on device
1
sfdisk: unrecognized option '--foo'
Try 'sfdisk --help' for more information.
1
This disk is currently in use - repartitioning is probably a bad idea.
Umount all file systems, and swapoff all swap partitions on this disk.
Use the --no-reread flag to suppress this check.

sfdisk: Use the --force flag to overrule all checks.
1
`},
	{"mkfs.ext4", "mkfs.ext4 -q -L lab -U " + dataUUID +
		" /dev/sda; blkid /dev/sda; ls -l /dev/disk/by-label/lab | sed 's/.*-> //'; mount LABEL=lab /mnt; " +
		"echo a >/mnt/f; mkfs.ext4 -q /dev/sda; echo $?; umount /mnt; mount /dev/sda /mnt; cat /mnt/f; " +
		"umount /mnt; mkfs.ext4 -q /dev/sda </dev/null; echo $?; mount /dev/sda /mnt; ls /mnt; " +
		"ls /dev/disk/by-label/lab; mkfs.ext4 -q /dev/nosuch; echo $?; mkfs.ext4 -q -U no /dev/sdb; echo $?; " +
		"mkfs.ext4 -q /dev/sdb; blkid -s TYPE -o value /dev/sdb; swapon /dev/sde; mkfs.ext4 -q /dev/sde; echo $?",
		"/dev/sda: LABEL=\"lab\" UUID=\"" + dataUUID +
			"\" BLOCK_SIZE=\"4096\" TYPE=\"ext4\"\n../../sda\n/dev/sda is mounted; " +
			"will not make a filesystem here!\n1\na\n0\nlost+found\nls: cannot access '/dev/disk/by-label/lab': " +
			"No such file or directory\n" +
			"The file /dev/nosuch does not exist and no size was specified.\n1\n\n" +
			"/dev/sdb: could not parse UUID: no\n\n1\next4\n/dev/sde is apparently in use by the system; " +
			"will not make a filesystem here!\n1\n"},
	{"mkfs.xfs", "mkfs.xfs -q -L lab /dev/sda; blkid -s TYPE -s LABEL /dev/sda; mkfs.xfs -q /dev/sda; echo $?; " +
		"mkfs.xfs -q /dev/sdd; echo $?; mkfs.xfs -q -f /dev/sda; echo $?; mkfs.xfs -q -L thirteencharss /dev/sda " +
		"2>&1 | head -1; mount /dev/sda /mnt; mkfs.xfs -q -f /dev/sda 2>&1 | head -1; " +
		"printf 'label: gpt\\n,100M\\n' | sfdisk -q /dev/sdb; mkfs.xfs -q /dev/sdb1 2>&1 | head -1",
		"/dev/sda: LABEL=\"lab\" TYPE=\"xfs\"\nmkfs.xfs: /dev/sda appears to contain an existing filesystem " +
			"(xfs).\nmkfs.xfs: Use the -f option to force overwrite.\n1\nmkfs.xfs: /dev/sdd appears to contain a " +
			"partition table (gpt).\nmkfs.xfs: Use the -f option to force overwrite.\n1\n0\n" +
			"Invalid value thirteencharss for -L option\nmkfs.xfs: /dev/sda contains a mounted filesystem\n" +
			"Filesystem must be larger than 300MB.\n"},
	{"labels", "blkid -L data; e2fsck -fn /dev/sdc | head -1; e2fsck -fn /dev/sdb 2>&1 | head -2", `
/dev/sdc
e2fsck 1.47.0 (5-Feb-2023)
Pass 1: Checking inodes, blocks, and sizes
e2fsck 1.47.0 (5-Feb-2023)
ext2fs_open2: Bad magic number in super-block
`},
	{"blockdev", "blockdev --getsize64 /dev/sda; blockdev --getsz --getss --getro /dev/sda; " +
		"blockdev --foo /dev/sda; echo $?; blockdev --getsize64 /nosuch; echo $?; blockdev --getsize64 /tmp; " +
		"echo $?; blockdev; echo $?; blockdev --getsize64; echo $?; blockdev --rereadpt /dev/sda; echo $?; " +
		"blockdev --rereadpt /dev/mmcblk0; echo $?", `
1073741824
2097152
512
0
blockdev: Unknown command: --foo
Try 'blockdev --help' for more information.
1
blockdev: cannot open /nosuch: No such file or directory
1
blockdev: ioctl error on BLKGETSIZE64: Inappropriate ioctl for device
1
blockdev: not enough arguments
Try 'blockdev --help' for more information.
1
blockdev: no device specified
Try 'blockdev --help' for more information.
1
0
blockdev: ioctl error on BLKRRPART: Device or resource busy
1
`},
	{"mkswap", "mkswap -q -L sw /dev/sda; swapon LABEL=sw; swapon --show=NAME --noheadings; truncate -s 10M /sw; " +
		"chmod 0600 /sw; mkswap /sw | sed 's/UUID=.*//'; swapon /sw; echo $?; mkswap /sw; echo $?; swapoff -a; " +
		"swapon --show; mkswap /nosuch; echo $?; truncate -s 1M /empty; chmod 0600 /empty; swapon /empty; echo $?",
		"/dev/sda\nSetting up swapspace version 1, size = 10 MiB (10481664 bytes)\nno label, \n0\n" +
			"mkswap: error: /sw is mounted; will not make swapspace\n1\nmkswap: cannot open /nosuch: No such " +
			"file or directory\n1\nswapon: /empty: read swap header failed\n255\n"},
	{"attributes", "cd /root; touch f; lsattr f; chattr +i f; lsattr f; rm f; echo $?; echo a >f; chattr -i f; " +
		"echo a >f; chattr +a f; echo b >>f; echo c >f; cat f; chattr -a f; rm f; chattr +Z f; echo $?; " +
		"chattr +i /nosuch; echo $?; chattr; echo $?; lsattr /nosuch; echo $?; touch /tmp/g; chmod 666 /tmp/g; " +
		"runuser -u nobody -- chattr +i /tmp/g; echo $?; lsattr -d /run; echo $?", `
--------------e------- f
----i---------e------- f
rm: cannot remove 'f': Operation not permitted
1
sh: 1: cannot create f: Operation not permitted
sh: 1: cannot create f: Operation not permitted
a
b
Usage: chattr [-RVf] [-+=aAcCdDeijPsStTuFx] [-p project] [-v version] files...
1
chattr: No such file or directory while trying to stat /nosuch
1
Usage: chattr [-RVf] [-+=aAcCdDeijPsStTuFx] [-p project] [-v version] files...
1
lsattr: No such file or directory while trying to stat /nosuch
1
chattr: Operation not permitted while setting flags on /tmp/g
1
lsattr: Operation not supported while reading flags on /run
1
`},
	{"udevadm", "udevadm settle; echo $?; udevadm trigger; udevadm foo; echo $?; " +
		"udevadm info -q property -n /dev/sda | grep SHORT",
		"0\nUnknown command verb foo.\n1\nID_SERIAL_SHORT=BLANK\n"},
}

func TestBlockTools(t *testing.T) {
	runCases(t, someDisks(), blockCases)
}

func TestDisksOutliveAReboot(t *testing.T) {
	m := hosttest.New(t, someDisks())
	if out, err := m.Exec("printf 'label: gpt\n,,L\n' | sfdisk -q /dev/sda && mkfs.ext4 -q -L lab /dev/sda1 && mount " +
		"LABEL=lab /mnt && echo kept >/mnt/f && sync && swapon /dev/sde"); err != nil {
		t.Fatal(out, err)
	}
	m.Reboot()
	out, err := m.Exec("swapon --show; ls /mnt; mount LABEL=lab /mnt; cat /mnt/f; ls -l /dev/disk/by-label/lab | sed " +
		"'s/.*-> //'")
	if want := "kept\n../../sda1\n"; out != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestUsersCannotChangeDisks(t *testing.T) {
	m := hosttest.New(t, someDisks())
	before, _ := m.Exec("wipefs -n /dev/sdc; lsblk -r")
	for _, c := range []string{"wipefs -a /dev/sdc", "mkfs.ext4 -q -F /dev/sdc", "mkfs.xfs -q -f /dev/sdc",
		"mkswap /dev/sdc", "echo ,,L | sfdisk -q /dev/sdc", "swapon /dev/sde", "dd if=/dev/zero of=/dev/sdc count=1",
		"mount /dev/sdc /mnt"} {
		if _, err := m.Exec("runuser -u nobody -- sh -c '" + c + "'"); err == nil {
			t.Errorf("nobody may: %s", c)
		}
	}
	if after, _ := m.Exec("wipefs -n /dev/sdc; lsblk -r"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
