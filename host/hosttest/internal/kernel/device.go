package kernel

import (
	"crypto/rand"
	"io"
	"strings"
	"syscall"
)

// Device is /dev/null and its like.
type Device string

func (d Device) Read(_ *Process, b []byte) (int, error) {
	switch d {
	case "zero", "full":
		clear(b)
		return len(b), nil
	case "random", "urandom":
		return rand.Read(b)
	}
	return 0, io.EOF
}

func (d Device) Write(_ *Process, b []byte) (int, error) {
	if d == "full" {
		return 0, syscall.ENOSPC
	}
	return len(b), nil
}

func (d Device) Close() {}

func (k *Kernel) openDevice(name string, write bool) (Stream, error) {
	switch name {
	case "null", "zero", "full", "random", "urandom", "kmsg":
		return Device(name), nil
	case "tty", "console":
		return nil, syscall.ENXIO
	}
	if d := k.BlockDevice(strings.TrimPrefix(name, "disk:")); d != nil {
		return &blockFile{dev: d, k: k}, nil
	}
	return nil, syscall.ENXIO
}

// blockFile is an open block device.
type blockFile struct {
	dev *Partition
	k   *Kernel
	off int64
	did bool
}

func (f *blockFile) Read(_ *Process, b []byte) (int, error) {
	left := f.dev.Size - f.off
	if left <= 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), left)]
	f.dev.Disk.Read(f.dev.Start+f.off, b)
	f.off += int64(len(b))
	return len(b), nil
}

func (f *blockFile) Write(_ *Process, b []byte) (int, error) {
	left := f.dev.Size - f.off
	if left <= 0 {
		return 0, errNoSpace
	}
	if !f.did {
		if err := f.k.Mutate(nil); err != nil {
			return 0, err
		}
		f.did = true
	}
	b = b[:min(int64(len(b)), left)]
	f.dev.Disk.Write(f.dev.Start+f.off, b)
	f.off += int64(len(b))
	return len(b), nil
}

func (f *blockFile) seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += f.off
	case io.SeekEnd:
		off += f.dev.Size
	}
	if off < 0 {
		return 0, errInvalid
	}
	f.off = off
	return off, nil
}

func (f *blockFile) Close() {}
