package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// debugTree reads an ext2 to ext4 file system with debugfs (e2fsprogs). Files are asked for by inode number, so that no name of the image is
// ever part of a command.
type debugTree struct {
	ctx         context.Context
	tool, image string
}

func (t *debugTree) close() error { return nil }

// ask runs the commands and returns what each printed. debugfs echoes every command before its answer.
func (t *debugTree) ask(commands ...string) ([]string, error) {
	cmd := exec.CommandContext(t.ctx, t.tool, "-f", "-", t.image)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBUGFS_PAGER=cat", "TZ=UTC")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if t.ctx.Err() != nil {
		return nil, context.Cause(t.ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("debugfs: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	answers := make([]string, len(commands))
	rest := string(out)
	for i, c := range commands {
		_, after, ok := strings.Cut(rest, "debugfs: "+c+"\n")
		if !ok {
			return nil, fmt.Errorf("debugfs: no answer to %q: %s", c, strings.TrimSpace(stderr.String()))
		}
		rest = after
		answers[i] = after
		if i+1 < len(commands) {
			answers[i], _, _ = strings.Cut(after, "debugfs: "+commands[i+1]+"\n")
		}
	}
	return answers, nil
}

func (t *debugTree) root() (node, error) {
	answers, err := t.ask("stat <2>")
	if err != nil {
		return node{}, err
	}
	n := node{File: File{Type: "dir"}, ino: 2}
	return n, t.stat(&n, answers[0])
}

func (t *debugTree) list(dir node) ([]node, []Warning, error) {
	answers, err := t.ask(fmt.Sprintf("ls -p <%d>", dir.ino))
	if err != nil {
		return nil, nil, err
	}
	var ws warnings
	var nodes []node
	var commands []string
	for line := range strings.Lines(answers[0]) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "/0/") { // an entry that is not in use
			continue
		}
		n, name, ok := parseListing(line)
		if !ok {
			ws.add(WarnSkipped, dir.Path, "debugfs printed a name that cannot be told from its other output: %q", line)
			continue
		}
		if name == "." || name == ".." {
			continue
		}
		n.Path = strings.TrimPrefix(dir.Path+"/"+name, "/")
		nodes = append(nodes, n)
		commands = append(commands, fmt.Sprintf("stat <%d>", n.ino))
	}
	if len(nodes) == 0 {
		return nil, ws, nil
	}
	if answers, err = t.ask(commands...); err != nil {
		return nil, nil, err
	}
	for i := range nodes {
		if err := t.stat(&nodes[i], answers[i]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", nodes[i].Path, err)
		}
	}
	return nodes, ws, nil
}

// parseListing reads a line of `ls -p`: /INODE/MODE/UID/GID/NAME/SIZE/.
func parseListing(line string) (n node, name string, ok bool) {
	f := strings.Split(line, "/")
	if len(f) != 8 || f[0] != "" || f[7] != "" || f[5] == "" {
		return n, "", false
	}
	ino, err1 := strconv.ParseUint(f[1], 10, 32)
	mode, err2 := strconv.ParseUint(f[2], 8, 32)
	uid, err3 := strconv.Atoi(f[3])
	gid, err4 := strconv.Atoi(f[4])
	var size int64
	var err5 error
	if f[6] != "" {
		size, err5 = strconv.ParseInt(f[6], 10, 64)
	}
	if errors.Join(err1, err2, err3, err4, err5) != nil || ino == 0 {
		return n, "", false
	}
	n = node{File: File{Type: typeOf(uint32(mode)), Mode: uint32(mode) & 0o7777, UID: uid, GID: gid}, ino: ino}
	if n.Type == "file" || n.Type == "symlink" {
		n.Size = size
	}
	return n, f[5], true
}

