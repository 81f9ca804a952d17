package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDir(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	d := DirOf(filepath.Join(dir, "lab.yaml"))
	for name, want := range map[string]string{"": "", "~/a/b": filepath.Join(home, "a/b"), "a": filepath.Join(dir, "a"),
		"../a": filepath.Join(filepath.Dir(dir), "a"), "/a": "/a", "~a": filepath.Join(dir, "~a")} {
		if got, err := d.Path(name); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", name, got, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := d.ReadFile("~/secret"); err != nil || string(b) != "s" {
		t.Errorf("read %q, %v", b, err)
	}
	if got, err := Dir("").Path("a"); err != nil || got != "a" {
		t.Errorf("without a directory: %q, %v", got, err)
	}
}
