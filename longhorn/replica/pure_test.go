package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// TestLocate compares the intervals with an array that has an entry for each sector.
func TestLocate(t *testing.T) {
	const sectors = 40
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 0))
		layers, want := make([][]diskfile.Extent, 1+r.IntN(6)), [sectors]int{}
		for i := range want {
			want[i] = -1
		}
		for l := range layers {
			for s := range int64(sectors) {
				if r.IntN(3) == 0 {
					layers[l] = diskfile.AppendExtent(layers[l], diskfile.Extent{Off: s * sectorSize, Len: sectorSize})
					if want[s] < 0 {
						want[s] = l
					}
				}
			}
		}
		got, end := [sectors]int{}, int64(0)
		for i := range got {
			got[i] = -1
		}
		for _, s := range locate(layers) {
			if s.start < end || s.end <= s.start {
				t.Fatalf("seed %d: segments overlap or are empty: %v", seed, locate(layers))
			}
			end = s.end
			for i := s.start / sectorSize; i < s.end/sectorSize; i++ {
				got[i] = int(s.layer)
			}
		}
		if got != want {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}

func TestSectors(t *testing.T) {
	got := sectors([]diskfile.Extent{{Off: 100, Len: 1}, {Off: 4096, Len: 4096, Unwritten: true},
		{Off: 20480, Len: 1024}, {Off: 22528, Len: 9999}}, 6*4096)
	if want := "[{0 8192 false} {20480 4096 false}]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCRCZeros(t *testing.T) {
	table := crc64.MakeTable(crc64.ISO)
	for _, n := range []int64{0, 1, 2, 3, 255, 4096, 100_003} {
		crc := crc64.Checksum([]byte("something before"), table)
		if got, want := crcZeros(crc, n), crc64.Update(crc, table, make([]byte, n)); got != want {
			t.Errorf("%d zeros: %x, want %x", n, got, want)
		}
	}
}

func TestReadable(t *testing.T) {
	for data, want := range map[string]string{
		``: `{}`, `[1`: `{}`, `{`: `{}`, `{"a`: `{}`, `{"a":`: `{}`, `{"a":1`: `{}`, `{"a":1,`: `{"a":1}`,
		`{"a":1,"b":"x`: `{"a":1}`, `{"a":1,"b":"x"`: `{"a":1}`,
		`{"a":"x","b":tr`: `{"a":"x"}`, "{\"a\":true,\"b\x00\x00": `{"a":true}`, "{\"a\":12\x00\x00": `{}`,
		`{"a":{"b":1},"c":[1,`: `{"a":{"b":1}}`, `{"a":1}`: `{"a":1}`,
	} {
		if got := string(readable([]byte(data))); got != want {
			t.Errorf("of %q %s can be read, want %s", data, got, want)
		}
	}
}

