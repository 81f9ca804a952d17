package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
)

// treeSum returns the tree hash of p, from its definition.
func treeSum(p []byte) string {
	root := sha256.New()
	for piece := range slices.Chunk(p, 4<<20) {
		h := sha256.New()
		for sector := range slices.Chunk(piece, 4096) {
			sum := sha256.Sum256(sector)
			h.Write(sum[:])
		}
		root.Write(h.Sum(nil))
	}
	return hex.EncodeToString(root.Sum(nil))
}

// TestZeroSector computes the digest that is known.
func TestZeroSector(t *testing.T) {
	sum := sha256.Sum256(make([]byte, sectorSize))
	if !bytes.Equal(sum[:], []byte(zeroSector)) {
		t.Errorf("the digest of a sector of zeros is %x, not %x", sum, zeroSector)
	}
}
