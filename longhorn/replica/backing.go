package replica

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// findBacking looks for the backing file that volume.meta records, in the replica directory dir.
// The recorded path is the one inside the instance manager, which sees the host under /host. Of the
// places that are looked at, more than one file is too many.
func findBacking(dir, recorded string) (string, error) {
	recorded = filepath.Clean(recorded)
	var candidates []string
	if filepath.IsAbs(recorded) {
		candidates = append(candidates, recorded)
		if host, ok := strings.CutPrefix(recorded, "/host/"); ok {
			candidates = append(candidates, "/"+host)
		}
	}
	// DISK/replicas/VOLUME-x and DISK/backing-images/NAME/backing; or the last two elements moved
	// along beside the replica.
	parts := strings.Split(strings.Trim(filepath.ToSlash(recorded), "/"), "/")
	tail := filepath.Join(parts[max(0, len(parts)-2):]...)
	disk := filepath.Dir(filepath.Dir(dir))
	images := filepath.Join(disk, "backing-images")
	candidates = append(candidates,
		filepath.Join(images, tail), filepath.Join(disk, tail), filepath.Join(filepath.Dir(dir), tail))
	if len(parts) == 1 {
		candidates = append(candidates, filepath.Join(dir, tail))
	}
	var found []string
	for _, c := range candidates {
		known := slices.ContainsFunc(found, func(f string) bool { return diskfile.SameFile(f, c) })
		if diskfile.IsFile(c) && !known {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("the backing file is not there, nor in %s, nor beside the replica", images)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("several files may be the backing file: %s", strings.Join(found, ", "))
}

// backingImages lists the backing files on the disk that holds the replica directory dir, or that
// were moved along beside it.
func backingImages(dir string) []string {
	disk := filepath.Dir(filepath.Dir(dir))
	found, _ := filepath.Glob(filepath.Join(globQuote(disk), "backing-images", "*", "backing"))
	if beside := filepath.Join(filepath.Dir(dir), "backing", "backing"); diskfile.IsFile(beside) {
		found = append(found, beside)
	}
	return found
}

// globQuote returns s as a pattern that matches s alone.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// imageFormat returns the format of a file that is not a raw image, by its first bytes, and the command
// that makes one of it, with a place for the file and one for the image; "" for what may be raw. The
// magic numbers are those of libmagic.
func imageFormat(head string) (format, convert string) {
	const qemu = "qemu-img convert -O raw %s %s"
	for _, f := range []struct {
		format  string
		off     int
		magic   string
		convert string
	}{
		{"qcow2", 0, "QFI\xfb", qemu},
		{"vmdk", 0, "KDMV", qemu},
		{"vmdk", 0, "COWD", qemu},
		{"vmdk", 0, "# Disk DescriptorFile", qemu},
		{"vdi", 64, "\x7f\x10\xda\xbe", qemu},
		{"vhdx", 0, "vhdxfile", qemu},
		{"vhd", 0, "conectix", qemu},
		{"qed", 0, "QED\x00", qemu},
		{"gzip", 0, "\x1f\x8b", "gzip -dc %s > %s"},
		{"xz", 0, "\xfd7zXZ\x00", "xz -dc %s > %s"},
		{"zstd", 0, "\x28\xb5\x2f\xfd", "zstd -dc %s > %s"},
		{"bzip2", 0, "BZh", "bzip2 -dc %s > %s"},
		{"lz4", 0, "\x04\x22\x4d\x18", "lz4 -dc %s > %s"},
		{"zip", 0, "PK\x03\x04", "unzip -p %s > %s"},
		{"tar", 257, "ustar", "tar -xOf %s > %s"},
	} {
		if len(head) > f.off && strings.HasPrefix(head[f.off:], f.magic) {
			return f.format, f.convert
		}
	}
	return "", ""
}

// checkBacking refuses what cannot lie under a volume of that size as it is.
func checkBacking(path string, volume int64) error {
	at := lab.Error{Op: "use backing file", Path: path}
	head, fi, err := diskfile.Read(path, 512)
	if err != nil {
		at.Hint, at.Set, at.Err = "give the backing file", lab.Setting{Name: SettingBacking}, err
		return &at
	}
	if format, convert := imageFormat(string(head)); format != "" {
		raw := path + ".raw"
		command := fmt.Sprintf(convert, diskfile.Quote(path), diskfile.Quote(raw))
		next := set("convert it with: "+command+"; then give what it wrote", SettingBacking, raw)
		return next.refuse(at, "a file of the format %s, not a raw image", format)
	}
	right := set("give the right file, a raw image", SettingBacking, "")
	switch {
	case fi.Size == 0 || fi.Size%512 != 0:
		return right.refuse(at, "%d bytes, not a positive multiple of 512", fi.Size)
	case fi.Size > volume:
		return right.refuse(at, "%d bytes, larger than the volume (%d)", fi.Size, volume)
	}
	return nil
}

// backing finds the backing file.
func (b *chainBuilder) backing() error {
	recorded := b.meta.backing()
	if recorded == "" {
		recorded = b.d.Meta.backing()
	}
	switch {
	case b.want.NoBacking && b.want.Backing != "":
		return b.refuse("", do("give one of them"), "both a backing file and none are asked for")
	case recorded != "" && b.want.NoBacking:
		return b.refuse(recorded, set("give it", SettingBacking, ""), "the volume has a backing file")
	case recorded == "" && b.known && b.want.Backing != "":
		return b.refuse(b.want.Backing, do("leave the backing file out"), "the volume has no backing file")
	case recorded == "" && b.want.Backing == "" && (b.known || b.want.NoBacking):
		return nil
	case recorded == "" && b.want.Backing == "":
		return b.unknownBacking()
	}
	path := b.want.Backing
	if path == "" {
		found, err := findBacking(b.d.Path, recorded)
		if err != nil {
			return b.refuse(recorded, set("give the backing file", SettingBacking, ""), "%v", err)
		}
		path = found
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if abs != recorded {
		b.warn(WarnBackingRemapped, abs, "used as backing file for %s", recordedName(recorded))
	}
	if err := checkBacking(abs, b.chain.Size); err != nil {
		return err
	}
	b.chain.Backing = abs
	return nil
}

// unknownBacking is for a volume whose volume.meta is lost, and with it whether there was a backing
// file.
func (b *chainBuilder) unknownBacking() error {
	if near := backingImages(b.d.Path); len(near) > 0 {
		next := set("give the backing file", SettingBacking, "").or("say that it has none", SettingNoBacking, "")
		return b.refuse(volumeMetaFile, next,
			"%s, and with it whether the volume has a backing file; there are some on its disk: %s",
			b.d.MetaState, strings.Join(near, ", "))
	}
	b.warn(WarnBackingUnknown, volumeMetaFile, "%s, and with it whether the volume has a backing file: there is none "+
		"on its disk, so it is taken for one without", b.d.MetaState)
	return nil
}

// recordedName returns what volume.meta says of the backing file, for a message.
func recordedName(recorded string) string {
	if recorded == "" {
		return "a volume whose volume.meta is lost"
	}
	return lab.Printable(recorded)
}
