package replica_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// TestCopiers copies a replica directory with every tool at hand, an hour after it was made: all of
// them are noticed when the directory is read, which inspect shows, and when it is merged. A rename
// is no copy, and what pack and unpack moved keeps its extents; a copy of that does not.
func TestCopiers(t *testing.T) {
	base := filepath.Join(loopMount(t, 64<<20, "mkfs.ext4", "-q", "-F"), "replicas")
	src := filepath.Join(base, "vol-0123abcd")
	rep := three()
	rep.Time = time.Now()
	if err := rep.Write(src); err != nil {
		t.Fatal(err)
	}
	// Nothing sets the time of a file's creation: the copy is made an hour later in that its .meta
	// says an hour earlier.
	age := func(dir string) {
		meta := filepath.Join(dir, headFile+".meta")
		data, err := os.ReadFile(meta)
		if err != nil {
			t.Fatal(err)
		}
		now, old := rep.Time.Format(time.RFC3339), rep.Time.Add(-time.Hour).Format(time.RFC3339)
		if !bytes.Contains(data, []byte(now)) {
			t.Fatalf("%s does not say %s", data, now)
		}
		put(t, dir, headFile+".meta", strings.ReplaceAll(string(data), now, old))
	}
	noticed := func(dir string) bool {
		d, err := replica.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Chain(replica.Want{})
		if err != nil {
			t.Fatal(err)
		}
		if has(c.Warnings, replica.WarnTimesCopied) != has(d.Warnings, replica.WarnTimesCopied) {
			t.Errorf("%s: inspect and merge differ: %v, %v", dir, d.Warnings, c.Warnings)
		}
		return has(d.Warnings, replica.WarnTimesCopied)
	}
	if noticed(src) {
		t.Error("the original is taken for a copy")
	}
	for i, tool := range []string{
		"cp -r $0 $1", "cp -r --sparse=always $0 $1", "cp -r --sparse=never $0 $1", "cp -a $0 $1",
		"mkdir $1 && for f in $0/*; do dd conv=sparse bs=64k status=none if=$f of=$1/${f##*/}; done",
		"mkdir $1 && tar -cC $0 . | tar -xC $1", "mkdir $1 && tar -cSC $0 . | tar -xC $1",
		"rsync -r $0/ $1", "rsync -aS $0/ $1",
	} {
		t.Run(tool, func(t *testing.T) {
			if program := strings.Fields(tool)[0]; program == "rsync" {
				if _, err := exec.LookPath(program); err != nil {
					real.Missing(t, program)
				}
			}
			dst := filepath.Join(base, fmt.Sprintf("vol-0000000%d", i))
			if out, err := exec.Command("sh", "-c", tool, src, dst).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			age(dst)
			if !noticed(dst) {
				t.Error("not noticed")
			}
		})
	}
	renamed, unpacked, copied := base+"/vol-0123abce", base+"/vol-0123abcf", base+"/vol-0123abda"
	if err := os.Rename(src, renamed); err != nil {
		t.Fatal(err)
	}
	if noticed(renamed) {
		t.Error("renamed: taken for a copy")
	}
	var stream bytes.Buffer
	if _, err := replica.Pack(t.Context(), &stream, renamed, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Unpack(t.Context(), &stream, unpacked); err != nil {
		t.Fatal(err)
	}
	age(unpacked)
	if birth, ok := diskfile.Birth(filepath.Join(unpacked, headFile)); !ok || birth.Before(rep.Time) {
		t.Errorf("created at %v, %v", birth, ok)
	}
	if noticed(unpacked) {
		t.Error("unpacked: taken for a bad copy")
	}
	if out, err := exec.Command("cp", "-a", unpacked, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !noticed(copied) {
		t.Error("cp -a of what was unpacked: not noticed")
	}
}
