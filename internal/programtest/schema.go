package programtest

import (
	"os"
	"testing"
)

// Schema tests that schema.json, in the working directory, is the schema of the program's config.
// With update it writes the file.
func Schema(t *testing.T, have string, want []byte, update bool) {
	t.Helper()
	switch {
	case update:
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	case have != string(want):
		t.Error("schema.json is outdated; update it with go test -update")
	}
}
