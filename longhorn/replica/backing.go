package replica

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// findBacking looks for the backing file that volume.meta records, in the replica directory dir. The recorded path is the one inside the
// instance manager, which sees the host under /host. Of the places that are looked at, more than one file is too many.
func findBacking(dir, recorded string) (string, error) {
	recorded = filepath.Clean(recorded)
	var candidates []string
	if filepath.IsAbs(recorded) {
		candidates = append(candidates, recorded)
		if host, ok := strings.CutPrefix(recorded, "/host/"); ok {
			candidates = append(candidates, "/"+host)
		}
	}
	// DISK/replicas/VOLUME-x and DISK/backing-images/NAME/backing; or the last two elements moved along beside the replica.
	parts := strings.Split(strings.Trim(filepath.ToSlash(recorded), "/"), "/")
	tail := filepath.Join(parts[max(0, len(parts)-2):]...)
	disk := filepath.Dir(filepath.Dir(dir))
	candidates = append(candidates, filepath.Join(disk, "backing-images", tail), filepath.Join(disk, tail), filepath.Join(filepath.Dir(dir), tail))
	if len(parts) == 1 {
		candidates = append(candidates, filepath.Join(dir, tail))
	}
	var found []string
	for _, c := range candidates {
		if fi, err := os.Stat(c); err == nil && fi.Mode().IsRegular() && !slices.ContainsFunc(found, func(f string) bool { return diskfile.SameFile(f, c) }) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("the backing file is not there, nor in %s, nor beside the replica", filepath.Join(disk, "backing-images"))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("several files may be the backing file: %s", strings.Join(found, ", "))
}

// backingImages lists the backing files on the disk that holds the replica directory dir, or that were moved along beside it.
func backingImages(dir string) []string {
	disk := filepath.Dir(filepath.Dir(dir))
	found, _ := filepath.Glob(filepath.Join(globQuote(disk), "backing-images", "*", "backing"))
	if beside := filepath.Join(filepath.Dir(dir), "backing", "backing"); diskfile.IsFile(beside) {
		found = append(found, beside)
	}
	return found
}

func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// checkBacking refuses what cannot lie under a volume of that size as it is.
func checkBacking(path string, volume int64) error {
	refuse := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "use backing file", Path: path, Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
	}
	head, fi, err := diskfile.Read(path, 16)
	if err != nil {
		return &lab.Error{Op: "use backing file", Path: path, Hint: "give the backing file with -backing FILE", Err: err}
	}
	switch {
	case strings.HasPrefix(string(head), "QFI\xfb"):
		return refuse("convert it with: qemu-img convert -O raw "+diskfile.Quote(path)+" FILE.raw, then give it with -backing FILE.raw", "a qcow2 image, not a raw one")
	case fi.Size == 0 || fi.Size%512 != 0:
		return refuse("give the right file with -backing FILE: a raw image", "%d bytes, not a positive multiple of 512", fi.Size)
	case fi.Size > volume:
		return refuse("give the right file with -backing FILE", "%d bytes, larger than the volume (%d)", fi.Size, volume)
	}
	return nil
}
