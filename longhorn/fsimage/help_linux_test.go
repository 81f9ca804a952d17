package fsimage_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

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

// unmount unmounts what is mounted on dir, and removes dir. A container or machine that is being
// started at this moment, by another test for one, has a copy of all mounts and keeps the file
// system mounted in it; removing the mount point unmounts it there too.
func unmount(dir string) error {
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("umount: %w: %s", err, out)
	}
	return os.Remove(dir)
}

func timeOf(st unix.Stat_t) time.Time { return time.Unix(st.Mtim.Unix()) }

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func hexSum(p []byte) string {
	s := sha256.Sum256(p)
	return hex.EncodeToString(s[:])
}

func fileSum(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// refused requires that the error is a guard's, says want, and has a hint.
func refused(t testing.TB, err error, want string) {
	t.Helper()
	if !errors.Is(err, lab.ErrRefused) {
		t.Fatalf("not refused: %v", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("refused, but does not say %q: %v", want, err)
	}
	if len(lab.Hints(err)) == 0 {
		t.Fatalf("refused without a hint: %v", err)
	}
}

func has(ws []fsimage.Warning, code fsimage.Code) bool {
	for _, w := range ws {
		if w.Code == code {
			return true
		}
	}
	return false
}
