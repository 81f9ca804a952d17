package programtest

import (
	"os"
	"testing"
)

// Schema keeps schema.json, in the working directory, in step with what a program's config says now. With update it writes the file anew.
func Schema(t *testing.T, have string, want []byte, update bool) {
	t.Helper()
	switch {
	case update:
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	case have != string(want):
		t.Error("schema.json is not what the config says; write it anew with -update")
	}
}
