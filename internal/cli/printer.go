package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Options say how a program prints. The zero value prints text, in colours on a terminal.
type Options struct {
	JSON    bool // one object per line, for machines
	Quiet   bool // plans in their short form, and of progress only what failed
	Verbose bool // what changes print and connections do, and why a change failed as soon as it has

	// Color is auto, always or never; empty means auto: on a terminal, unless NO_COLOR (no-color.org)
	// is set or TERM is dumb.
	Color string
}

// Printer shows plans and progress: to people as text, on a terminal with colours and a live view,
// or to machines as JSON, one object per line. It is safe for concurrent use.
type Printer struct {
	Out io.Writer
	Options

	// Say says in the program's flags and config fields what a hint asks to set, see [lab.Reword]. Nil
	// leaves the hints as packages give them.
	Say func(lab.Setting) string

	color  bool
	mu     sync.Mutex
	screen screen
	view   liveView
	last   time.Time     // of the last permanent line
	ticks  chan struct{} // closed to stop the goroutine that redraws the view; nil when there is none
	summed bool          // [Printer.Summary] was called
	log    *runLog       // nil means that nothing is logged
}

// NewPrinter returns a printer to out. Of an [Output], or what is beside it, it shows progress above what
// the program prints otherwise, and logs the run.
func NewPrinter(out io.Writer, o Options) (*Printer, error) {
	if !slices.Contains([]string{"", "auto", "always", "never"}, o.Color) {
		return nil, Usage("--color %q: auto, always or never", o.Color)
	}
	if o.Quiet && o.Verbose {
		return nil, Usage("--quiet and --verbose exclude each other")
	}
	var output *Output
	switch to := out.(type) {
	case *Output:
		output = to
	case beside:
		output, out = to.output, to.w // not through the output, which would make room for it
	}
	p := &Printer{Out: out, Options: o, screen: screen{out: out}}
	dumb := os.Getenv("TERM") == "dumb"
	f, ok := out.(interface{ Fd() uintptr })
	terminal := ok && !o.JSON && term.IsTerminal(int(f.Fd()))
	if terminal && !dumb && !o.Quiet {
		p.screen.size = func() (columns, rows int) {
			columns, rows, err := term.GetSize(int(f.Fd()))
			if err != nil || columns <= 0 || rows <= 0 {
				return 80, 24
			}
			return columns, rows
		}
	}
	p.color = !o.JSON && (o.Color == "always" ||
		o.Color != "never" && terminal && !dumb && os.Getenv("NO_COLOR") == "")
	if output != nil {
		output.attach(p)
		p.log = output.log
	}
	return p, nil
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
	p.write(string(b) + "\n")
}

// Summary prints the object that ends every run for machines: the values, with what the program
// exits with for err as "exit" and, if err is a failure, its [Failure].
func (p *Printer) Summary(values map[string]any, err error) {
	p.mu.Lock()
	p.summed = true
	p.mu.Unlock()
	err = p.reword(err)
	object := map[string]any{"type": "summary", "exit": Code(err)}
	for k, v := range values {
		object[k] = v
	}
	if f := FailureOf(err); f != nil {
		object["error"], object["hints"] = f.Error, f.Hints
		if f.Kind != "" {
			object["kind"] = f.Kind
		}
		if len(f.Problems) > 0 {
			object["problems"] = f.Problems
		}
	}
	p.Object(object)
}

// reword returns err with its hints in the words of the program.
func (p *Printer) reword(err error) error {
	if p.Say == nil {
		return err
	}
	return lab.Reword(err, p.Say)
}

// Printf prints text for people. As JSON it prints nothing.
func (p *Printer) Printf(format string, args ...any) {
	if p.JSON {
		return
	}
	text := fmt.Sprintf(format, args...)
	p.log.text(text)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(text)
}

// write writes permanent text above the live lines. The caller holds the lock.
func (p *Printer) write(text string) {
	if text != "" {
		p.last = time.Now()
	}
	var live []string
	if p.screen.size != nil {
		columns, rows := p.screen.size()
		live = p.view.lines(time.Now(), columns, rows)
	}
	p.screen.write(text, live)
}

// outside runs what writes to the terminal past the printer, without live lines on it.
func (p *Printer) outside(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.screen.write("", nil)
	write()
	p.write("")
}

// end removes the live lines for good.
func (p *Printer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view.clear()
	p.tick()
	p.screen.write("", nil)
}

// Plan prints a plan, in its short form if quiet.
func (p *Printer) Plan(plan *lab.Plan) { p.Outline(plan.Outline(), false) }

