// Package cli is what the example programs share: signals, exit codes, and how plans, progress and errors are shown to people and machines.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Main runs a program and exits with the code of its error. Ctrl-C and SIGTERM end its context, so that it can say what was done; a second one
// ends it at once. Output that cannot be written ends it too, see [Output].
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		fmt.Fprintf(os.Stderr, "\n%s: stopping; once more to stop at once\n", s)
		stop(fmt.Errorf("%w by %s", context.Canceled, s))
		<-signals
		os.Exit(lab.ExitInterrupted)
	}()
	signal.Ignore(syscall.SIGPIPE) // a write says so too, and leaves time to end in order
	out := &Output{file: os.Stdout, stop: stop}
	code, err := out.end(run(ctx, os.Args[1:], out, os.Stderr))
	PrintError(os.Stderr, err)
	os.Exit(code)
}

// ErrPending ends a plan that found changes to make. It is not a failure and is not printed.
var ErrPending = errors.New("changes are pending")

// Code returns the exit code for err.
func Code(err error) int {
	switch {
	case errors.Is(err, ErrPending):
		return lab.ExitPending
	case errors.Is(err, flag.ErrHelp):
		return lab.ExitOK
	}
	return lab.ExitCode(err)
}

// PrintError prints err, a line or more, and the next steps that it names.
func PrintError(w io.Writer, err error) {
	if err == nil || errors.Is(err, ErrPending) || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintf(w, "error: %s\n", lab.PrintableText(err.Error(), "       "))
	for _, h := range lab.Hints(err) {
		fmt.Fprintf(w, "hint:  %s\n", lab.PrintableText(h, "       "))
	}
}

// Usage is an error in the words of a call.
func Usage(format string, args ...any) error {
	return &lab.Error{Op: "read command line", Hint: "see -h", Err: fmt.Errorf("%w: %s", lab.ErrInvalid, fmt.Sprintf(format, args...))}
}

// IsHelp reports whether a word of a call asks for help.
func IsHelp(word string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, word)
}

// Parse parses the flags, which may stand before, between and after the other words, and returns those. After "--" all words are others. What the
// flags would print of an error is in the error; for -h they print themselves.
func Parse(flags *flag.FlagSet, args []string) (words []string, err error) {
	out, usage := flags.Output(), flags.Usage
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	defer func() { flags.SetOutput(out); flags.Usage = usage }()
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				flags.SetOutput(out)
				usage()
				return nil, err
			}
			if word, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
				var names []string
				flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
				if near := lab.Nearest(word, names); near != "" {
					return nil, Usage("unknown flag -%s (nearest: -%s)", word, near)
				}
				return nil, Usage("unknown flag -%s", word)
			}
			return nil, Usage("%v", err)
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// List is a flag that may be given several times.
type List []string

// String implements [flag.Value].
func (l *List) String() string { return strings.Join(*l, ",") }

// Set implements [flag.Value].
func (l *List) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// Printer shows plans and progress: to people as text, in colour and live on a terminal, or to machines as JSON, an object a line.
type Printer struct {
	Out  io.Writer
	JSON bool
	Diff bool // plans show their diffs
	Live bool // redraw what is under way, on a terminal
	Full bool // show every change that is done, not only those that fail

	color bool
	mu    sync.Mutex
	live  liveView
}

// NewPrinter returns a printer to out. output is "text" or "json". NO_COLOR (no-color.org) turns colours off, and TERM=dumb
// the live view too.
func NewPrinter(out io.Writer, output string) (*Printer, error) {
	if output != "text" && output != "json" {
		return nil, Usage("-output %q: text or json", output)
	}
	p := &Printer{Out: out, JSON: output == "json", Diff: true, Full: true}
	if f, ok := out.(interface{ Fd() uintptr }); ok && !p.JSON && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.Live = true
		p.color = os.Getenv("NO_COLOR") == ""
		p.live.width = func() int {
			w, _, err := term.GetSize(int(f.Fd()))
			if err != nil || w <= 0 {
				return 80
			}
			return w
		}
	}
	return p, nil
}

// Object prints a value as one line of JSON, and nothing as text.
func (p *Printer) Object(v any) {
	if !p.JSON {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of ours that cannot be written
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.Out, "%s\n", b)
}

// Printf prints text for people, and nothing as JSON.
func (p *Printer) Printf(format string, args ...any) {
	if p.JSON {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live.erase(p.Out)
	fmt.Fprintf(p.Out, format, args...)
	p.live.draw(p.Out)
}

// Plan prints a plan.
func (p *Printer) Plan(plan *lab.Plan) {
	if p.JSON {
		p.Object(plan)
		return
	}
	text := plan.String()
	if !p.color {
		p.Printf("%s", text)
		return
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(colorLine(line))
	}
	p.Printf("%s", b.String())
}

const (
	red, green, yellow, dim, bold, reset = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
)

// colorLine colours a line of a plan by the sign of its change, or of its diff.
func colorLine(line string) string {
	text, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
	for _, c := range []struct{ prefix, color string }{
		{"      +", green}, {"      -", red}, {"      @", dim}, {"  +", green}, {"  -", red}, {"  ~", yellow}, {"  ±", yellow}, {"  !", yellow},
	} {
		if strings.HasPrefix(text, c.prefix) {
			return c.color + text + reset + end
		}
	}
	if !strings.HasPrefix(text, " ") {
		return bold + text + reset + end
	}
	return line
}

// Event prints progress.
func (p *Printer) Event(e lab.Event) {
	if p.JSON {
		p.Object(e)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Live {
		p.live.event(e)
	}
	if line := p.eventLine(e); line != "" {
		p.live.erase(p.Out)
		fmt.Fprintln(p.Out, line)
	}
	if p.Live {
		p.live.erase(p.Out)
		p.live.draw(p.Out)
	}
}

// eventLine returns the line that stays of an event, "" when none does.
func (p *Printer) eventLine(e lab.Event) string {
	short := lab.Printable(strings.TrimPrefix(e.Change, e.Target+"/"))
	paint := func(color, s string) string {
		if !p.color {
			return s
		}
		return color + s + reset
	}
	switch {
	case e.Kind == lab.EventDone && e.Status == lab.StatusDone && p.Full:
		return fmt.Sprintf("  %s %s %s", paint(green, "done   "), e.Target, short)
	case e.Kind == lab.EventDone && e.Status != lab.StatusDone:
		why := e.Text
		if e.Err != nil {
			why = e.Err.Error()
		}
		return fmt.Sprintf("  %s %s %s: %s", paint(red, fmt.Sprintf("%-7s", e.Status)), e.Target, short, lab.PrintableText(why, "          "))
	case e.Kind == lab.EventWait:
		return fmt.Sprintf("  %s %s: %s", paint(dim, "wait   "), e.Target, lab.PrintableText(e.Text, "          "))
	case e.Kind == lab.EventNote:
		return fmt.Sprintf("  %s %s", paint(dim, "note   "), lab.PrintableText(e.Text, "          "))
	}
	return ""
}

// Report prints what was done.
func (p *Printer) Report(r *lab.Report) {
	p.mu.Lock()
	p.live.erase(p.Out)
	p.live.clear()
	p.mu.Unlock()
	if p.JSON {
		p.Object(r)
		return
	}
	p.Printf("%s", r)
}
