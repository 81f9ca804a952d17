package real

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// cgroupRoot returns the parent of the machines' cgroups, at the top of the
// cgroup2 hierarchy. Machines in the same cgroup would share systemd's tree.
func cgroupRoot() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		mount, fs, ok := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(mount); ok && len(fields) > 4 && strings.HasPrefix(fs, "cgroup2 ") {
			return filepath.Join(fields[4], "lab-real"), nil
		}
	}
	return "", errors.New("boot machines: no cgroup2 file system is mounted; mount one at /sys/fs/cgroup/unified")
}

// enterCgroup creates the cgroup dir and makes cmd start in it. Call leave after
// the start.
func enterCgroup(cmd *exec.Cmd, dir string) (leave func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	return f.Close, nil
}

// killCgroup kills every process in and below dir and waits until they are gone.
func killCgroup(ctx context.Context, dir string) error {
	if !exists(dir) {
		return nil
	}
	return until(ctx, "the processes of "+dir+" have ended", func() error {
		events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		if err != nil {
			return err
		}
		if !strings.Contains(string(events), "populated 1") {
			return nil
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0o200); err != nil {
			return err
		}
		return errors.New("some are left")
	})
}

// removeCgroup removes dir and the empty cgroups below it.
func removeCgroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := syscall.Rmdir(dirs[i]); err != nil {
			return fmt.Errorf("remove cgroup %s: %w", dirs[i], err)
		}
	}
	return nil
}