// Outline prints an outline, in its short form if brief or quiet.
func (p *Printer) Outline(o *lab.Outline, brief bool) {
	if p.JSON {
		p.log.text(o.String())
		p.Object(o)
		return
	}
	text := o.String()
	if brief || p.Quiet {
		text = o.Brief()
	}
	if !p.color {
		p.Printf("%s", text)
		return
	}
	p.log.text(text)
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(colorLine(line))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(b.String())
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
	if text != "" && !strings.HasPrefix(text, " ") {
		return bold + text + reset + end
	}
	return line
}

// Event prints progress.
func (p *Printer) Event(e lab.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if p.JSON {
		p.Object(e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	more := p.view.continues(e)
	p.view.event(e)
	if line := p.eventLine(e, true, false); line != "" && !more {
		p.log.text(line + "\n")
	}
	if p.JSON {
		return
	}
	text := p.eventLine(e, p.Verbose, p.color)
	if text != "" {
		text += "\n"
	}
	if more {
		text = ""
	}
	p.write(text)
	p.tick()
}

// heartbeat is how long nothing is printed before a line says that it is going on.
const heartbeat = 30 * time.Second

// tick redraws the live lines every second, for the time that they show, or without a terminal prints
// a line when there was none for long, until nothing is in progress. The caller holds the lock, and
// has changed the view.
func (p *Printer) tick() {
	switch idle := p.view.idle() || p.Quiet; {
	case idle && p.ticks != nil:
		close(p.ticks)
		p.ticks = nil
	case !idle && p.ticks == nil:
		stop := make(chan struct{})
		p.ticks = stop
		go p.redraw(stop)
	}
}

func (p *Printer) redraw(stop chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-t.C:
			p.mu.Lock()
			if p.ticks == stop {
				text := ""
				if p.screen.size == nil && now.Sub(p.last) >= heartbeat && now.Sub(p.view.begun) >= heartbeat {
					text = p.view.heartbeat(now) + "\n"
				}
				p.write(text)
			}
			p.mu.Unlock()
		}
	}
}

// eventLine returns the permanent line for an event; empty if there is none.
func (p *Printer) eventLine(e lab.Event, verbose, color bool) string {
	const indent = "          "
	line := func(paint, word, rest string) string {
		word = fmt.Sprintf("%-7s", word)
		if color {
			word = paint + word + reset
		}
		return strings.TrimRight("  "+word+" "+rest, " ")
	}
	about := e.Target + " " + shortID(e)
	switch {
	case e.Kind == lab.EventDone && e.Status == lab.StatusDone:
		if p.Quiet && !verbose {
			return ""
		}
		return line(green, "done", about)
	case e.Kind == lab.EventDone:
		// what was not begun is said by the report, one line a step, and why a change failed at the end
		why := e.Text
		if e.Err != nil {
			why = e.Err.Error()
		}
		begun := e.Status != lab.StatusSkipped && e.Status != lab.StatusNotRun
		switch {
		case verbose:
			return line(red, string(e.Status), about+": "+lab.PrintableText(why, indent))
		case begun && e.Err == nil:
			return line(red, string(e.Status), about+": "+lab.PrintableText(why, indent))
		case begun:
			return line(red, string(e.Status), about)
		}
	case p.Quiet && !verbose:
	case e.Kind == lab.EventWait:
		return line(dim, "wait", e.Target+": "+lab.PrintableText(e.Text, indent))
	case e.Kind == lab.EventNote:
		return line(dim, "note", lab.PrintableText(e.Text, indent))
	case verbose && e.Kind == lab.EventDoing && e.Text != "":
		return line(dim, "doing", e.Target+": "+lab.PrintableText(e.Text, indent))
	case verbose && e.Kind == lab.EventOutput && e.Text != "":
		return line(dim, "output", about+": "+lab.PrintableText(e.Text, indent))
	}
	return ""
}

// Report prints what was not done, and how much was; why is in the report's error.
func (p *Printer) Report(r *lab.Report) {
	p.mu.Lock()
	p.view.clear()
	p.tick()
	p.mu.Unlock()
	if p.JSON {
		p.log.text(r.String())
		p.Object(r)
		return
	}
	if p.Quiet && r.Complete() {
		p.end()
		return
	}
	p.Printf("%s%s in %s\n", r.NotBegun(), r.Summary(), Took(r.Took))
}

// Took returns a duration for people: "0.3 s", "1:05".
func Took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return clock(d)
}
