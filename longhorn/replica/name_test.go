package replica

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

func TestKind(t *testing.T) {
	for name, want := range map[string]fileKind{
		"volume.meta":                            kindVolumeMeta,
		"volume.meta.tmp":                        kindTemporary,
		"revision.counter":                       kindCounter,
		"volume-head-000.img":                    kindHead,
		"volume-head-1000.img":                   kindHead,
		"volume-head-.img":                       kindUnknown,
		"volume-head-0x1.img":                    kindUnknown,
		"volume-head-000.img.meta":               kindLayerMeta,
		"volume-head-000.img.meta.tmp":           kindTemporary,
		"volume-snap-a.img":                      kindSnapshot,
		"volume-snap-.img":                       kindUnknown,
		"volume-snap-a.img.meta":                 kindLayerMeta,
		"volume-snap-a.img.meta.img":             kindSnapshot, // a snapshot may be called a.img.meta
		"volume-snap-a.img.checksum":             kindChecksum,
		"volume-snap-a.img.snap_tmp":             kindRestore,
		"volume-delta-a.img":                     kindRestore,
		"volume-snap-../../../../etc/passwd.img": kindUnknown,
		"lost+found":                             kindUnknown,
		"":                                       kindUnknown,
	} {
		if got := kindOf(name); got != want {
			t.Errorf("Kind(%q) = %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]string{"pvc-1-0123abcd": "pvc-1", "vol-0123abcd": "vol", "r1": "",
		"-0123abcd": "", "pvc-0123abc": "", "pvc-0123abcg": "", "a-01234567-89abcdef": "a-01234567"} {
		if got := volumeOf(name); got != want {
			t.Errorf("volumeOf(%q) = %q, want %q", name, got, want)
		}
	}
}

// FuzzName: a name that a layer may have is one element of a path.
func FuzzName(f *testing.F) {
	for _, s := range []string{"volume-head-000.img", "volume-snap-x.img.meta", "volume-snap-../x.img",
		"volume-snap-\x00.img", ".", "a-01234567"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if k := kindOf(name); k != kindUnknown && strings.ContainsAny(name, "/\x00") {
			t.Errorf("%q is of kind %d", name, k)
		}
		if diskfile.IsHead(name) && diskfile.IsSnapshot(name) {
			t.Errorf("%q is a head and a snapshot", name)
		}
		if v := volumeOf(name); v != "" && !strings.HasPrefix(name, v+"-") {
			t.Errorf("volume %q of %q", v, name)
		}
	})
}
