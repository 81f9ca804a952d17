package replica

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// treeSum returns the tree hash of p, from its definition.
func treeSum(p []byte) string {
	root := sha256.New()
	for len(p) > 0 {
		n := min(len(p), 4<<20)
		sum := sha256.Sum256(p[:n])
		root.Write(sum[:])
		p = p[n:]
	}
	return hex.EncodeToString(root.Sum(nil))
}

// TreeSum is treeSum, for tests from outside of the package.
func TreeSum(p []byte) string { return treeSum(p) }

// TestZeroPiece computes the digest that is known.
func TestZeroPiece(t *testing.T) {
	sum := sha256.Sum256(make([]byte, pieceSize))
	if got := hex.EncodeToString(sum[:]); got != zeroPiece {
		t.Errorf("the digest of a piece of zeros is %s, not %s", got, zeroPiece)
	}
}
