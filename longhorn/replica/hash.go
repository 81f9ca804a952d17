package replica

import (
	"bytes"
	"crypto/sha256"
)

// Hash is how an image is hashed while it is written.
type Hash string

// The hashes.
const (
	// TreeHash is a tree of SHA-256 digests, of sectors, pieces of 4 MiB, and the whole: see the
	// package's documentation. It takes the time that the data take, hashed in parallel.
	TreeHash Hash = ""
	// SHA256 is the SHA-256 of the whole image, holes as zeros. It takes as long as one core takes to
	// hash the volume's size, however little of that is data.
	SHA256 Hash = "sha256"
	NoHash Hash = "none"
)

// pieceSize is how many bytes of an image a piece of the tree hash has; the last one may have fewer.
// It is also what is copied at a time.
const pieceSize = 4 << 20

// zeroSector is the SHA-256 of a sector of zeros.
const zeroSector = "\xad\x7f\xac\xb2\x58\x6f\xc6\xe9\x66\xc0\x04\xd7\xd1\xd1\x6b\x02" +
	"\x4f\x58\x05\xff\x7c\xb4\x7c\x7a\x85\xda\xbd\x8b\x48\x89\x2c\xa7"

// pieceHash computes the digest of a piece: the SHA-256 of the digests of its sectors.
type pieceHash struct {
	digests [pieceSize / sectorSize * sha256.Size]byte
}

// reset makes it that of a piece of zeros.
func (h *pieceHash) reset() {
	n := copy(h.digests[:], zeroSector)
	for ; n < len(h.digests); n *= 2 {
		copy(h.digests[n:], h.digests[:n])
	}
}

// zeroPiece returns the digest of a piece of that many zeros.
func zeroPiece(size int64) [sha256.Size]byte {
	var h pieceHash
	h.reset()
	return h.sum(size)
}

// add says what the sectors from the offset off in the piece on hold. Those of zeros cost little.
func (h *pieceHash) add(p []byte, off int64) {
	var zero [sectorSize]byte
	for i := int64(0); i < int64(len(p)); i += sectorSize {
		if sector := p[i : i+sectorSize]; !bytes.Equal(sector, zero[:]) {
			sum := sha256.Sum256(sector)
			copy(h.digests[(off+i)/sectorSize*sha256.Size:], sum[:])
		}
	}
}

// sum returns the digest of a piece of that many bytes.
func (h *pieceHash) sum(size int64) [sha256.Size]byte {
	return sha256.Sum256(h.digests[:size/sectorSize*sha256.Size])
}
