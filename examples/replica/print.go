package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// width is how many columns tables and text have.
const width = 80

// printer prints the results of one run of a command, as text or as JSON lines, and its progress.
type printer struct {
	*cli.Printer
	verb      string // the command
	began     time.Time
	resumable bool   // what was interrupted can be continued
	next      string // the command that comes next; empty if there is none
	warned    map[warningLine]bool
	doubts    int // warnings that were printed
}

func newPrinter(out io.Writer, verb string, o cli.Options) (*printer, error) {
	p, err := cli.NewPrinter(out, o)
	if err != nil {
		return nil, err
	}
	p.Say = say
	return &printer{Printer: p, verb: verb, began: time.Now(), warned: map[warningLine]bool{}}, nil
}

// end prints what the run came to.
func (p *printer) end(err error) {
	if err == nil || errors.Is(err, cli.ErrPending) {
		p.Printf("%s in %s\n", count(p.doubts, "warning", "warnings"), cli.Took(time.Since(p.began)))
		if p.next != "" {
			p.Printf("next: %s\n", p.next)
		}
	}
	totals := map[string]any{"verb": p.verb, "warnings": p.doubts, "seconds": time.Since(p.began).Seconds()}
	if p.next != "" {
		totals["next"] = p.next
	}
	p.Summary(totals, err)
}

// line prints one JSON object with its type first.
func (p *printer) line(kind string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // a bug: all types that are printed can be encoded
	}
	rest := strings.TrimPrefix(string(data), "{")
	if rest != "}" {
		rest = "," + rest
	}
	p.Object(json.RawMessage(fmt.Sprintf("{%q:%q%s", "type", kind, rest)))
}

// paragraph prints text folded to the width, its first line indented by indent, all others by hang.
func (p *printer) paragraph(indent, hang int, text string) {
	p.Printf("%s", strings.Repeat(" ", indent)+folded(indent, hang, text))
}

// folded returns text folded to the width, from column on, all lines but the first indented by hang.
func folded(column, hang int, text string) string {
	at := ""
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if i > 0 && column+1+n > width {
			at, column = at+"\n"+strings.Repeat(" ", hang), hang
		} else if i > 0 {
			at, column = at+" ", column+1
		}
		at, column = at+word, column+n
	}
	return at + "\n"
}

// warningLine is a warning of a replica or an image.
type warningLine struct {
	Code string `json:"code"`
	Path string `json:"path,omitempty"`
	Text string `json:"text"`
}

// warnings prints the warnings of replicas, each once in a run.
func (p *printer) warnings(ws []replica.Warning) {
	for _, w := range ws {
		p.warning(warningLine{Code: string(w.Code), Path: w.Path, Text: w.Text})
	}
}

// imageWarnings prints the warnings of an image, each once in a run.
func (p *printer) imageWarnings(ws []fsimage.Warning) {
	for _, w := range ws {
		p.warning(warningLine{Code: string(w.Code), Path: w.Path, Text: w.Text})
	}
}

func (p *printer) warning(w warningLine) {
	if p.warned[w] {
		return
	}
	p.warned[w] = true
	p.doubts++
	if p.JSON {
		w.Path = name(w.Path)
		p.line("warning", w)
		return
	}
	where := ""
	if w.Path != "" {
		where = lab.Printable(w.Path) + ": "
	}
	p.paragraph(0, 4, fmt.Sprintf("warning %s: %s%s", w.Code, where, w.Text))
}
