package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// TestWriteFile: a file has the content and the mode, whatever was there; what cannot be written leaves what
// was there, and nothing else.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"old": 0o644, "read only": 0o444} {
		if err := os.WriteFile(at(name), []byte("a longer text than the new one"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"link": "old", "dangling": "made"} {
		if err := os.Symlink(to, at(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"new", "old", "read only", "link"} {
		if err := cli.WriteFile(at(name), []byte("x"), 0o600); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b, err := os.ReadFile(at(name))
		st, _ := os.Stat(at(name))
		if err != nil || string(b) != "x" || st.Mode() != 0o600 {
			t.Errorf("%s: %q, %v, %v", name, b, st.Mode(), err)
		}
	}
	if st, err := os.Lstat(at("link")); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Error("a link was replaced")
	}
	if err := cli.WriteFile(os.DevNull, []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(os.DevNull); err != nil || st.Mode().IsRegular() {
		t.Fatal("a device was replaced")
	}
	for _, name := range []string{"no/directory", "."} {
		if err := cli.WriteFile(at(name), []byte("x"), 0o600); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 { // new, old, read only, link, dangling
		t.Errorf("left: %v %v", entries, err)
	}
}
