package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// PrintError prints err and its hints.
func PrintError(w io.Writer, err error) {
	if err == nil || errors.Is(err, ErrPending) || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintf(w, "error: %s\n", lab.PrintableText(err.Error(), "       "))
	for _, h := range lab.Hints(err) {
		fmt.Fprintf(w, "hint:  %s\n", lab.PrintableText(h, "       "))
	}
}

// Usage returns an error in the arguments of the program.
func Usage(format string, args ...any) error {
	err := fmt.Errorf("%w: %s", lab.ErrInvalid, fmt.Sprintf(format, args...))
	return &lab.Error{Op: "read command line", Hint: "see -h", Err: err}
}
