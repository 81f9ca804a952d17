package utillinux

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// makeFS puts an empty file system on a device. As mke2fs does, it writes the superblock last: if the power is cut
// before, the device has something on it that has no signature.
func makeFS(p *kernel.Process, dev *kernel.Partition, fstype, label, uuid string) error {
	at := slices.Index(p.Kernel.Disks, dev.Disk)
	if err := changeDisk(p.Kernel, func() { dev.Disk.Write(dev.Start+1<<20, []byte("bitmaps")) }); err != nil {
		return err
	}
	return changeDisk(p.Kernel, func() { dev.Format(fstype, label, uuid, nil, uint32(8<<20|(at-1)*16+dev.Num)) })
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if strings.IndexByte("0123456789abcdefABCDEF", s[i]) < 0 {
			return false
		}
	}
	return true
}

const mke2fsUsage = `Usage: %s [-c|-l filename] [-b block-size] [-C cluster-size]
	[-i bytes-per-inode] [-I inode-size] [-J journal-options]
	[-G flex-group-size] [-N number-of-inodes] [-d root-directory]
	[-m reserved-blocks-percentage] [-o creator-os]
	[-g blocks-per-group] [-L volume-label] [-M last-mounted-directory]
	[-O feature[,...]] [-r fs-revision] [-E extended-option[,...]]
	[-t fs-type] [-T usage-type ] [-U UUID] [-e errors_behavior][-z undo_file]
	[-jnqvDFSV] device [blocks-count]
`

// cmdMke2fs follows mke2fs 1.47: it asks whether to go on over an existing file system only at a terminal, which no
// program here has, so that like the real one it overwrites what is there. A device in use it refuses.
func cmdMke2fs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "b:cd:e:g:i:jl:m:no:qr:s:t:vC:DE:FG:I:J:KL:M:N:O:ST:U:Vz:", "")
	if !ok || len(o.Args) == 0 || len(o.Args) > 2 {
		p.Warnf(mke2fsUsage, p.Name())
		return 1
	}
	if libc.Unsupported(p, o, "c", "d", "S") {
		return 1
	}
	if !o.Has("q") {
		p.Warnf("mke2fs 1.47.0 (5-Feb-2023)\n")
	}
	fstype := cmp.Or(strings.TrimPrefix(p.Name(), "mkfs."), "ext2")
	if fstype == "mke2fs" {
		fstype = cmp.Or(o.Get("t"), "ext2")
	}
	label, uuid := o.Get("L"), cmp.Or(o.Get("U"), kernel.NewUUID())
	if len(label) > 16 {
		p.Warnf("Warning: label too long; will be truncated to '%s'\n\n", label[:16])
		label = label[:16]
	}
	name := o.Args[0]
	dev := device(p, name)
	if _, err := p.Stat(name); err != nil {
		p.Warnf("The file %s does not exist and no size was specified.\n", name)
		return 1
	}
	if dev == nil {
		p.Errorf("hosttest: this machine makes file systems only on block devices")
		return 1
	}
	if err := p.Access(name, kernel.MayRead|kernel.MayWrite); err != nil {
		p.Warnf("Could not open %s: %s\n", name, kernel.Strerror(err))
		return 1
	}
	if where := inUse(p.Kernel, dev); where != "" {
		if dev.Vol != nil && where != "[SWAP]" {
			p.Warnf("%s is mounted; will not make a filesystem here!\n", name)
		} else {
			p.Warnf("%s is apparently in use by the system; will not make a filesystem here!\n", name)
		}
		return 1
	}
	if o.Has("U") && !isUUID(uuid) && !slices.Contains([]string{"random", "time", "clear"}, uuid) {
		p.Warnf("\n%s: could not parse UUID: %s\n\n", name, uuid)
		return 1
	}
	if uuid == "random" || uuid == "time" {
		uuid = kernel.NewUUID()
	}
	if !o.Has("q") || o.Has("n") {
		blocks := dev.Size / 4096
		p.Printf("Creating filesystem with %d 4k blocks and %d inodes\nFilesystem UUID: %s\n", blocks,
			(dev.Size/16384+7)/8*8, uuid)
		var backups []string
		for _, n := range backupBlocks(blocks) {
			backups = append(backups, strconv.FormatInt(n, 10))
		}
		if len(backups) > 0 {
			p.Print("Superblock backups stored on blocks: \n\t", strings.Join(backups, ", "), "\n")
		}
		p.Print("\n")
	}
	if o.Has("n") {
		return 0
	}
	if err := makeFS(p, dev, fstype, label, strings.ToLower(uuid)); err != nil {
		p.Errorf("%s while writing out and closing file system", kernel.Strerror(err))
		return 1
	}
	if !o.Has("q") {
		p.Print("Allocating group tables: done                            \n" +
			"Writing inode tables: done                            \n")
		if fstype != "ext2" {
			p.Print("Creating journal (4096 blocks): done\n")
		}
		p.Print("Writing superblocks and filesystem accounting information: done\n\n")
	}
	return 0
}

// backupBlocks are the groups with a copy of the superblock (sparse_super): 1 and the powers of 3, 5 and 7.
func backupBlocks(blocks int64) []int64 {
	const perGroup = 32768
	var out []int64
	for g := int64(1); g*perGroup < blocks; g++ {
		for _, base := range []int64{3, 5, 7} {
			n := g
			for n%base == 0 {
				n /= base
			}
			if n == 1 {
				out = append(out, g*perGroup)
				break
			}
		}
	}
	return out
}
