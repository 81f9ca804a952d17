package cli

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Output is a program's standard output. After a write error, because its reader has exited or the
// disk is full, the program is stopped as by Ctrl-C: it must not continue without anybody seeing
// what it does, but what is in progress should come to an orderly end.
type Output struct {
	file *os.File
	stop func(error)

	mu  sync.Mutex
	err error // of the first write that failed
}

// Write writes to the file.
func (o *Output) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil {
		err = &lab.Error{Op: "write output", Err: err}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
			o.stop(err)
		}
	}
	return n, err
}

// Fd returns the file descriptor, to find out whether it is a terminal.
func (o *Output) Fd() uintptr { return o.file.Fd() }

// exitBrokenPipe is the exit code of a program that is ended by SIGPIPE, as a shell reports it: 128
// plus the signal.
const exitBrokenPipe = 128 + int(syscall.SIGPIPE)

// end returns the exit code of a program that ended with err, and the error to be printed.
func (o *Output) end(err error) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err == nil:
		return Code(err), err
	case errors.Is(o.err, syscall.EPIPE):
		// lab plan | head: the reader has read enough
		if err == o.err {
			err = nil
		}
		return exitBrokenPipe, err
	case err == nil, errors.Is(err, ErrPending):
		err = o.err
	}
	return Code(err), err
}
