package host_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// TestCheckSources: a source that a plan could not read is found without a machine, and nothing waits
// for a writer of a named pipe.
func TestCheckSources(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		at("there"): "", at("none"): "no such file", dir: "is not a regular file", at("pipe"): "is not a regular file",
		at("there/x"): "not a directory", at("a\x00b"): "invalid argument",
	} {
		ps := host.State{nil, host.File{Path: "/a", Source: source}}.CheckSources()
		if want == "" && len(ps) > 0 || want != "" && (len(ps) != 1 || ps[0].Message != want || ps[0].Path != "[1].source") {
			t.Errorf("%q: %v, want %s", source, ps, want)
		}
	}
	if ps := (host.State{host.File{Path: "/a", Source: at("none"), Absent: true}}).CheckSources(); len(ps) > 0 {
		t.Errorf("of a file that is to be removed: %v", ps)
	}
}
