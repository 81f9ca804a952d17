// Package shamir computes with the shares of Vault's keys. They are points of polynomials over the field of 256
// elements that AES uses (FIPS 197, 4.2), one polynomial for each byte of the key: a share has their values, and at
// its end the place. At place 0 they have the key (hashicorp/vault, shamir/shamir.go).
package shamir

func multiply(a, b byte) (p byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			p ^= a
		}
		high := a & 0x80
		if a <<= 1; high != 0 {
			a ^= 0x1b
		}
	}
	return p
}

func divide(a, b byte) byte {
	inverse := byte(1)
	for range 254 {
		inverse = multiply(inverse, b)
	}
	return multiply(a, inverse)
}

// At returns the share at a place, of the polynomials of least degree that go through the given shares, which have one
// length, two bytes at least, and different places.
func At(shares [][]byte, place byte) []byte {
	last := len(shares[0]) - 1
	out := make([]byte, last+1)
	out[last] = place
	for i, one := range shares {
		basis := byte(1) // Lagrange's
		for j, two := range shares {
			if i != j {
				basis = multiply(basis, divide(place^two[last], one[last]^two[last]))
			}
		}
		for n := range last {
			out[n] ^= multiply(basis, one[n])
		}
	}
	return out
}
