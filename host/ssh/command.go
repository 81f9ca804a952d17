package ssh

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Command is a script to run on a machine.
type Command struct {
	// Script is for a POSIX sh. It is sent over standard input and is never an argument, so it may
	// contain secrets. It must not contain a NUL byte.
	Script string

	// Stdin is the script's standard input; nil means that it is empty. It is read until it ends or the
	// script does; a Read that is blocked then is not waited for.
	Stdin io.Reader

	// Stdout and Stderr receive what the script prints, as it arrives; nil means that it is
	// collected in the Result. If one of them returns an error, the script is stopped as if its
	// context had ended.
	//
	// Nothing is written to them after Run has returned, except by a Write that has been blocked for
	// seconds: Run does not wait for that one.
	Stdout, Stderr io.Writer

	// Root runs the script as root: directly if root logged in, otherwise through sudo.
	Root bool

	// Lock runs the script only while it alone holds the machine's lock, see [Target]. If another
	// process holds it, the script does not start, and the error is an [lab.ErrBlocked] that says who
	// holds it since when. Processes that the script leaves running do not hold the lock. It needs
	// Root.
	Lock bool

	guard   bool // it holds a lock of its own: it ends if we vanish, as with Lock
	abandon bool // when its context ends, do not stop it: it is itself what stops another script
}

// maxCollected limits how much of an output is collected, in bytes.
const maxCollected = 1 << 20

// Result is the outcome of a script that ran to its end.
type Result struct {
	Exit   int    // exit status; -1 if a signal ended it
	Signal string // name of that signal, without SIG; empty if none did
	Stdout []byte // what was collected, at most 1 MiB
	Stderr []byte // what was collected, at most 1 MiB

	// Truncated means that there was more output than was collected.
	Truncated bool

	target    string
	stderrCut bool // there was more on standard error than was collected
}

// Err returns an error unless the script ended with status 0. The error contains the last whole lines of
// the standard error that was collected. Secrets of the script are for the caller to mask.
func (r *Result) Err() error {
	if r.Exit == 0 && r.Signal == "" {
		return nil
	}
	how := "exit status " + strconv.Itoa(r.Exit)
	if r.Signal != "" {
		how = "ended by signal " + r.Signal
	}
	stderr := string(r.Stderr)
	if r.stderrCut { // in the middle of a line
		stderr = stderr[:strings.LastIndexByte(stderr, '\n')+1]
	}
	if last := lastLines(stderr, 5); last != "" {
		how += ": " + last
	}
	return &lab.Error{Op: "run script", Target: r.target, Err: errors.New(how)}
}

// lastLines returns the last n non-empty lines of text, each fit for a terminal. They are whole lines:
// secrets are masked later, and a part of one would not be found.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, lab.Printable(line))
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
