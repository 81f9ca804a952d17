package replica

// Hash is how an image is hashed while it is written.
type Hash string

// The hashes.
const (
	// TreeHash is the SHA-256 over the SHA-256 digests of the image's pieces of 4 MiB: see the
	// package's documentation. The pieces are hashed in parallel, and those without data cost nothing.
	TreeHash Hash = ""
	// SHA256 is the SHA-256 of the whole image, holes as zeros. It takes as long as one core takes to
	// hash the volume's size, however little of that is data.
	SHA256 Hash = "sha256"
	NoHash Hash = "none"
)

// pieceSize is how many bytes of an image a piece of the tree hash has; the last one may have fewer.
// It is also what is copied at a time.
const pieceSize = 4 << 20

// zeroPiece is the SHA-256 of a piece of zeros.
const zeroPiece = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"
