package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// TestInspectInUse shows who has a layer open for writing, as an engine of an attached volume has.
func TestInspectInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vol-0123abcd")
	rep := replicatest.Replica{Sectors: 4, Layers: []replicatest.Layer{{Name: "a"}, {}}}
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	inspect := func() string {
		t.Helper()
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if err := cli.Run(t.Context(), tree(), []string{"inspect", dir}, out, out); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(text)), " ")
	}
	if text := inspect(); strings.Contains(text, "in-use") {
		t.Errorf("in use by nobody: %s", text)
	}
	f, err := os.OpenFile(filepath.Join(dir, "volume-head-000.img"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := fmt.Sprintf("warning in-use: volume-head-000.img: in use by process %d", os.Getpid())
	if text := inspect(); !strings.Contains(text, want) {
		t.Errorf("%s: does not say %q", text, want)
	}
}
