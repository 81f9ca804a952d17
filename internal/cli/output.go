package cli

import (
	"context"
	"errors"
	"io"
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
	log  *runLog // nil means that nothing is logged

	mu      sync.Mutex
	err     error    // of the first write that failed
	printer *Printer // that shows progress on it; nil as long as there is none
}

// newOutput returns the output of a program, whose runs are logged.
func newOutput(file *os.File, program string, stop func(error)) *Output {
	return &Output{file: file, stop: stop, log: newRunLog(program)}
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

func (o *Output) attach(p *Printer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.printer = p
}

func (o *Output) attached() *Printer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.printer
}

// Beside returns w, the standard error, as what can be written to while progress is shown: the live
// lines make room for it.
func (o *Output) Beside(w io.Writer) io.Writer { return beside{o, w} }

type beside struct {
	output *Output
	w      io.Writer
}

// Write implements [io.Writer].
func (b beside) Write(text []byte) (n int, err error) {
	p := b.output.attached()
	if p == nil {
		return b.w.Write(text)
	}
	p.outside(func() { n, err = b.w.Write(text) })
	return n, err
}

// Fd returns the file descriptor, to find out whether it is a terminal.
func (b beside) Fd() uintptr {
	if f, ok := b.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// clear removes what is shown of the progress, for good.
func (o *Output) clear() {
	if p := o.attached(); p != nil {
		p.end()
	}
}

// exitBrokenPipe is the exit code of a program that is ended by SIGPIPE, as a shell reports it: 128
// plus the signal.
const exitBrokenPipe = 128 + int(syscall.SIGPIPE)

// end ends a program's output, and returns its exit code when it ended with err, and the error to be
// printed.
func (o *Output) end(err error) (int, error) {
	o.clear()
	if p := o.attached(); p != nil {
		err = p.reword(err)
		if !p.summed {
			p.Summary(nil, err)
		}
	}
	for _, e := range failures(err) {
		o.log.text("error: " + lab.PrintableText(e.Error(), "       "))
	}
	o.log.close()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err == nil:
		return Code(err), err
	case errors.Is(o.err, syscall.EPIPE):
		// lab plan | head: the reader has read enough
		return exitBrokenPipe, unlessBroken(err)
	case err == nil, errors.Is(err, ErrPending):
		err = o.err
	}
	return Code(err), err
}

// unlessBroken returns the failures of err that are not because nobody reads the output.
func unlessBroken(err error) error {
	var others []error
	for _, e := range failures(err) {
		if !errors.Is(e, syscall.EPIPE) && !errors.Is(e, context.Canceled) {
			others = append(others, e)
		}
	}
	return errors.Join(others...)
}
