package fsimage

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// TestHashProgress reports how far it is within a large sparse file, in its holes too.
func TestHashProgress(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 64 << 20
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("data"), size/2); err != nil {
		t.Fatal(err)
	}
	calls, last := 0, int64(-1)
	sum, err := hashData(t.Context(), f, size, func(done int64) {
		if done < last || done > size {
			t.Errorf("%d bytes after %d", done, last)
		}
		calls, last = calls+1, done
	}, func([]byte, int64) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, size)
	copy(content[size/2:], "data")
	if want := sha256.Sum256(content); sum != hex.EncodeToString(want[:]) {
		t.Errorf("the sum is wrong")
	}
	if calls < size/chunkSize-1 {
		t.Errorf("%d reports", calls)
	}
}
