package replica

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// share has the kernel copy the piece, by reference where possible. It reports false when it
// cannot, so that the chunk must be read and written; with a method that was asked for, that is an
// error.
func (cp *copier) share(c *chunk) (bool, error) {
	if !cp.cloning.Load() && !cp.ranging.Load() {
		return false, nil
	}
	for _, s := range cp.im.segments[c.seg:] {
		if s.start >= c.last {
			break
		}
		src := cp.im.sources[s.layer]
		off := max(s.start, c.off)
		n := min(s.end, c.last, src.print.Size) - off
		if n <= 0 {
			continue
		}
		if cp.ranging.Load() {
			if err := copyRange(cp.t.file, src.file, off, n); err != nil {
				return false, cp.cannot(&cp.ranging, CopyRange, src.path, err)
			}
			cp.ranged.Store(true)
			continue
		}
		whole := n &^ (sectorSize - 1) // blocks can be shared whole only
		if whole > 0 {
			if err := clone(cp.t.file, src.file, off, whole); err != nil {
				return false, cp.cannot(&cp.cloning, Clone, src.path, err)
			}
			cp.cloned.Store(true)
		}
		if err := cp.copyRest(src, off+whole, n-whole); err != nil {
			return false, err
		}
	}
	return true, nil
}

// copyRest copies the end of a source, less than a block.
func (cp *copier) copyRest(src source, off, n int64) error {
	if n == 0 {
		return nil
	}
	p := make([]byte, n)
	if err := src.readAt(p, off); err != nil {
		return err
	}
	_, err := cp.t.file.WriteAt(p, off)
	return err
}

// cannot turns a way of copying off, when the error says that it does not exist here.
func (cp *copier) cannot(way *atomic.Bool, m Method, path string, err error) error {
	unable := slices.ContainsFunc([]error{
		unix.EOPNOTSUPP, unix.EXDEV, unix.EINVAL, unix.ENOSYS, unix.ENOTTY, unix.EPERM, unix.ETXTBSY, errShort,
	}, func(kind error) bool { return errors.Is(err, kind) })
	if unable && cp.o.Method != m {
		way.Store(false)
		return nil
	}
	err = fmt.Errorf("%s from %s: %w", m, path, err)
	if !unable {
		return err
	}
	hint := "leave the method out: the fastest that works is chosen"
	return &lab.Error{Op: "save image", Path: cp.t.path, Hint: hint, Err: err}
}

var errShort = errors.New("the kernel copied nothing")

// copyRange copies n bytes at off with copy_file_range.
func copyRange(dst, src *os.File, off, n int64) error {
	for n > 0 {
		from, to := off, off
		m, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(min(n, 1<<30)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if m == 0 {
			return errShort
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}

// clone shares n bytes at off with FICLONERANGE.
func clone(dst, src *os.File, off, n int64) error {
	return unix.IoctlFileCloneRange(int(dst.Fd()), &unix.FileCloneRange{
		Src_fd: int64(src.Fd()), Src_offset: uint64(off), Src_length: uint64(n), Dest_offset: uint64(off),
	})
}
