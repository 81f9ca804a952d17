package fsimage

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// mountPrefix begins the names of the mount points in the temporary directory; the number of the
// process follows, and a random one.
const mountPrefix = "fsimage-mount-"

// noLeftovers refuses ([lab.ErrRefused]) to begin where a check or an extraction of the image, or an
// extraction to the output out, was killed: it names all that is left of it, and how that is removed.
// out is "" for none.
func noLeftovers(at lab.Error, image, out string) error {
	var left, remove []string
	if part := diskfile.PartName(out); out != "" && exists(part) {
		left, remove = append(left, part), append(remove, "rm -r "+diskfile.Quote(part))
	}
	for _, dir := range abandonedMounts(image) {
		quoted := diskfile.Quote(dir)
		left, remove = append(left, "a mount on "+dir), append(remove, "umount "+quoted+" && rmdir "+quoted)
	}
	if replay := image + ".replay"; exists(replay) {
		left, remove = append(left, replay), append(remove, "rm "+diskfile.Quote(replay))
	}
	if len(left) == 0 {
		return nil
	}
	at.Hint = "if no other run is at work, remove what is left of the one that was killed: " +
		strings.Join(remove, " && ")
	return refuse(at, "an earlier run has left %s", strings.Join(left, ", "))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// abandonedMounts returns where the image, or the copy of it, is mounted by a run that has ended. The
// empty mount points of such runs are removed.
func abandonedMounts(image string) (dirs []string) {
	if abs, err := filepath.Abs(image); err == nil {
		image = abs
	}
	if real, err := filepath.EvalSymlinks(image); err == nil {
		image = real
	}
	mounts := loopMounts()
	found, _ := filepath.Glob(filepath.Join(os.TempDir(), mountPrefix+"*"))
	for _, dir := range found {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), mountPrefix), "-")
		pid, err := strconv.Atoi(number)
		if err != nil || pid == os.Getpid() || exists(fmt.Sprintf("/proc/%d", pid)) {
			continue
		}
		file, mounted := mounts[dir]
		if !mounted {
			os.Remove(dir)
		} else if file == image || file == image+".replay" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// loopMounts returns the files that are mounted by loop devices, by mount point.
func loopMounts() map[string]string {
	mounts := map[string]string{}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return mounts
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		before, after, _ := strings.Cut(s.Text(), " - ")
		place, source := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(source) < 2 {
			continue
		}
		file, err := os.ReadFile("/sys/block/" + filepath.Base(source[1]) + "/loop/backing_file")
		if err == nil || strings.HasPrefix(source[1], "/dev/loop") {
			mounts[place[4]] = strings.TrimSuffix(strings.TrimSuffix(string(file), "\n"), " (deleted)")
		} else {
			mounts[place[4]] = ""
		}
	}
	return mounts
}
