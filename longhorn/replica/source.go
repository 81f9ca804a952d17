package replica

import (
	"errors"
	"fmt"
	"io"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// source is a layer or backing file, opened read-only.
type source struct {
	path  string
	file  *os.File
	print diskfile.Fingerprint
}

// readAt fills p; what is behind the file's end reads as zeros.
func (s *source) readAt(p []byte, off int64) error {
	n := max(0, min(int64(len(p)), s.print.Size-off))
	clear(p[n:])
	if n == 0 {
		return nil
	}
	got, err := s.file.ReadAt(p[:n], off)
	if errors.Is(err, io.EOF) && int64(got) < n {
		return fmt.Errorf("read at %d: the file became shorter meanwhile: %w", off, lab.ErrDrift)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %d bytes at %d: %w", n, off, err)
	}
	return nil
}
