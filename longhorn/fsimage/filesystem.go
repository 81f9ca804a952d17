package fsimage

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"os"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// FileSystem is what the first bytes of an image say it holds.
type FileSystem struct {
	// Type is "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "ntfs", "swap", "luks", "lvm", "gpt",
	// "mbr", "empty" for zeros only, to the end, or "" for anything else.
	Type  string `json:"type"`
	Label string `json:"label,omitempty"`
	UUID  string `json:"uuid,omitempty"`
	// Replay: its journal holds changes that were not applied yet, as after any power cut. Known of
	// ext3 and ext4 only.
	Replay bool `json:"replay,omitempty"`
	// Errors: the file system is marked as having errors. Known of ext2 to ext4 only.
	Errors bool `json:"errors,omitempty"`

	orphanFile bool // ext4 keeps its orphans in a file
}

// ext reports whether e2fsprogs know the file system.
func (f FileSystem) ext() bool { return strings.HasPrefix(f.Type, "ext") }

// Identify reads the superblocks of an image. Its offsets and magic numbers are those of libblkid.
func Identify(r io.ReaderAt) (FileSystem, error) {
	b := make([]byte, 0x10000+0x400)
	n, err := r.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return FileSystem{}, err
	}
	b = b[:n]
	at := func(off int, magic string) bool {
		return len(b) >= off+len(magic) && string(b[off:off+len(magic)]) == magic
	}
	switch {
	case at(0x438, "\x53\xef"):
		return identifyExt(b[0x400:]), nil
	case at(0, "XFSB") && len(b) >= 120:
		return FileSystem{Type: "xfs", Label: text(b[108:120]), UUID: uuid(b[32:48])}, nil
	case at(0x10040, "_BHRfS_M") && len(b) >= 0x1012b+256:
		return FileSystem{Type: "btrfs", Label: text(b[0x1012b : 0x1012b+256]), UUID: uuid(b[0x10020:0x10030])}, nil
	case at(0, "LUKS\xba\xbe"):
		return FileSystem{Type: "luks"}, nil
	case at(4086, "SWAPSPACE2"):
		return FileSystem{Type: "swap"}, nil
	case at(512, "LABELONE"), at(0, "LABELONE"):
		return FileSystem{Type: "lvm"}, nil
	case at(512, "EFI PART"):
		return FileSystem{Type: "gpt"}, nil
	case at(3, "NTFS    "):
		return FileSystem{Type: "ntfs"}, nil
	case at(510, "\x55\xaa") && (at(82, "FAT32") || at(54, "FAT")):
		return FileSystem{Type: "vfat"}, nil
	case at(510, "\x55\xaa"):
		return FileSystem{Type: "mbr"}, nil
	case len(bytes.Trim(b, "\x00")) == 0:
		empty, err := zerosFrom(r, int64(n))
		if err != nil || !empty {
			return FileSystem{}, err
		}
		return FileSystem{Type: "empty"}, nil
	}
	return FileSystem{}, nil
}

// zerosFrom reports whether nothing but zeros follows, from off on. The holes of a file are not read.
func zerosFrom(r io.ReaderAt, off int64) (bool, error) {
	extents := []diskfile.Extent{{Off: off, Len: math.MaxInt64 - off}}
	if f, ok := r.(*os.File); ok {
		if fi, err := f.Stat(); err == nil && fi.Mode().IsRegular() {
			if found, err := seekData(f, fi.Size()); err == nil {
				extents = found
			}
		}
	}
	buf := make([]byte, 1<<20)
	zero := make([]byte, len(buf))
	for _, e := range extents {
		for pos := max(off, e.Off); pos < e.End(); {
			n, err := r.ReadAt(buf[:min(int64(len(buf)), e.End()-pos)], pos)
			if !bytes.Equal(buf[:n], zero[:n]) {
				return false, nil
			}
			if err == io.EOF {
				return true, nil
			}
			if err != nil {
				return false, err
			}
			pos += int64(n)
		}
	}
	return true, nil
}

// identifyExt reads the superblock of ext2 to ext4 (the kernel's
// Documentation/filesystems/ext4/super.rst).
func identifyExt(sb []byte) FileSystem {
	if len(sb) < 0x100 {
		return FileSystem{}
	}
	const hasJournal, recover, ext4Only = 0x4, 0x4, 0x40 | 0x80 | 0x200 // extents, 64bit, flex_bg
	compat, incompat := binary.LittleEndian.Uint32(sb[0x5c:]), binary.LittleEndian.Uint32(sb[0x60:])
	f := FileSystem{
		orphanFile: compat&0x1000 != 0,
		Type:       "ext2", Label: text(sb[0x78:0x88]), UUID: uuid(sb[0x68:0x78]),
		Replay: incompat&recover != 0, Errors: binary.LittleEndian.Uint16(sb[0x3a:])&2 != 0,
	}
	switch {
	case incompat&ext4Only != 0:
		f.Type = "ext4"
	case compat&hasJournal != 0:
		f.Type = "ext3"
	}
	return f
}

func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func uuid(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
