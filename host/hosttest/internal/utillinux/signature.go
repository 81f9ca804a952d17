package utillinux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// A signature is what tells what is on a device.
type signature struct {
	offset      int64
	kind        string // "ext4", "gpt"
	uuid, label string
	magic       []byte
	usage       string // as blkid has it; empty for a partition table
}

// signatures reads the device as libblkid does.
func signatures(p *kernel.Partition) []signature {
	var out []signature
	d := p.Disk
	if p.FSType != "" {
		s := signature{kind: p.FSType, uuid: p.UUID, label: p.Label, usage: "filesystem"}
		switch p.FSType {
		case "ext4", "ext3", "ext2":
			s.offset, s.magic = 0x438, []byte{0x53, 0xef}
		case "xfs":
			s.magic = []byte("XFSB")
		case "vfat":
			s.offset, s.magic = 0x52, []byte("FAT32   ")
		case "swap":
			s.offset, s.magic, s.usage = 0xff6, []byte(swapMagic), "other"
		case "LVM2_member":
			s.offset, s.magic, s.usage = 0x218, []byte("LVM2 001"), "raid"
		case "crypto_LUKS":
			s.magic, s.usage = []byte("LUKS\xba\xbe"), "crypto"
		default:
			s.magic = make([]byte, 4)
		}
		out = append(out, s)
	} else if s, ok := sniff(p); ok {
		out = append(out, s)
	}
	if p != d.Whole {
		return out
	}
	head, tail := make([]byte, 1024), make([]byte, 512)
	d.Read(0, head)
	d.Read(d.Size-512, tail)
	gpt := []byte("EFI PART")
	switch {
	case d.Table == "gpt", d.Table == "" && bytes.HasPrefix(head[512:], gpt):
		out = append(out, signature{offset: 0x200, kind: "gpt", magic: gpt})
		if bytes.HasPrefix(tail, gpt) {
			out = append(out, signature{offset: d.Size - 512, kind: "gpt", magic: gpt})
		}
		out = append(out, signature{offset: 0x1fe, kind: "PMBR", magic: []byte{0x55, 0xaa}})
	case d.Table == "dos", d.Table == "" && isMBR(head) && len(out) == 0:
		out = append(out, signature{offset: 0x1fe, kind: "dos", magic: []byte{0x55, 0xaa}})
	}
	return out
}

// isMBR tells whether a first sector has a partition table: the signature and a partition.
func isMBR(b []byte) bool {
	if b[510] != 0x55 || b[511] != 0xaa {
		return false
	}
	some := false
	for at := 446; at < 510; at += 16 {
		if b[at] != 0 && b[at] != 0x80 {
			return false
		}
		some = some || b[at+4] != 0
	}
	return some
}

// sniff finds a file system in the bytes of a device that nobody has formatted here.
func sniff(p *kernel.Partition) (signature, bool) {
	b := make([]byte, 0x10048)
	p.Disk.Read(p.Start, b)
	has := func(at int, magic string) bool { return string(b[at:at+len(magic)]) == magic }
	str := func(at, n int) string { s, _, _ := strings.Cut(string(b[at:at+n]), "\x00"); return s }
	id := func(at int) string { return formatUUID(b[at : at+16]) }
	sign := func(at int64, magic, kind, usage, uuid, label string) (signature, bool) {
		return signature{at, kind, uuid, label, []byte(magic), usage}, true
	}
	switch {
	case has(0, "LUKS\xba\xbe"):
		return sign(0, "LUKS\xba\xbe", "crypto_LUKS", "crypto", str(168, 40), "")
	case has(512, "LABELONE") && has(536, "LVM2 001"):
		return sign(0x218, "LVM2 001", "LVM2_member", "raid", "", "")
	case has(4096, "\xfc\x4e\x2b\xa9"):
		return sign(4096, "\xfc\x4e\x2b\xa9", "linux_raid_member", "raid", "", "")
	case has(4086, swapMagic):
		return sign(4086, swapMagic, "swap", "other", id(1036), str(1052, 16))
	case has(0x438, "\x53\xef"):
		kind := "ext2"
		compat, incompat := binary.LittleEndian.Uint32(b[1024+0x5c:]), binary.LittleEndian.Uint32(b[1024+0x60:])
		switch {
		case incompat&0x40 != 0: // extents
			kind = "ext4"
		case compat&4 != 0: // a journal
			kind = "ext3"
		}
		return sign(0x438, "\x53\xef", kind, "filesystem", id(1024+0x68), str(1024+0x78, 16))
	case has(0, "XFSB"):
		return sign(0, "XFSB", "xfs", "filesystem", id(32), str(108, 12))
	case has(0x10040, "_BHRfS_M"):
		return sign(0x10040, "_BHRfS_M", "btrfs", "filesystem", id(0x10020), "")
	case has(82, "FAT32   "):
		return sign(82, "FAT32   ", "vfat", "filesystem", "", "")
	case has(54, "FAT16   "):
		return sign(54, "FAT16   ", "vfat", "filesystem", "", "")
	case has(3, "NTFS    "):
		return sign(3, "NTFS    ", "ntfs", "filesystem", "", "")
	case has(0x8001, "CD001"):
		return sign(0x8001, "CD001", "iso9660", "filesystem", "", "")
	case has(0, "hsqs"):
		return sign(0, "hsqs", "squashfs", "filesystem", "", "")
	}
	return signature{}, false
}

func formatUUID(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
