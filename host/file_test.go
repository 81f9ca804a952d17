package host_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestBigFile: 100 MB arrive unchanged, and a source that shrinks before it is sent is rejected.
func TestBigFile(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	content := bytes.Repeat([]byte("0123456789abcdef"), 100<<20/16)
	content[50<<20] = 0
	source := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := host.State{host.File{Path: "/srv/big", Source: source}, host.File{Path: "/srv/after", Content: "after\n"}}
	settle(t, m, s)
	got, err := box.FS().ReadFile("/srv/big")
	if err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := os.WriteFile(source, content[:1000], 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), host.State{
		host.File{Path: "/srv/other", Source: source}, host.File{Path: "/srv/after2", Content: "after\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, content[:500], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), nil)
	if err == nil || r.Results[0].Status != lab.StatusFailed || r.Results[1].Status != lab.StatusDone {
		t.Errorf("a source that shrank: %v\n%s", err, r)
	}
	if _, err := box.FS().Stat("/srv/other"); err == nil {
		t.Error("the file was moved into place")
	}
}