// FuzzMeta: no metadata makes the parsers panic, and what they call good is fit to be used.
func FuzzMeta(f *testing.F) {
	for _, s := range []string{
		"", "\x00\x00\x00", "{}", "null", "[]", `{"Size":4096,"Head":"volume-head-000.img"}`,
		`{"Size":-1,"Head":"../x"}`,
		`{"Size":16777216,"Head":"volume-head-001.img","Dirty":true,"Rebuilding":false,"Error":"",` +
			`"Parent":"volume-snap-s1.img","SectorSize":512,"BackingFilePath":"","Encrypted":false}`,
		`{"Name":"volume-head-000.img","Parent":"","Removed":false,"UserCreated":true,` +
			`"Created":"2026-11-22T04:30:39Z","Labels":null}`,
		`{"Parent":"volume-snap-a/b.img"}`, `{"parent":"volume-snap-s1.img"}{"x":1}`, "4\x00\x00",
		"99999999999999999999", "-1",
		`{"method":"crc64","checksum":"e30456c2a185df10","change_time":"","last_hashed_at":"","silently_corrupted":false}`,
		`{"Size":16777216,"Head":"volume-head-001.img","Dirty":true,"Rebuil`,
		`{"Name":"volume-head-000.img","Parent":"volume-snap-a.img","Labels":{"a":`, `{"Parent":5,"Size":12`,
		`{"Size":1e99}`, `{"Parent":null}`, "\xff\xfe{", `{"Size":9223372036854775807,"Head":"volume-head-0.img"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, s, _, err := parseVolumeMeta(data); s == Good &&
			(err != nil || m.Size <= 0 || m.Size%sectorSize != 0 || m.Size > maxVolume || !diskfile.IsHead(m.Head)) {
			t.Errorf("volume.meta %+v %v", m, err)
		}
		if m, s, _, err := parseLayerMeta(data); s == Good &&
			(err != nil || m.Parent != "" && !diskfile.IsSnapshot(m.Parent)) {
			t.Errorf(".meta %+v %v", m, err)
		}
		if n, s, err := parseCounter(data); s == Good && (err != nil || n < 0) {
			t.Errorf("counter %d %v", n, err)
		}
		parseChecksum(data)
		if !json.Valid(readable(data)) {
			t.Errorf("of %q %q can be read", data, readable(data))
		}
	})
}

// recorder is a sink that checks what it receives.
type recorder struct {
	t    *testing.T
	open bool
	size int64
}

func (r *recorder) header(streamHeader) error { return nil }

func (r *recorder) entry(e streamEntry) error {
	if e.valid() != nil || strings.ContainsAny(e.Name, "/\x00") {
		r.t.Errorf("entry %+v", e)
	}
	r.open, r.size = e.Link == "", e.Size
	return nil
}

func (r *recorder) data(off int64, p []byte) error { return r.unwritten(off, int64(len(p))) }

func (r *recorder) unwritten(off, n int64) error {
	if !r.open || off < 0 || n <= 0 || off+n > r.size {
		r.t.Errorf("%d bytes at %d of %d", n, off, r.size)
	}
	return nil
}

func (r *recorder) endEntry([]diskfile.Extent) error { return nil }

// sampleStream is a stream with everything in it.
func sampleStream() []byte {
	var b bytes.Buffer
	w := newStreamWriter(&b)
	err := errors.Join(
		w.begin(streamHeader{Version: streamVersion, Directory: "vol"}),
		w.beginEntry(streamEntry{Name: "a", Size: 10000, Mode: 0o600}),
		w.extent(diskfile.Extent{Off: 0, Len: 3}), w.frame(frameData, []byte("ab")), w.frame(frameData, []byte("c")),
		w.extent(diskfile.Extent{Off: 4096, Len: 4096, Unwritten: true}), w.endEntry(),
		w.beginEntry(streamEntry{Name: "b", Size: 10000, Link: "a"}), w.endEntry(), w.end())
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// FuzzStream: no stream makes the reader panic, or give its sink what is outside of a file. A byte
// of a good stream is changed too, which its checksums must find.
func FuzzStream(f *testing.F) {
	f.Add(sampleStream(), 30, byte(1))
	f.Add([]byte(streamMagic), 0, byte(0))
	f.Fuzz(func(t *testing.T, data []byte, at int, b byte) {
		err := readStream(bytes.NewReader(data), &recorder{t: t})
		if err != nil && !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("error %v", err)
		}
		whole := sampleStream()
		at = max(0, at) % len(whole)
		if whole[at] != b {
			whole[at] = b
			if err := readStream(bytes.NewReader(whole), &recorder{t: t}); !errors.Is(err, lab.ErrInvalid) {
				t.Errorf("byte %d set to %d: %v", at, b, err)
			}
		}
	})
}

// TestStreamRefuses what no replica directory can hold, checksums being right.
func TestStreamRefuses(t *testing.T) {
	for name, write := range map[string]func(*streamWriter) error{
		"path":          func(w *streamWriter) error { return w.beginEntry(streamEntry{Name: "../x"}) },
		"absolute":      func(w *streamWriter) error { return w.beginEntry(streamEntry{Name: "/x"}) },
		"dot":           func(w *streamWriter) error { return w.beginEntry(streamEntry{Name: ".."}) },
		"no name":       func(w *streamWriter) error { return w.beginEntry(streamEntry{}) },
		"negative size": func(w *streamWriter) error { return w.beginEntry(streamEntry{Name: "x", Size: -1}) },
		"link to nothing": func(w *streamWriter) error {
			return w.beginEntry(streamEntry{Name: "x", Link: "/etc/passwd"})
		},
		"extent outside": func(w *streamWriter) error {
			return errors.Join(w.beginEntry(streamEntry{Name: "x", Size: 10}),
				w.extent(diskfile.Extent{Off: 5, Len: 6}))
		},
		"extent overflows": func(w *streamWriter) error {
			return errors.Join(w.beginEntry(streamEntry{Name: "x", Size: 10}),
				w.extent(diskfile.Extent{Off: 1 << 62, Len: 1 << 62}))
		},
		"extents out of turn": func(w *streamWriter) error {
			return errors.Join(w.beginEntry(streamEntry{Name: "x", Size: 10}),
				w.extent(diskfile.Extent{Off: 5, Len: 1, Unwritten: true}), w.extent(diskfile.Extent{Off: 1, Len: 1}))
		},
		"too much data": func(w *streamWriter) error {
			return errors.Join(w.beginEntry(streamEntry{Name: "x", Size: 10}),
				w.extent(diskfile.Extent{Off: 0, Len: 1}), w.frame(frameData, []byte("ab")))
		},
		"too little data": func(w *streamWriter) error {
			return errors.Join(w.beginEntry(streamEntry{Name: "x", Size: 10}),
				w.extent(diskfile.Extent{Off: 0, Len: 9}))
		},
		"twice": func(w *streamWriter) error {
			return errors.Join(w.beginEntry(streamEntry{Name: "x"}), w.endEntry(), w.beginEntry(streamEntry{Name: "x"}))
		},
	} {
		var b bytes.Buffer
		w := newStreamWriter(&b)
		err := errors.Join(w.begin(streamHeader{Version: streamVersion}), write(w), w.endEntry(), w.end())
		if err != nil {
			t.Fatal(err)
		}
		if err := readStream(&b, &recorder{t: t}); !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var b bytes.Buffer
	w := newStreamWriter(&b)
	if err := errors.Join(w.begin(streamHeader{Version: streamVersion + 1}), w.end()); err != nil {
		t.Fatal(err)
	}
	const later = "version 2, this program knows 1"
	if err := readStream(&b, &recorder{t: t}); err == nil || !strings.Contains(err.Error(), later) {
		t.Errorf("a later version: %v", err)
	}
	if err := readStream(bytes.NewReader(sampleStream()), &recorder{t: t}); err != nil {
		t.Errorf("a good stream: %v", err)
	}
}
