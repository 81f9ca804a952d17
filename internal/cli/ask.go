package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Terminal is the terminal of the person who runs a program, to ask questions there.
type Terminal struct {
	in  *os.File
	out io.Writer
}

// TerminalOf returns the terminal that is the standard input of a command; nil if it is none. What
// is asked is written to the standard error, or if that is none to the terminal itself.
func TerminalOf(c *cobra.Command) *Terminal {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	out := c.ErrOrStderr()
	if f, ok := out.(interface{ Fd() uintptr }); !ok || !term.IsTerminal(int(f.Fd())) {
		out = in
	}
	return &Terminal{in, out}
}

// Ask asks a question, and returns the line that is the answer, without spaces around it. At the end
// of the input it is empty.
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	return t.ask(ctx, question, func() (string, error) {
		var line strings.Builder
		for b := make([]byte, 1); ; { // what follows the line is for the next question
			n, err := t.in.Read(b)
			switch {
			case n > 0 && b[0] == '\n', errors.Is(err, io.EOF):
				return strings.TrimSpace(line.String()), nil
			case err != nil:
				return "", err
			}
			line.Write(b[:n])
		}
	})
}

// Agrees asks a question that only yes agrees to.
func (t *Terminal) Agrees(ctx context.Context, question string) (bool, error) {
	answer, err := t.Ask(ctx, question+" [y/N] ")
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}

// AskSecret asks a question whose answer is not shown.
func (t *Terminal) AskSecret(ctx context.Context, question string) (lab.Secret, error) {
	before, err := term.GetState(int(t.in.Fd()))
	if err != nil {
		return lab.Secret{}, &lab.Error{Op: "ask", Err: err}
	}
	answer, err := t.ask(ctx, question, func() (string, error) {
		b, err := term.ReadPassword(int(t.in.Fd()))
		fmt.Fprintln(t.out)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return string(b), err
	})
	if err != nil { // it may still be read, without an echo
		err = errors.Join(err, term.Restore(int(t.in.Fd()), before))
	}
	return lab.NewSecret(answer), err
}

// ask writes a question and reads the answer, unless the context ends before it comes.
func (t *Terminal) ask(ctx context.Context, question string, read func() (string, error)) (string, error) {
	fail := func(err error) (string, error) { return "", &lab.Error{Op: "ask", Err: err} }
	if _, err := fmt.Fprint(t.out, question); err != nil {
		return fail(err)
	}
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1) // it may come after the context has ended
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.out)
		return fail(context.Cause(ctx))
	case a := <-answers:
		if a.err != nil {
			return fail(a.err)
		}
		return a.text, nil
	}
}
