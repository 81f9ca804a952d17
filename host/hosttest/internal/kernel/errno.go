package kernel

import (
	"errors"
	"io/fs"
	"syscall"
)

// Strerror gives the C library's text for an error, which is what programs print.
func Strerror(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	switch no {
	case syscall.EPERM:
		return "Operation not permitted"
	case syscall.ENOENT:
		return "No such file or directory"
	case syscall.ESRCH:
		return "No such process"
	case syscall.EIO:
		return "Input/output error"
	case syscall.ENXIO:
		return "No such device or address"
	case syscall.ENOEXEC:
		return "Exec format error"
	case syscall.EBADF:
		return "Bad file descriptor"
	case syscall.EAGAIN:
		return "Resource temporarily unavailable"
	case syscall.EACCES:
		return "Permission denied"
	case syscall.EBUSY:
		return "Device or resource busy"
	case syscall.EEXIST:
		return "File exists"
	case syscall.EXDEV:
		return "Invalid cross-device link"
	case syscall.ENODEV:
		return "No such device"
	case syscall.ENOTDIR:
		return "Not a directory"
	case syscall.EISDIR:
		return "Is a directory"
	case syscall.EINVAL:
		return "Invalid argument"
	case syscall.ENOTTY:
		return "Inappropriate ioctl for device"
	case syscall.ETXTBSY:
		return "Text file busy"
	case syscall.EFBIG:
		return "File too large"
	case syscall.ENOSPC:
		return "No space left on device"
	case syscall.EROFS:
		return "Read-only file system"
	case syscall.EMLINK:
		return "Too many links"
	case syscall.EPIPE:
		return "Broken pipe"
	case syscall.ENAMETOOLONG:
		return "File name too long"
	case syscall.ENOTEMPTY:
		return "Directory not empty"
	case syscall.ELOOP:
		return "Too many levels of symbolic links"
	case syscall.ENOTSUP:
		return "Operation not supported"
	}
	return no.Error()
}

// pathErr wraps an errno for callers outside the package, who expect errors.Is(err, fs.ErrNotExist) and the path.
func pathErr(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

const (
	errNoSpace = syscall.ENOSPC
	errInvalid = syscall.EINVAL
	errNotDir  = syscall.ENOTDIR
)

const ErrIsDir = syscall.EISDIR
