package replica

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// FuzzDirectory: no metadata in a directory makes the reader panic, look outside of it, or fail
// otherwise than by a refusal.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte(`{"Size":8192,"Head":"volume-head-000.img","Parent":"volume-snap-a.img"}`),
		[]byte(`{"Parent":"volume-snap-a.img"}`), []byte(`{"Parent":""}`), []byte("1"))
	f.Add([]byte(``), []byte("\x00\x00"), []byte(`{"Parent":"volume-snap-b.img"}`), []byte("0"))
	f.Add([]byte(`{"Size":8192,"Head":"volume-snap-a.img","BackingFilePath":"/etc/passwd"}`),
		[]byte(`{"Parent":"volume-snap-a.img/../x.img"}`), []byte(`{"Parent":"volume-snap-a.img"}`), []byte("x"))
	f.Add([]byte(`{"Size":8192,"Head":"volume-head-000.img","BackingFilePath":"../../x"}`),
		[]byte(`{"Parent":"","Labels":{"a":"b"}}`), []byte(`{}`), []byte(""))
	f.Fuzz(func(t *testing.T, volume, head, snap, counter []byte) {
		dir := filepath.Join(t.TempDir(), "vol-0123abcd")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{
			volumeMetaFile: volume, "volume-head-000.img.meta": head, "volume-snap-a.img.meta": snap,
			"volume-snap-b.img.meta": snap, counterFile: counter,
			"volume-snap-a.img.checksum": snap, "volume-head-000.img": make([]byte, 8192),
			"volume-snap-a.img": make([]byte, 8192), "volume-snap-b.img": make([]byte, 4096),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []Want{{}, {Snapshot: "a", ForceRebuilding: true},
			{DropMissing: true, ForceRebuilding: true, Encrypted: true}} {
			c, err := d.Chain(w)
			if err != nil {
				if !errors.Is(err, lab.ErrRefused) {
					t.Errorf("%v", err)
				}
				continue
			}
			for _, l := range c.Layers {
				if strings.ContainsRune(l.File, '/') || l.Absent {
					t.Errorf("layer %q", l.File)
				}
			}
			if len(c.Layers) > 3 || c.Size <= 0 || c.Size%sectorSize != 0 {
				t.Errorf("%d layers, %d bytes", len(c.Layers), c.Size)
			}
		}
		d.Points(Want{})
	})
}