// stat takes in the answer to `stat`, and asks for what it does not show whole.
func (t *debugTree) stat(n *node, answer string) error {
	const fast = "\nFast link dest: \""
	answer, target, short := strings.Cut(answer, fast)
	if short { // it is printed as it is, line breaks and quotes too, and may look like what else debugfs prints
		if int64(len(target)) < n.Size || !strings.HasPrefix(target[n.Size:], "\"\n") {
			return errors.New("debugfs printed a symbolic link's target that cannot be told from its other output")
		}
		n.Target = target[:n.Size]
	}
	inAttrs := false
	for line := range strings.Lines(answer) {
		line = strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(line)
		if inAttrs && strings.HasPrefix(line, "  ") {
			name, _, ok := strings.Cut(trimmed, " (")
			if !ok {
				continue
			}
			value, err := t.attribute(n.ino, name)
			if err != nil {
				return err
			}
			if n.Xattrs == nil {
				n.Xattrs = map[string][]byte{}
			}
			n.Xattrs[name] = value
			continue
		}
		inAttrs = trimmed == "Extended attributes:"
		switch {
		case strings.HasPrefix(trimmed, "Links: "):
			n.links, _ = strconv.ParseUint(strings.Fields(trimmed)[1], 10, 32)
		case strings.HasPrefix(trimmed, "mtime: "):
			n.Mtime = parseTime(strings.Fields(trimmed)[1])
		case n.ino == 2 && strings.HasPrefix(trimmed, "User: "):
			f := strings.Fields(trimmed)
			if len(f) >= 4 {
				n.UID, _ = strconv.Atoi(f[1])
				n.GID, _ = strconv.Atoi(f[3])
			}
		case n.ino == 2 && strings.HasPrefix(trimmed, "Inode: 2 "):
			if _, after, ok := strings.Cut(trimmed, "Mode:"); ok {
				mode, _ := strconv.ParseUint(strings.Fields(after)[0], 8, 32)
				n.Mode = uint32(mode) & 0o7777
			}
		case strings.HasPrefix(trimmed, "Device major/minor number: "):
			number, _, _ := strings.Cut(strings.TrimPrefix(trimmed, "Device major/minor number: "), " ")
			major, minor, _ := strings.Cut(number, ":")
			ma, _ := strconv.ParseUint(major, 10, 32)
			mi, _ := strconv.ParseUint(minor, 10, 32)
			n.rdev = unix.Mkdev(uint32(ma), uint32(mi))
		}
	}
	if n.Type == "symlink" {
		if !short {
			target, err := t.output(n.ino, "dump <%d> %s")
			if err != nil {
				return err
			}
			n.Target = string(target)
		}
		n.Size = 0
	}
	return nil
}

// parseTime reads "0xSECONDS:EXTRA", hexadecimal; EXTRA has the nanoseconds above two more bits of the seconds.
func parseTime(s string) time.Time {
	sec, extra, _ := strings.Cut(strings.TrimPrefix(s, "0x"), ":")
	lo, err := strconv.ParseUint(sec, 16, 32)
	if err != nil {
		return time.Time{}
	}
	hi, _ := strconv.ParseUint(extra, 16, 32)
	return time.Unix(int64(int32(lo))+int64(hi&3)<<32, int64(hi>>2))
}

func (t *debugTree) attribute(ino uint64, name string) ([]byte, error) {
	if strings.ContainsAny(name, " \"\t\n") {
		return nil, fmt.Errorf("extended attribute %q cannot be asked of debugfs", name)
	}
	return t.output(ino, "ea_get -f %[2]s <%[1]d> "+strings.ReplaceAll(name, "%", "%%"))
}

// output has debugfs write what a command yields to a file, and returns it. format takes the inode and the file.
func (t *debugTree) output(ino uint64, format string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "replica-debugfs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := path.Join(dir, "out")
	if _, err := t.ask(fmt.Sprintf(format, ino, file)); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

func (t *debugTree) content(n node, dst *os.File) (string, error) {
	// debugfs writes into our file through its descriptor: no second copy, no name to guess.
	cmd := exec.CommandContext(t.ctx, t.tool, "-f", "-", t.image)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("dump <%d> /proc/self/fd/3\n", n.ino))
	cmd.ExtraFiles = []*os.File{dst}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if t.ctx.Err() != nil {
		return "", context.Cause(t.ctx)
	}
	// Its first line on standard error is its version.
	_, complaint, _ := strings.Cut(stderr.String(), "\n")
	if err == nil && strings.TrimSpace(complaint) != "" {
		err = errors.New(strings.TrimSpace(complaint))
	}
	if err != nil {
		return "", fmt.Errorf("debugfs: %w", err)
	}
	fi, err := dst.Stat()
	if err != nil {
		return "", err
	}
	if fi.Size() > n.Size {
		return "", fmt.Errorf("debugfs wrote %d bytes of %d", fi.Size(), n.Size)
	}
	if err := dst.Truncate(n.Size); err != nil { // a hole at the end is not written
		return "", err
	}
	return hashData(t.ctx, dst, n.Size, func(p []byte, off int64) error { return digHoles(dst, p, off) })
}

// digHoles makes the blocks of p, which is at off in f, holes where they are zeros: debugfs has written those of the image out. That it
// cannot be done costs space only.
func digHoles(f *os.File, p []byte, off int64) error {
	var zero [SectorSize]byte
	for start := 0; start < len(p); start += SectorSize {
		end := start
		for end+SectorSize <= len(p) && isZero(p[end:end+SectorSize], zero[:]) {
			end += SectorSize
		}
		if end > start {
			unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off+int64(start), int64(end-start))
			start = end
		}
	}
	return nil
}
