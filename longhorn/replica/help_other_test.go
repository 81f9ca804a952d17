//go:build !linux

package replica_test

import (
	"os"
	"testing"
)

func statLine(t testing.TB, path string) string {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode().String() + fi.ModTime().String()
}

func contentSum(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return hexSum(data)
}
