package fsimage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// noOption returns a path that no program takes for an option.
func noOption(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// openImage opens a raw image or a block device for reading.
func openImage(path string) (*os.File, error) {
	at := lab.Error{Op: "open image", Path: path}
	const hint = "give the image of a volume, or a device that holds one"
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe, which is refused, is not waited for
	if err != nil {
		if at.Err = err; errors.Is(err, fs.ErrNotExist) {
			at.Err, at.Hint = fmt.Errorf("%w: %w", lab.ErrNotFound, err), hint
		}
		return nil, &at
	}
	at.Hint = hint
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		at.Err = err
		return nil, &at
	}
	if !fi.Mode().IsRegular() && !diskfile.BlockDevice(fi) {
		f.Close()
		return nil, refuse(at, "neither a file nor a block device")
	}
	return f, nil
}
