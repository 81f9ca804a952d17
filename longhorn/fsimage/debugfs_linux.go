package fsimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// debugTree reads an ext2 to ext4 file system with debugfs (e2fsprogs). It asks for files by inode
// number, so that no name of the image is ever part of a command.
type debugTree struct {
	ctx         context.Context
	tool, image string
}

func (t *debugTree) close() error { return nil }

// command returns debugfs as it is run for the commands, and where its standard error goes.
func (t *debugTree) command(commands ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(t.ctx, t.tool, "-f", "-", t.image)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBUGFS_PAGER=cat", "TZ=UTC")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stderr
}

// ask runs the commands and returns what each printed, and all complaints, by lines: debugfs ends well
// whatever it could not read. It echoes every command before its answer.
func (t *debugTree) ask(commands ...string) (answers, complaints []string, err error) {
	cmd, stderr := t.command(commands...)
	out, err := cmd.Output()
	if t.ctx.Err() != nil {
		return nil, nil, context.Cause(t.ctx)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("debugfs: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	complaints = complaintsOf(stderr.String())
	answers = make([]string, len(commands))
	rest := string(out)
	for i, c := range commands {
		_, after, ok := strings.Cut(rest, "debugfs: "+c+"\n")
		if !ok {
			return nil, nil, fmt.Errorf("debugfs: no answer to %q: %s", c, strings.TrimSpace(stderr.String()))
		}
		rest = after
		answers[i] = after
		if i+1 < len(commands) {
			answers[i], _, _ = strings.Cut(after, "debugfs: "+commands[i+1]+"\n")
		}
	}
	return answers, complaints, nil
}

// complaintsOf returns the lines of debugfs's standard error but for the first, which is its version.
func complaintsOf(stderr string) (lines []string) {
	_, rest, _ := strings.Cut(stderr, "\n")
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (t *debugTree) root() (node, error) {
	answers, _, err := t.ask("stat <2>")
	if err != nil {
		return node{}, err
	}
	n := node{File: File{Type: "dir"}, ino: 2}
	return n, t.stat(&n, answers[0])
}

func (t *debugTree) list(dir node) ([]node, []Warning, error) {
	answers, complaints, err := t.ask(fmt.Sprintf("ls -p <%d>", dir.ino))
	if err != nil {
		return nil, nil, err
	}
	var ws []Warning
	if len(complaints) > 0 {
		ws = t.unlisted(dir, complaints)
	}
	var nodes []node
	var commands []string
	for line := range strings.Lines(answers[0]) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "/0/") { // an entry that is not in use
			continue
		}
		n, name, ok := parseListing(line)
		if !ok {
			ws = append(ws, warning(WarnSkipped, dir.Path,
				"debugfs printed a name that looks like its other output: %q", line))
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
	if answers, complaints, err = t.ask(commands...); err != nil {
		return nil, nil, err
	}
	kept := nodes[:0]
	for i, n := range nodes {
		err := t.stat(&n, answers[i])
		if t.ctx.Err() != nil {
			return nil, nil, context.Cause(t.ctx)
		}
		unread := !strings.Contains(answers[i], "Inode: ")
		if unread {
			err = fmt.Errorf("debugfs: %s", strings.Join(complaints, "; "))
		}
		if err != nil {
			ws = append(ws, warning(WarnLost, n.Path, "%v", err))
		}
		if err == nil || !unread && n.Type != "symlink" { // its content may be there
			kept = append(kept, n)
		}
	}
	return kept, ws, nil
}

// unlisted returns what `ls -p` complained of. It leaves out the entries whose inodes it cannot read,
// and names only these; the plain ls has their names, which serve for the message alone.
func (t *debugTree) unlisted(dir node, complaints []string) (ws []Warning) {
	names := map[string]string{}
	if answers, _, err := t.ask(fmt.Sprintf("ls <%d>", dir.ino)); err == nil {
		for _, m := range plainEntry.FindAllStringSubmatch(answers[0], -1) {
			names[m[1]] = m[2]
		}
	}
	for _, complaint := range complaints {
		path, what := dir.Path, strings.TrimPrefix(complaint, "ls: ")
		if name, ok := names[what[strings.LastIndexByte(what, ' ')+1:]]; ok {
			path = strings.TrimPrefix(dir.Path+"/"+name, "/")
		}
		ws = append(ws, warning(WarnLost, path, "debugfs: %s", what))
	}
	return ws
}

// plainEntry is an entry of the plain ls: INODE, the entry's length, NAME.
var plainEntry = regexp.MustCompile(`(\d+)  \(\d+\) (.+?)(?:   |\n)`)

// attribute returns the value of an extended attribute.
func (t *debugTree) attribute(ino uint64, name string) ([]byte, error) {
	if strings.ContainsAny(name, " \"\t\n") {
		return nil, fmt.Errorf("extended attribute %q cannot be asked of debugfs", name)
	}
	return t.output(ino, "ea_get -f %[2]s <%[1]d> "+strings.ReplaceAll(name, "%", "%%"))
}

// output has debugfs write what a command yields to a file, and returns it. format takes the inode
// and the file.
func (t *debugTree) output(ino uint64, format string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "fsimage-debugfs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := path.Join(dir, "out")
	_, complaints, err := t.ask(fmt.Sprintf(format, ino, file))
	if err == nil && len(complaints) > 0 {
		err = fmt.Errorf("debugfs: %s", strings.Join(complaints, "; "))
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

func (t *debugTree) content(n node, dst *os.File, progress func(int64)) (string, error) {
	// debugfs writes into our file through its descriptor: no second copy, no name to guess.
	cmd, stderr := t.command(fmt.Sprintf("dump <%d> /proc/self/fd/3", n.ino))
	cmd.ExtraFiles = []*os.File{dst}
	err := watched(cmd, dst, progress)
	if t.ctx.Err() != nil {
		return "", context.Cause(t.ctx)
	}
	if complaints := complaintsOf(stderr.String()); err == nil && len(complaints) > 0 {
		err = errors.New(strings.Join(complaints, "; "))
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
	return hashData(t.ctx, dst, n.Size, progress, func(p []byte, off int64) error { return digHoles(dst, p, off) })
}

// watched runs a program that writes to dst, and reports how far that is.
func watched(cmd *exec.Cmd, dst *os.File, progress func(int64)) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			if fi, err := dst.Stat(); err == nil {
				progress(fi.Size())
			}
		}
	}
}

// blockSize is the size in bytes of the blocks that are looked at for holes: that of most file
// systems.
const blockSize = 4096

// digHoles turns the blocks of p, which is at off in f, into holes where they are zeros: debugfs
// has written those of the image as zeros. If that cannot be done it costs space only.
func digHoles(f *os.File, p []byte, off int64) error {
	var zero [blockSize]byte
	for start := 0; start < len(p); start += blockSize {
		end := start
		for end+blockSize <= len(p) && bytes.Equal(p[end:end+blockSize], zero[:]) {
			end += blockSize
		}
		if end > start {
			const punch = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
			unix.Fallocate(int(f.Fd()), punch, off+int64(start), int64(end-start))
			start = end
		}
	}
	return nil
}
