package replica

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// holder is a process or device that may write to a file.
type holder struct {
	path, who string
}

// openForWriting looks for who may write to the files with these device and inode numbers. A reader
// does no harm. The kernel knows: it gives a read lease on a file only while nobody, in whatever
// container, has it open or mapped for writing, loop devices included. Only where somebody has, or
// where leases are not available, /proc is searched for the name; where that cannot show
// everything, blind says so.
func openForWriting(ctx context.Context, files map[[2]uint64]string) (holders []holder, blind string, err error) {
	written, unknown := "", false
	for _, path := range files {
		switch free, err := leasable(path); {
		case err != nil:
			unknown = true
		case !free:
			written = path
		}
	}
	if written == "" && !unknown {
		return nil, "", nil
	}
	holders, blind, err = searchProc(ctx, files)
	if err == nil && len(holders) == 0 && written != "" {
		holders = []holder{{written, "a process that cannot be seen from here, in another container for one"}}
	}
	return holders, blind, err
}

// leasable reports whether nobody can write to the file. An error means that this is not known:
// leases are for the owner and root.
func leasable(path string) (bool, error) {
	f, err := diskfile.Open(path)
	if f == nil {
		return false, err
	}
	defer f.Close()
	if _, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err == unix.EAGAIN {
		return false, nil
	} else if err != nil {
		return false, err
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	return true, err
}

// searchProc searches for processes that have the files open for writing or mapped shared and
// writable, and for loop devices.
func searchProc(ctx context.Context, files map[[2]uint64]string) (holders []holder, blind string, err error) {
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, "", err
	}
	hidden := 0
	for _, p := range procs {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		held, seen := heldBy("/proc/"+p.Name(), p.Name(), files)
		holders = append(holders, held...)
		if !seen {
			hidden++
		}
	}
	return append(holders, loopDevices(files)...), blindness(hidden), nil
}

// heldBy returns which of the files a process may write to; seen is false where its open files are
// not ours to see.
func heldBy(dir, pid string, files map[[2]uint64]string) (held []holder, seen bool) {
	fds, err := os.ReadDir(dir + "/fd")
	if os.IsPermission(err) {
		return nil, false
	}
	for _, fd := range fds {
		var st unix.Stat_t
		if unix.Stat(dir+"/fd/"+fd.Name(), &st) != nil {
			continue
		}
		if path, ok := files[[2]uint64{uint64(st.Dev), st.Ino}]; ok && writable(dir+"/fdinfo/"+fd.Name()) {
			held = append(held, holder{path, processName(dir, pid)})
		}
	}
	if path := mapped(dir+"/maps", files); path != "" {
		held = append(held, holder{path, processName(dir, pid)})
	}
	return held, true
}

// blindness says what a search of /proc that could not look into some processes cannot rule out, ""
// for nothing.
func blindness(hidden int) string {
	const unknown = "whether another process has the files open is not known"
	if hidden > 0 {
		return fmt.Sprintf("%s of %d processes of other users: run it as root", unknown, hidden)
	}
	// The initial PID namespace's number is fixed (PROC_PID_INIT_INO).
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns != "pid:[4026531836]" {
		return unknown + ": this is a container that does not see the machine's processes"
	}
	return ""
}

// writable reports whether the open file that fdinfo describes can be written to.
func writable(fdinfo string) bool {
	data, err := os.ReadFile(fdinfo)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(v), 8, 64)
			return err == nil && flags&unix.O_PATH == 0 && flags&unix.O_ACCMODE != unix.O_RDONLY
		}
	}
	return false
}

// mapped returns which of the files the process whose maps file that is has mapped shared and
// writable.
func mapped(maps string, files map[[2]uint64]string) string {
	f, err := os.Open(maps)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		// address perms offset dev inode path
		fields := bytes.Fields(s.Bytes())
		if len(fields) < 5 || len(fields[1]) < 4 || fields[1][1] != 'w' || fields[1][3] != 's' {
			continue
		}
		major, minor, _ := strings.Cut(string(fields[3]), ":")
		ma, err1 := strconv.ParseUint(major, 16, 32)
		mi, err2 := strconv.ParseUint(minor, 16, 32)
		ino, err3 := strconv.ParseUint(string(fields[4]), 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		if path, ok := files[[2]uint64{unix.Mkdev(uint32(ma), uint32(mi)), ino}]; ok {
			return path
		}
	}
	return ""
}

// processName returns a process's number and name, for people.
func processName(dir, pid string) string {
	comm, _ := os.ReadFile(dir + "/comm")
	return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(comm)))
}

// loopDevices returns the writable loop devices over the files: they are in no process's table.
func loopDevices(files map[[2]uint64]string) []holder {
	var holders []holder
	backing, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, b := range backing {
		name, err := os.ReadFile(b)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(strings.TrimSpace(string(name)), &st) != nil {
			continue
		}
		path, ok := files[[2]uint64{uint64(st.Dev), st.Ino}]
		if !ok {
			continue
		}
		device := filepath.Dir(filepath.Dir(b))
		if ro, err := os.ReadFile(device + "/ro"); err == nil && strings.TrimSpace(string(ro)) == "1" {
			continue
		}
		holders = append(holders, holder{path, "loop device /dev/" + filepath.Base(device)})
	}
	return holders
}
