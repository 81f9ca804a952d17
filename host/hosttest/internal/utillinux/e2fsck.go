package utillinux

import (
	"cmp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdE2fsck(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "panyfvtb:B:dE:cC:j:l:L:kz:FDSV", "")
	if !ok || len(o.Args) != 1 {
		p.Warnf("Usage: e2fsck [-panyrcdfktvDFV] [-b superblock] [-B blocksize]\n\t\t[-l|-L bad_blocks_file] [-C fd] " +
			"[-j external_journal]\n\t\t[-E extended-options] [-z undo_file] device\n")
		return 16
	}
	if !o.Has("p", "a") {
		p.Warnf("e2fsck 1.47.0 (5-Feb-2023)\n")
	}
	name := o.Args[0]
	if err := p.Access(name, kernel.MayRead); err != nil {
		p.Warnf("e2fsck: %s while trying to open %s\nPossibly non-existent device?\n", kernel.Strerror(err), name)
		return 8
	}
	dev := device(p, name)
	if dev == nil || !strings.HasPrefix(dev.FSType, "ext") {
		p.Warnf("ext2fs_open2: Bad magic number in super-block\ne2fsck: Superblock invalid, trying backup blocks...\n"+
			"e2fsck: Bad magic number in super-block while trying to open %s\n\n"+
			"The superblock could not be read or does not describe a valid ext2/ext3/ext4\n"+
			"filesystem.  If the device is valid and it really contains an ext2/ext3/ext4\n"+
			"filesystem (and not swap or ufs or something else), then the superblock\n"+
			"is corrupt, and you might try running e2fsck with an alternate superblock:\n"+
			"    e2fsck -b 8193 <device>\n or\n    e2fsck -b 32768 <device>\n\n", name)
		return 8
	}
	if inUse(p.Kernel, dev) != "" {
		if !o.Has("n") {
			p.Warnf("%s is mounted.\ne2fsck: Cannot continue, aborting.\n\n\n", name)
			return 8
		}
		p.Warnf("Warning!  %s is mounted.\nWarning: skipping journal recovery because doing a read-only filesystem "+
			"check.\n", name)
	}
	title := cmp.Or(dev.Label, name)
	inodes, blocks := dev.Size/16384, dev.Size/4096
	used := dev.Vol.Used/4096 + 64
	if !o.Has("f") {
		p.Printf("%s: clean, 11/%d files, %d/%d blocks\n", title, inodes, used, blocks)
		return 0
	}
	p.Printf("Pass 1: Checking inodes, blocks, and sizes\nPass 2: Checking directory structure\n"+
		"Pass 3: Checking directory connectivity\nPass 4: Checking reference counts\n"+
		"Pass 5: Checking group summary information\n"+
		"%s: 11/%d files (0.0%% non-contiguous), %d/%d blocks\n", title, inodes, used, blocks)
	return 0
}

const (
	sector    = 512
	alignment = 1 << 20 // where fdisk begins and ends partitions
	gptTail   = 33 * sector
)
