package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// keptLogs is how many logs of runs are kept.
const keptLogs = 20

// runLog is the log of one run, a file that only its owner can read: what was printed and all
// progress, with the time. It holds no more secrets than the terminal saw, and not the command line,
// in which there may be one. A run of which nothing is printed has no file; a file that cannot be
// written is done without. A nil runLog logs nothing.
type runLog struct {
	dir, program string

	mu   sync.Mutex
	file *os.File
	off  bool
}

// newRunLog returns the log of a run of the program; nil when there is nowhere to keep it: the user has
// no home, or LAB_LOG is "off".
func newRunLog(program string) *runLog {
	dir := logDir(os.Getenv)
	if dir == "" {
		return nil
	}
	return &runLog{dir: dir, program: program}
}

// logDir returns where logs are kept, in the user's state directory (XDG Base Directory
// Specification): LAB_LOG names another directory, or is "off". Empty means nowhere.
func logDir(getenv func(string) string) string {
	switch named := getenv("LAB_LOG"); {
	case named == "off":
		return ""
	case named != "":
		return named
	}
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "lab")
	}
	home := getenv("HOME")
	if st, err := os.Stat(home); err != nil || !st.IsDir() || !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, ".local", "state", "lab")
}

// text logs text, each line with the time.
func (l *runLog) text(text string) {
	if l == nil || strings.TrimSpace(text) == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open() {
		return
	}
	now := time.Now().Format("15:04:05.000 ")
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		b.WriteString(now + strings.TrimSuffix(line, "\n") + "\n")
	}
	if _, err := l.file.WriteString(b.String()); err != nil {
		l.off = true // the disk may be full: the run itself matters more
	}
}

// open reports whether there is a file to write to. The caller holds the lock.
func (l *runLog) open() bool {
	if l.file != nil || l.off {
		return !l.off
	}
	l.off = true
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return false
	}
	now := time.Now()
	name := fmt.Sprintf("%s-%s-%d.log", l.program, now.UTC().Format("20060102T150405Z"), os.Getpid())
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return false
	}
	l.file, l.off = f, false
	l.prune()
	dir, _ := os.Getwd() // empty when it cannot be said
	fmt.Fprintf(f, "%s, %s, in %s\n", l.program, now.Format(time.RFC3339), dir)
	return true
}

// prune removes the oldest logs of the program beyond those that are kept.
func (l *runLog) prune() {
	logs, err := filepath.Glob(filepath.Join(l.dir, l.program+"-[0-9]*T[0-9]*Z-[0-9]*.log"))
	if err != nil {
		return
	}
	slices.Sort(logs)
	for len(logs) > keptLogs {
		_ = os.Remove(logs[0]) // another run may have removed it
		logs = logs[1:]
	}
}

// close closes the file, and returns its name; empty if there is none.
func (l *runLog) close() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off = true
	if l.file == nil {
		return ""
	}
	_ = l.file.Close()
	return l.file.Name()
}
