package replica_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// statLine is what stat says of path, access time included.
func statLine(t testing.TB, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%o %d:%d %d %d %d a%d m%d c%d", st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Blocks,
		st.Atim.Nano(), st.Mtim.Nano(), st.Ctim.Nano())
}

// contentSum hashes a file without touching its access time.
func contentSum(t testing.TB, path string) string {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return hexSum(data)
}

// mkfsTool finds a program that makes file systems, where they can be mounted.
func mkfsTool(t *testing.T, name string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		real.Missing(t, "root, to mount "+name+" file systems")
	}
	tool, err := exec.LookPath(name)
	if err != nil {
		if tool, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			real.Missing(t, name)
		}
	}
	return tool
}

// loopMount makes a file system in a file and mounts it. It needs root, mkfs and a loop device.
func loopMount(t *testing.T, size int64, mkfs ...string) string {
	t.Helper()
	tool := mkfsTool(t, mkfs[0])
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, append(mkfs[1:], image)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", mkfs, err, out)
	}
	dir := filepath.Join(t.TempDir(), "mnt")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		real.Missing(t, "a loop mount with "+mkfs[0]+": "+strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// unmount unmounts what is mounted on dir, and removes dir. A container or machine that is being
// started at this moment, by another test for one, has a copy of all mounts and keeps the file
// system mounted in it; removing the mount point unmounts it there too.
func unmount(dir string) error {
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("umount: %w: %s", err, out)
	}
	return os.Remove(dir)
}
