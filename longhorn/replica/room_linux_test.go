package replica

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// TestSaveKilledAtStart continues a run that was killed before it recorded where it begins: what is
// left then is an output without data.
func TestSaveKilledAtStart(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	im := openTest(t, dir)
	for name, size := range map[string]int64{"created": 0, "enlarged": im.Size()} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(diskfile.PartName(out), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(diskfile.PartName(out), size); err != nil {
				t.Fatal(err)
			}
			// So far had the first record come.
			if err := os.WriteFile(stateName(out)+".tmp", []byte(`{"ver`), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := im.Save(t.Context(), Output{Path: out})
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, out, rep.Image(), r)
		})
	}
	out := filepath.Join(t.TempDir(), "image")
	other := append(make([]byte, im.Size()-1), 'x') // of that size, but with data
	if err := os.WriteFile(diskfile.PartName(out), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := im.Save(t.Context(), Output{Path: out}); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a file with data of its own: %v", err)
	}
}

// smallDisk mounts a new ext4 of 16 MiB, of which somewhat more than 12 are free.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		real.Missing(t, "root, to mount file systems")
	}
	disk, mnt := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	for _, line := range []string{"truncate -s 16M " + disk,
		"PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -m 0 -O ^has_journal " + disk, "mount -o loop " + disk + " " + mnt} {
		if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
			real.Missing(t, "a loop mount: "+line+": "+string(out))
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mnt).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return mnt
}

// TestSaveRoom writes to a disk that has room for one image: what an interrupted run left of it
// counts once, and zeros, which are not written, do not count.
func TestSaveRoom(t *testing.T) {
	layer := func(ops ...replicatest.Op) replicatest.Replica {
		return replicatest.Replica{Sectors: 20 << 20 / replicatest.Sector, Layers: []replicatest.Layer{{Ops: ops}}}
	}
	data := func(off, n int64) replicatest.Op { return replicatest.Op{Off: off << 8, Len: n << 8, Seed: 1} } // MiB
	zeros := func(off, n int64) replicatest.Op {
		return replicatest.Op{Kind: replicatest.Zeros, Off: off << 8, Len: n << 8}
	}
	for _, c := range []struct {
		name    string
		rep     replicatest.Replica
		killed  bool // after all was written, before that was recorded
		refused bool
	}{
		{name: "fits", rep: layer(data(3, 10))},
		{name: "killed", rep: layer(data(3, 10)), killed: true},
		{name: "zeros", rep: layer(zeros(0, 15), data(2, 3))},
		{name: "too large", rep: layer(data(0, 18)), refused: true},
		{name: "too large beside zeros", rep: layer(zeros(0, 5), data(5, 14)), refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, dir := writeTest(t, c.rep)
			im := openTest(t, dir)
			out := filepath.Join(smallDisk(t), "image")
			if c.killed {
				killAtEnd(t, im, out)
			}
			r, err := im.Save(t.Context(), Output{Path: out, Method: ReadWrite})
			if c.refused {
				if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "are needed") {
					t.Errorf("not refused: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, out, c.rep.Image(), r)
		})
	}
}

// killAtEnd leaves what a run leaves that is killed when it has written nearly all and recorded
// nothing of it.
func killAtEnd(t *testing.T, im *Image, out string) {
	t.Helper()
	end := errors.New("killed")
	_, err := im.Save(t.Context(), Output{Path: out, Method: ReadWrite, Workers: 1, Hash: NoHash,
		fault: func(off int64) error {
			if off >= 3*pieceSize {
				return end
			}
			return nil
		}})
	if !errors.Is(err, end) {
		t.Fatal(err)
	}
	var j journal
	state, err := os.ReadFile(stateName(out))
	if err == nil {
		err = json.Unmarshal(state, &j)
	}
	if err != nil || j.Copied == 0 {
		t.Fatalf("%v: %s", err, state)
	}
	j.Copied, j.Hashed, j.Sum = 0, 0, nil
	if state, err = json.Marshal(j); err == nil {
		err = os.WriteFile(stateName(out), state, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLockError tells a lock that another run holds from a file system that has none.
func TestLockError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{unix.EWOULDBLOCK, "another run is writing it"},
		{unix.ENOLCK, "no locks available"},
		{unix.EOPNOTSUPP, "not supported"},
		{unix.EBADF, "bad file descriptor"},
	} {
		err := (&target{name: "x"}).lockError(c.err)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0 {
			t.Errorf("%v: %v", c.err, err)
		}
		if held := c.err == unix.EWOULDBLOCK; errors.Is(err, lab.ErrRefused) != held {
			t.Errorf("%v: refused %v, want %v", c.err, !held, held)
		}
	}
	if err := (&target{}).lockError(nil); err != nil {
		t.Error(err)
	}
}
