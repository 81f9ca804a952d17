package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Main runs the command that the program's arguments name, and exits with the code of its error.
// Ctrl-C, SIGTERM and a terminal that is closed cancel its context, so that it can report what was
// done; a second signal ends it immediately. A write error of its output cancels the context too,
// see [Output].
func Main(root *cobra.Command) {
	ctx, stop := context.WithCancelCause(context.Background())
	out := newOutput(os.Stdout, filepath.Base(os.Args[0]), stop)
	stderr := out.Beside(os.Stderr)
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // it stays ignored under nohup(1)
			signal.Notify(signals, s)
		}
	}
	go func() {
		s := <-signals
		fmt.Fprintf(stderr, "%s: stopping; again to stop immediately\n", s)
		stop(stopped{s})
		<-signals
		out.clear()
		os.Exit(lab.ExitInterrupted)
	}()
	signal.Ignore(syscall.SIGPIPE) // the write fails too, which leaves time for an orderly end
	code, err := out.end(Run(ctx, root, os.Args[1:], out, stderr))
	PrintError(os.Stderr, err)
	os.Exit(code)
}

// stopped is why the context of a program ended: a signal.
type stopped struct{ signal os.Signal }

// Error says by which signal.
func (s stopped) Error() string { return "stopped by the signal " + s.signal.String() }

// Unwrap returns [context.Canceled].
func (stopped) Unwrap() error { return context.Canceled }

// ErrPending is the error of a plan command that found changes to make. It is not a failure, and is
// not printed.
var ErrPending = errors.New("changes are pending")

// Code returns the exit code for err.
func Code(err error) int {
	if errors.Is(err, ErrPending) {
		return lab.ExitPending
	}
	return lab.ExitCode(err)
}
