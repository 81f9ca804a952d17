package shamir

import (
	"bytes"
	"crypto/rand"
	"testing"
)

// TestAt: whatever shares are taken, as many as are needed give all others, and the key; one less gives something else.
func TestAt(t *testing.T) {
	const threshold = 3
	points := make([][]byte, threshold)
	for n := range points {
		points[n] = make([]byte, 33)
		_, _ = rand.Read(points[n])
		points[n][32] = byte(n) // the first, at place 0, is the key
	}
	var shares [][]byte
	for place := 1; place < 256; place += 50 {
		shares = append(shares, At(points, byte(place)))
	}
	for a := range shares {
		for b := range a {
			if bytes.Equal(At([][]byte{shares[a], shares[b]}, 0), points[0]) {
				t.Errorf("shares %d and %d alone give the key", a, b)
			}
			for c := range b {
				some := [][]byte{shares[a], shares[b], shares[c]}
				for _, want := range append(shares, points[0]) {
					if got := At(some, want[32]); !bytes.Equal(got, want) {
						t.Errorf("shares %d, %d and %d give another share at %d", a, b, c, want[32])
					}
				}
			}
		}
	}
}

// TestField: the inverse of every element is one, and the example of FIPS 197, 4.2 comes out.
func TestField(t *testing.T) {
	if p := multiply(0x57, 0x83); p != 0xc1 {
		t.Errorf("57 times 83 is %x, want c1", p)
	}
	for n := 1; n < 256; n++ {
		if q := divide(byte(n), byte(n)); q != 1 {
			t.Errorf("%x divided by itself is %x", n, q)
		}
	}
}
