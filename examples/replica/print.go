package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// width is how many columns tables and text have.
const width = 100

// printer prints results, as text or as JSON lines, and shows progress on a terminal.
type printer struct {
	out       io.Writer
	stderr    io.Writer
	json      bool
	live      bool      // progress is shown
	shown     bool      // a progress line is on the terminal
	about     string    // what progress is of
	begun     time.Time // when that began, at
	from      int64
	resumable bool // what was interrupted can be continued
	warned    map[warningLine]bool
}

func newPrinter(out, stderr io.Writer, asJSON bool) *printer {
	return &printer{out: out, stderr: stderr, json: asJSON, live: isTerminal(stderr), warned: map[warningLine]bool{}}
}

// line prints one JSON object with its type first.
func (p *printer) line(kind string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		data, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	rest := strings.TrimPrefix(string(data), "{")
	if rest != "}" {
		rest = "," + rest
	}
	fmt.Fprintf(p.out, "{%q:%q%s\n", "type", kind, rest)
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// paragraph prints text folded to the width, its first line indented by indent, all others by hang.
func (p *printer) paragraph(indent, hang int, text string) {
	p.printf("%s", strings.Repeat(" ", indent))
	p.folded(indent, hang, text)
}

// folded prints text folded to the width, from column on, all lines but the first indented by hang.
func (p *printer) folded(column, hang int, text string) {
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
	p.printf("%s\n", at)
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
	if p.json {
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
