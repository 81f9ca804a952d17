package fsimage

import (
	"strings"
	"testing"
)

// FuzzListing: debugfs prints names of the image's making.
func FuzzListing(f *testing.F) {
	f.Add("/12/100644/1000/70000/a/3/")
	f.Add("/2/040755/0/0/..//")
	f.Add("/0/000000/0/0//0/")
	f.Add("/1/1/1/1/a/b/3/")
	f.Fuzz(func(t *testing.T, line string) {
		if n, name, ok := parseListing(line); ok && (name == "" || strings.ContainsRune(name, '/') || n.ino == 0) {
			t.Errorf("%q: %q %+v", line, name, n)
		}
		parseTime(line)
	})
}
