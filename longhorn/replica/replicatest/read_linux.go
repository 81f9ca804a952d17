package replicatest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read returns the live image of a replica directory whose metadata are whole, slowly: it asks the
// kernel for each sector of each layer whether any extent is in it, and reads that sector. It
// shares no code with package replica. backing is the backing file's path, or "".
func Read(dir, backing string) ([]byte, error) {
	var volume struct {
		Size int64
		Head string
	}
	if err := readJSON(filepath.Join(dir, "volume.meta"), &volume); err != nil {
		return nil, err
	}
	var files []*os.File // the newest first
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for name := volume.Head; name != ""; {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		var layer struct{ Parent string }
		if err := readJSON(filepath.Join(dir, name+".meta"), &layer); err != nil {
			return nil, err
		}
		name = layer.Parent
	}
	if backing != "" {
		f, err := os.Open(backing)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	image := make([]byte, volume.Size)
	for off := int64(0); off < volume.Size; off += Sector {
		for i, f := range files {
			if i < len(files)-1 {
				n, err := extentsIn(f, off)
				if err != nil {
					return nil, err
				}
				if n == 0 {
					continue
				}
			}
			if _, err := f.ReadAt(image[off:off+Sector], off); err != nil && err != io.EOF {
				return nil, err
			}
			break
		}
	}
	return image, nil
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// extentsIn returns the number of extents in one sector: FIEMAP (linux/fiemap.h) with no room for
// extents only counts them.
func extentsIn(f *os.File, off int64) (uint32, error) {
	req := struct {
		start, length                  uint64
		flags, mapped, count, reserved uint32
	}{start: uint64(off), length: Sector, flags: 1}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), 0xC020660B, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return 0, fmt.Errorf("fiemap %s: %w", f.Name(), errno)
	}
	return req.mapped, nil
}

func reserve(f *os.File, off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_ZERO_RANGE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}

func punch(f *os.File, off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}
