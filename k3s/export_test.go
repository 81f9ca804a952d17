package k3s

import "testing"

// FileSum returns the SHA-256 of a local file in hex.
func FileSum(tb testing.TB, name string) string {
	tb.Helper()
	sum, err := fileSum(name)
	if err != nil {
		tb.Fatal(err)
	}
	return sum
}
