package diskfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The FIEMAP ioctl, from linux/fiemap.h and linux/fs.h; golang.org/x/sys/unix does not have it.
const (
	fsIocFiemap           = 0xC020660B
	fiemapFlagSync        = 0x1
	fiemapExtentLast      = 0x1
	fiemapExtentUnwritten = 0x800
	fiemapBatch           = 2048
)

type fiemapHeader struct {
	Start, Length                          uint64
	Flags, Mapped, ExtentCount, unusedZero uint32
}

type fiemapExtent struct {
	Logical, Physical, Length uint64
	reserved64                [2]uint64
	Flags                     uint32
	reserved                  [3]uint32
}

type fiemapRequest struct {
	fiemapHeader
	Extents [fiemapBatch]fiemapExtent
}

// pageSize is that of a tmpfs without huge pages, in bytes.
const pageSize = 4096

// Extents returns the extents of a regular file up to size bytes, and whether they come from
// SEEK_DATA instead of FIEMAP. The error wraps [ErrNoExtents] where neither is reliable.
func Extents(f *os.File, size int64) (extents []Extent, bySeek bool, err error) {
	extents, err = fiemap(f, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTTY) {
		extents, err = provedBySeek(f, size)
		return extents, true, err
	}
	return extents, false, err
}

func fiemap(f *os.File, size int64) ([]Extent, error) {
	var extents []Extent
	req := new(fiemapRequest)
	for start := uint64(0); start < uint64(size); {
		left := uint64(size) - start
		req.fiemapHeader = fiemapHeader{Start: start, Length: left, Flags: fiemapFlagSync, ExtentCount: fiemapBatch}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fsIocFiemap, uintptr(unsafe.Pointer(req)))
		runtime.KeepAlive(f)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return nil, fmt.Errorf("extents of %s: %w", f.Name(), errno)
		}
		if req.Mapped == 0 {
			return extents, nil
		}
		next := start
		for _, e := range req.Extents[:min(req.Mapped, fiemapBatch)] {
			end := min(e.Logical+e.Length, uint64(size))
			if e.Logical < end {
				extents = AppendExtent(extents, Extent{
					Off: int64(e.Logical), Len: int64(end - e.Logical), Unwritten: e.Flags&fiemapExtentUnwritten != 0,
				})
			}
			next = e.Logical + e.Length
			if e.Flags&fiemapExtentLast != 0 {
				return extents, nil
			}
		}
		if next <= start {
			return nil, fmt.Errorf("extents of %s: FIEMAP does not advance at %d", f.Name(), start)
		}
		start = next
	}
	return extents, nil
}

// provedBySeek finds the extents with SEEK_DATA, and accepts them only where that is exactly right.
// On tmpfs a file's block count is its number of pages; when SEEK_DATA finds as many, no page is
// allocated that it does not see (a preallocated one), so that its answer is what FIEMAP would say.
// Huge pages would make single sectors' neighbours look written, so they are refused.
func provedBySeek(f *os.File, size int64) ([]Extent, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return nil, fmt.Errorf("statfs %s: %w", f.Name(), err)
	}
	if fs.Type != unix.TMPFS_MAGIC || fs.Bsize > pageSize {
		return nil, fmt.Errorf("%s: no FIEMAP: %w", f.Name(), ErrNoExtents)
	}
	if huge, err := hugePages(f); err != nil || huge {
		return nil, fmt.Errorf("%s: tmpfs with huge pages: %w", f.Name(), errors.Join(ErrNoExtents, err))
	}
	extents, err := SeekData(f, size)
	if err != nil {
		return nil, err
	}
	fi, err := Stat(f)
	if err != nil {
		return nil, err
	}
	var seen int64
	for _, e := range extents {
		seen += (e.End()+pageSize-1)&^(pageSize-1) - e.Off&^(pageSize-1)
	}
	if seen != fi.Allocated {
		return nil, fmt.Errorf("%s: %d bytes are allocated, SEEK_DATA sees %d: %w",
			f.Name(), fi.Allocated, seen, ErrNoExtents)
	}
	return extents, nil
}

// hugePages reports whether the tmpfs that holds f may use pages of more than 4096 bytes.
func hugePages(f *os.File) (bool, error) {
	forced, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
	if err == nil && bytes.Contains(forced, []byte("[force]")) {
		return true, nil
	}
	fi, err := Stat(f)
	if err != nil {
		return false, err
	}
	options, err := mountOptions(fi.Dev)
	if err != nil {
		return false, err
	}
	for _, o := range strings.Split(options, ",") {
		if v, ok := strings.CutPrefix(o, "huge="); ok && v != "never" {
			return true, nil
		}
	}
	return false, nil
}

// mountOptions returns the super block's options of the mounted device dev, from
// /proc/self/mountinfo.
func mountOptions(dev uint64) (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	want := fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev))
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) > 6 && fields[2] == want {
			return fields[len(fields)-1], nil
		}
	}
	return "", fmt.Errorf("device %s is not in /proc/self/mountinfo", want)
}

// SeekData lists what SEEK_DATA and SEEK_HOLE call data, up to size bytes: complete as to content,
// but written zeros may be missing from it.
func SeekData(f *os.File, size int64) ([]Extent, error) {
	var extents []Extent
	for off := int64(0); off < size; {
		start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("seek in %s: %w", f.Name(), err)
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return nil, fmt.Errorf("seek in %s: %w", f.Name(), err)
		}
		if end = min(end, size); end <= start {
			break
		}
		extents = AppendExtent(extents, Extent{Off: start, Len: end - start})
		off = end
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return extents, nil
}

// BlockSize returns the size in bytes of the blocks in which the file system that holds f allocates.
func BlockSize(f *os.File) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", f.Name(), err)
	}
	return int64(fs.Bsize), nil
}
