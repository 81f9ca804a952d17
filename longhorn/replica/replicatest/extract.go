package replicatest

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Extract recreates replica directories below dir from a tar in which each layer X.img is stored as
// X.img.map, a JSON object with the file's size and the offsets and lengths of its extents,
// followed somewhere by X.img.dat, the extents' bytes. Zeros in extents are written. Everything
// else is stored as it is. Times are kept.
func Extract(r io.Reader, dir string) error {
	type extentMap struct {
		Size    int64
		Extents [][2]int64
	}
	maps := map[string]extentMap{}
	times := map[string]time.Time{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("%s: outside of the directory", h.Name)
		}
		name := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(name, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		switch layer := strings.TrimSuffix(name, path.Ext(name)); {
		case strings.HasSuffix(name, ".img.map"):
			var m extentMap
			if err := json.NewDecoder(tr).Decode(&m); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
			maps[layer], times[layer] = m, h.ModTime
		case strings.HasSuffix(name, ".img.dat"):
			m, ok := maps[layer]
			if !ok {
				return fmt.Errorf("%s: comes before its map", h.Name)
			}
			if err := writeExtents(layer, m.Size, m.Extents, tr); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
		default:
			data, err := io.ReadAll(tr)
			if err != nil {
				return err
			}
			if err := writeFile(name, data, os.FileMode(h.Mode)&0o777); err != nil {
				return err
			}
			times[name] = h.ModTime
		}
	}
	for name, t := range times {
		if err := os.Chtimes(name, t, t); err != nil {
			return err
		}
	}
	return nil
}

func writeExtents(name string, size int64, extents [][2]int64, r io.Reader) error {
	syscall.ForkLock.RLock() // as in writeFile
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	for _, e := range extents {
		if _, err := io.CopyN(io.NewOffsetWriter(f, e[0]), r, e[1]); err != nil {
			return err
		}
	}
	// Otherwise the block count, which says how much a layer holds, would still change.
	return errors.Join(f.Sync(), f.Close())
}
