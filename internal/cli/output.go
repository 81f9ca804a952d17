package cli

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Output is a program's standard output. When it cannot be written to any more, since its reader is gone or its disk is full, the program is stopped
// as by Ctrl-C: what nobody is told of should not go on being done, and what runs is to end in order, not to be cut off.
type Output struct {
	file *os.File
	stop func(error)

	mu  sync.Mutex
	err error // of the first write that went wrong
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

// Fd returns the file's descriptor, to ask whether it is a terminal.
func (o *Output) Fd() uintptr { return o.file.Fd() }

// exitBrokenPipe is what a shell says of a program that SIGPIPE ended: 128 and the signal's number.
const exitBrokenPipe = 128 + int(syscall.SIGPIPE)

// end returns the exit code of a program that ended with err, and the error to be printed.
func (o *Output) end(err error) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err == nil:
		return Code(err), err
	case errors.Is(o.err, syscall.EPIPE):
		// lab plan | head: whoever read has read enough, and knows
		if err == o.err {
			err = nil
		}
		return exitBrokenPipe, err
	case err == nil, errors.Is(err, ErrPending):
		err = o.err
	}
	return Code(err), err
}
