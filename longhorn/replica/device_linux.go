package replica

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openDevice opens a block device that nobody uses. O_EXCL makes the kernel refuse one that is
// mounted or held by another driver.
func (t *target) openDevice(size int64) error {
	var st unix.Stat_t
	if err := unix.Stat(t.name, &st); err != nil {
		return &os.PathError{Op: "stat", Path: t.name, Err: err}
	}
	number := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	if why := deviceInUse(number); why != "" {
		return refuse(t.at("unmount or release it"), "the device is in use: %s", why)
	}
	fd, err := unix.Open(t.name, unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return refuse(t.at("unmount or release it"), "the device is in use")
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: t.name, Err: err}
	}
	t.file = os.NewFile(uintptr(fd), t.name)
	var have uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, t.file.Fd(), unix.BLKGETSIZE64, uintptr(unsafe.Pointer(&have)))
	if errno != 0 {
		return &os.PathError{Op: "size of", Path: t.name, Err: errno}
	}
	if have < uint64(size) {
		return refuse(t.at("use a larger device"), "the device has %d bytes, the volume %d", have, size)
	}
	// The sequence number differs from that of another device that gets the same number later; it
	// is good until the next boot.
	seq, _ := os.ReadFile("/sys/dev/block/" + number + "/diskseq")
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	t.id = fmt.Sprintf("device %s %d %s %s", number, have, bytes.TrimSpace(seq), bytes.TrimSpace(boot))
	return nil
}

// deviceInUse says who uses the block device with that number, or one of its partitions.
func deviceInUse(number string) string {
	dir := "/sys/dev/block/" + number
	numbers := map[string]bool{number: true}
	parts, _ := filepath.Glob(dir + "/*/dev")
	for _, p := range parts {
		if n, err := os.ReadFile(p); err == nil {
			numbers[strings.TrimSpace(string(n))] = true
		}
	}
	for _, pattern := range []string{dir + "/holders/*", dir + "/*/holders/*"} {
		if held, _ := filepath.Glob(pattern); len(held) > 0 {
			return "held by " + filepath.Base(held[0])
		}
	}
	if f, err := os.Open("/proc/self/mountinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if fields := strings.Fields(s.Text()); len(fields) > 4 && numbers[fields[2]] {
				return "mounted on " + fields[4]
			}
		}
	}
	return ""
}
