package replica_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

func hexSum(p []byte) string {
	s := sha256.Sum256(p)
	return hex.EncodeToString(s[:])
}

// needExtents skips where the file system that holds dir, or the system, reports no extents.
func needExtents(t testing.TB, dir string) {
	t.Helper()
	one := replicatest.Replica{Sectors: 1, Layers: []replicatest.Layer{{Name: "s0"}, {}}}
	d := filepath.Join(dir, "probe")
	defer replicatest.Remove(d)
	if err := one.Write(d); err != nil {
		t.Fatal(err)
	}
	if _, err := replicatest.Read(d, ""); err != nil {
		real.Missing(t, "extents (FIEMAP) of the temporary directory: "+err.Error())
	}
}

// fixture recreates one of the sets of testdata/fixtures and returns its replica directories.
func fixture(t testing.TB, name, dir string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "fixtures", name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := replicatest.Extract(z, dir); err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join(dir, "r*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%s: no replicas (%v)", name, err)
	}
	return dirs
}

// expected returns the hash of each set's image.
func expected(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "fixtures", "EXPECTED.sha256.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 {
			sums[f[2]] = f[0]
		}
	}
	return sums
}

// write writes a replica directory of the usual name and returns its path.
func write(t testing.TB, rep replicatest.Replica) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "replicas", "vol-0123abcd")
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open reads, chains and opens a directory.
func open(t testing.TB, dir string, w replica.Want) *replica.Image {
	t.Helper()
	d, err := replica.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Chain(w)
	if err != nil {
		t.Fatal(err)
	}
	im, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

// refused requires that the error is a guard's, says want, and has a hint.
func refused(t testing.TB, err error, want string) {
	t.Helper()
	if !errors.Is(err, lab.ErrRefused) {
		t.Fatalf("not refused: %v", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("refused, but does not say %q: %v", want, err)
	}
	if len(lab.Hints(err)) == 0 {
		t.Fatalf("refused without a hint: %v", err)
	}
}

func has(ws []replica.Warning, code replica.Code) bool {
	for _, w := range ws {
		if w.Code == code {
			return true
		}
	}
	return false
}
