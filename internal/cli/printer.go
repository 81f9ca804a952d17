package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Printer shows plans and progress: to people as text, on a terminal with colours and a live view,
// or to machines as JSON, one object per line.
type Printer struct {
	Out  io.Writer
	JSON bool

	live  bool // show what is in progress, on a terminal
	color bool
	mu    sync.Mutex
	view  liveView
}

// Options say how a printer prints. The zero value is text, with colours on a terminal.
type Options struct {
	JSON    bool   // an object a line, for machines
	Quiet   bool   // only what was asked for
	Verbose bool   // more about what is done
	Color   string // "auto", "always" or "never"; empty means auto
}

// NewPrinter returns a printer to out. NO_COLOR (no-color.org) disables colours; TERM=dumb disables
// the live view too.
func NewPrinter(out io.Writer, o Options) *Printer {
	p := &Printer{Out: out, JSON: o.JSON}
	if f, ok := out.(interface{ Fd() uintptr }); ok && !p.JSON &&
		term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.live = true
		p.color = os.Getenv("NO_COLOR") == ""
		p.view.width = func() int {
			w, _, err := term.GetSize(int(f.Fd()))
			if err != nil || w <= 0 {
				return 80
			}
			return w
		}
	}
	return p
}

// Object prints a value as one line of JSON. As text it prints nothing.
func (p *Printer) Object(v any) {
	if !p.JSON {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a bug: all types that are printed can be encoded
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.Out, "%s\n", b)
}

// Printf prints text for people. As JSON it prints nothing.
func (p *Printer) Printf(format string, args ...any) {
	if p.JSON {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view.erase(p.Out)
	fmt.Fprintf(p.Out, format, args...)
	p.view.draw(p.Out)
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

// colorLine colours a line of a plan by the sign of the change or of the line of its diff.
func colorLine(line string) string {
	text, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
	for _, c := range []struct{ prefix, color string }{
		{"      +", green}, {"      -", red}, {"      @", dim}, {"  +", green}, {"  -", red}, {"  ~", yellow},
		{"  ±", yellow}, {"  !", yellow},
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
	if p.live {
		p.view.event(e)
	}
	if line := p.eventLine(e); line != "" {
		p.view.erase(p.Out)
		fmt.Fprintln(p.Out, line)
	}
	if p.live {
		p.view.erase(p.Out)
		p.view.draw(p.Out)
	}
}

// eventLine returns the permanent line for an event; empty if there is none.
func (p *Printer) eventLine(e lab.Event) string {
	short := lab.Printable(strings.TrimPrefix(e.Change, e.Target+"/"))
	paint := func(color, s string) string {
		if !p.color {
			return s
		}
		return color + s + reset
	}
	switch {
	case e.Kind == lab.EventDone && e.Status == lab.StatusDone:
		return fmt.Sprintf("  %s %s %s", paint(green, "done   "), e.Target, short)
	case e.Kind == lab.EventDone && e.Status != lab.StatusDone:
		why := e.Text
		if e.Err != nil {
			why = e.Err.Error()
		}
		return fmt.Sprintf("  %s %s %s: %s", paint(red, fmt.Sprintf("%-7s", e.Status)), e.Target, short,
			lab.PrintableText(why, "          "))
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
	p.view.erase(p.Out)
	p.view.clear()
	p.mu.Unlock()
	if p.JSON {
		p.Object(r)
		return
	}
	p.Printf("%s", r)
}
