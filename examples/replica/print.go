package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// width is how many columns tables and text have.
const width = 100

// printer tells results, as text or as JSON lines, and progress, on a terminal.
type printer struct {
	out       io.Writer
	stderr    *os.File
	json      bool
	live      bool // progress is shown
	shown     bool // a progress line is on the terminal
	begun     time.Time
	resumable bool
	told      map[replica.Warning]bool
}

func newPrinter(out, stderr *os.File, asJSON bool) *printer {
	return &printer{out: out, stderr: stderr, json: asJSON, live: term.IsTerminal(int(stderr.Fd())), told: map[replica.Warning]bool{}}
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

// events returns where progress is told, nil when nobody looks.
func (p *printer) events() func(lab.Event) {
	p.begun = time.Now()
	switch {
	case p.json:
		var last time.Time
		return func(e lab.Event) {
			if time.Since(last) < time.Second && e.Done < e.Total {
				return
			}
			last = time.Now()
			data, err := json.Marshal(e)
			if err == nil {
				fmt.Fprintf(p.out, "%s\n", data)
			}
		}
	case p.live:
		return p.progress
	}
	return nil
}

func (p *printer) progress(e lab.Event) {
	text := fmt.Sprintf("%-8s %s", e.Text, amount(e.Done, e.Unit))
	if e.Total > 0 {
		spent := time.Since(p.begun).Seconds()
		text = fmt.Sprintf("%-8s %5.1f %%  %s of %s", e.Text, 100*float64(e.Done)/float64(e.Total), amount(e.Done, e.Unit), amount(e.Total, e.Unit))
		if e.Done > 0 && e.Done < e.Total && spent > 2 {
			left := time.Duration(spent / float64(e.Done) * float64(e.Total-e.Done) * float64(time.Second))
			text += "  " + left.Round(time.Second).String() + " left"
		}
	}
	fmt.Fprintf(p.stderr, "\r%-78.78s", text)
	p.shown = true
}

// endProgress clears the progress line.
func (p *printer) endProgress() {
	if p.shown {
		fmt.Fprintf(p.stderr, "\r%78s\r", "")
		p.shown = false
	}
}

func amount(n int64, unit string) string {
	if unit != "bytes" {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return size(n)
}

// size returns bytes with a binary unit.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1023.95 && u < 5 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[u])
}

// short keeps the end of a long name, which is what tells replicas of one volume apart.
func short(s string, n int) string {
	s = lab.Printable(s)
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return "…" + string(r[len(r)-n+1:])
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// warnings prints warnings, each once in a run.
func (p *printer) warnings(ws []replica.Warning) {
	for _, w := range ws {
		if p.told[w] {
			continue
		}
		p.told[w] = true
		if p.json {
			p.line("warning", w)
			continue
		}
		where := ""
		if w.Path != "" {
			where = lab.Printable(w.Path) + ": "
		}
		p.paragraph(0, 4, fmt.Sprintf("warning %s: %s%s", w.Code, where, w.Text))
	}
}

type pointLine struct {
	Name    string `json:"name"`
	File    string `json:"file"`
	Created string `json:"created,omitempty"`
	User    bool   `json:"user"`
	Removed bool   `json:"removed"`
	Live    bool   `json:"live"`
	Layers  int    `json:"layers"`
	Error   string `json:"error,omitempty"`
}

type layerLine struct {
	File      string            `json:"file"`
	Absent    bool              `json:"absent,omitempty"`
	Size      int64             `json:"size"`
	Allocated int64             `json:"allocated"`
	ModTime   time.Time         `json:"mtime"`
	Meta      replica.State     `json:"meta"`
	Parent    string            `json:"parent"`
	Removed   bool              `json:"removed"`
	User      bool              `json:"user"`
	Created   string            `json:"created,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Checksum  replica.State     `json:"checksum"`
}

// directory prints what one directory holds.
func (p *printer) directory(d *replica.Directory, points []replica.Point) {
	if p.json {
		layers, lines := []layerLine{}, []pointLine{}
		for _, l := range d.Layers {
			layers = append(layers, layerLine{l.File, l.Absent, l.Size, l.Allocated, l.ModTime.UTC(), l.MetaState, l.Meta.Parent, l.Meta.Removed,
				l.Meta.UserCreated, l.Meta.Created, l.Meta.Labels, l.ChecksumState})
		}
		for _, q := range points {
			l := pointLine{q.Name, q.File, q.Created, q.User, q.Removed, q.Live, q.Layers, ""}
			if q.Err != nil {
				l.Error = q.Err.Error()
			}
			lines = append(lines, l)
		}
		p.line("replica", map[string]any{"path": d.Path, "volume": d.Volume, "size": d.Meta.Size, "head": d.Meta.Head, "volume_meta": d.MetaState,
			"dirty": d.Meta.Dirty, "rebuilding": d.Meta.Rebuilding, "counter": d.Counter, "layers": layers, "points": lines, "warnings": d.Warnings})
		return
	}
	p.printf("%s\n", lab.Printable(d.Path))
	state := "volume.meta " + string(d.MetaState)
	if d.MetaState == replica.Good {
		state = size(d.Meta.Size)
		if d.Meta.Rebuilding {
			state += ", rebuilding"
		}
	}
	counter := "no revision counter"
	if d.CounterState == replica.Good {
		counter = fmt.Sprintf("revision counter %d", d.Counter)
	}
	p.printf("  %s, %s, %s\n", state, count(len(d.Layers), "layer", "layers"), counter)
	p.printf("  %-36s %-19s %10s  %s\n", "LAYER", "WRITTEN", "ON DISK", "NOTES")
	for _, l := range d.Layers {
		var notes []string
		if l.Absent {
			notes = append(notes, "missing")
		}
		if l.MetaState != replica.Good {
			notes = append(notes, ".meta "+string(l.MetaState))
		}
		if l.Meta.Removed {
			notes = append(notes, "removed")
		}
		if l.ChecksumState == replica.Good {
			notes = append(notes, "sum")
		}
		p.printf("  %-36s %-19s %10s  %s\n", short(l.File, 36), stamp(l.ModTime), size(l.Allocated), strings.Join(notes, ", "))
	}
	p.printf("  %-36s %-20s %6s  %s\n", "RECOVERY POINT", "CREATED", "LAYERS", "NOTES")
	for _, q := range points {
		name, created, note := q.Name, "", "side branch"
		if q.Created != "" {
			created = short(q.Created, 20)
		}
		if q.Live {
			note = ""
		}
		if name == "" {
			name, note = "(live state)", ""
		}
		if q.Removed {
			note = strings.TrimPrefix(note+", removed", ", ")
		}
		if q.Err != nil {
			note = "no: inspect -json says why"
		}
		p.printf("  %-36s %-20s %6d  %s\n", short(name, 36), created, q.Layers, note)
	}
	for _, w := range d.Warnings {
		if w.Path != "" {
			w.Path = lab.Printable(w.Path) + ": "
		}
		p.paragraph(2, 4, fmt.Sprintf("warning %s: %s%s", w.Code, w.Path, w.Text))
	}
	p.printf("\n")
}

type rankLine struct {
	Rank      int           `json:"rank"`
	Path      string        `json:"path"`
	Mergeable bool          `json:"mergeable"`
	Tied      bool          `json:"tied"`
	Reason    string        `json:"reason"`
	Counter   int64         `json:"counter"`
	HeadTime  time.Time     `json:"head_time"`
	HeadBytes int64         `json:"head_bytes"`
	Layers    int           `json:"layers"`
	Checksums []replica.Sum `json:"checksums,omitempty"`
}

// ranking prints the order of the replicas and the reasons.
func (p *printer) ranking(r *replica.Ranking) {
	if !p.json {
		p.printf("   %-36s %-19s %12s %10s %6s %9s\n", "REPLICA", "HEAD WRITTEN", "COUNTER", "HEAD SIZE", "LAYERS", "CHECKSUMS")
	}
	for i, c := range r.Replicas {
		layers := 0
		if c.Chain != nil {
			layers = len(c.Chain.Layers)
		}
		if p.json {
			p.line("rank", rankLine{i + 1, c.Directory.Path, c.Err == nil, c.Tied, c.Reason, c.Directory.Counter, c.HeadTime().UTC(), c.HeadAllocated(), layers, c.Sums})
			continue
		}
		counter, sums := "-", "-"
		if c.Directory.CounterState == replica.Good {
			counter = fmt.Sprint(c.Directory.Counter)
		}
		if len(c.Sums) > 0 {
			good := 0
			for _, s := range c.Sums {
				if s.OK() {
					good++
				}
			}
			sums = fmt.Sprintf("%d of %d", good, len(c.Sums))
		}
		p.printf("%-2d %-36s %-19s %12s %10s %6d %9s\n", i+1, short(c.Name(), 36), stamp(c.HeadTime()), counter, size(c.HeadAllocated()), layers, sums)
		p.paragraph(3, 5, c.Reason)
	}
	p.warnings(r.Warnings)
}

// merged prints the result of a merge: with -json, the last line.
func (p *printer) merged(r *replica.Result, chosen string, c *replica.Chain) {
	if p.json {
		p.line("result", struct {
			*replica.Result
			Chosen string `json:"chosen"`
			Point  string `json:"point"`
			Layers int    `json:"layers"`
		}{r, chosen, c.Point, len(c.Layers)})
		return
	}
	p.printf("image   %s\n", r.Path)
	p.printf("size    %d (%s), %s of data\n", r.Size, size(r.Size), size(r.Data))
	if r.SHA256 != "" {
		p.printf("sha256  %s\n", r.SHA256)
	}
	p.printf("from    %s\n", chosen)
	text := fmt.Sprintf("%s copied in %s (%s)", size(r.Copied), r.Duration.Round(time.Millisecond), r.Method)
	if r.Resumed > 0 {
		text += fmt.Sprintf(", continued at %s", size(r.Resumed))
	}
	p.printf("work    %s\n", text)
}

// verified prints a comparison.
func (p *printer) verified(v *replica.Verification) {
	if v.Comparison == nil {
		if p.json {
			p.line("result", map[string]any{"equal": false, "ok": false})
		}
		return
	}
	if p.json {
		type image struct {
			Path string `json:"path"`
			replica.Difference
			Group int `json:"group"`
		}
		var images []image
		for i, r := range v.Compared {
			im := image{Path: r.Directory.Path, Difference: v.Comparison.Differ[i]}
			for g, members := range v.Comparison.Groups {
				for _, m := range members {
					if m == i {
						im.Group = g
					}
				}
			}
			images = append(images, im)
		}
		p.line("result", map[string]any{"equal": v.Comparison.Equal(), "ok": v.OK(), "images": images})
		return
	}
	best := v.Compared[0].Name()
	for i, r := range v.Compared[1:] {
		d := v.Comparison.Differ[i+1]
		if d.Bytes == 0 {
			p.paragraph(0, 4, fmt.Sprintf("%s has the same content as %s", lab.Printable(r.Name()), lab.Printable(best)))
			continue
		}
		p.paragraph(0, 4, fmt.Sprintf("%s differs from %s in %s, %s, first at %d", lab.Printable(r.Name()), lab.Printable(best), size(d.Bytes), count(len(d.Ranges), "place", "places"), d.Ranges[0].Off))
	}
	switch {
	case v.OK() && len(v.Compared) > 1:
		p.printf("all %d are equal and sound\n", len(v.Compared))
	case v.OK():
		p.printf("%s is sound; there is no other to compare it with\n", lab.Printable(best))
	case v.Comparison.Equal():
		p.printf("those that can be read are equal, but not all is well\n")
	}
}

func (p *printer) checked(path string, c *replica.Checked) {
	if p.json {
		p.warnings(c.Warnings(path))
		p.line("check", struct {
			Path string `json:"path"`
			*replica.Checked
		}{path, c})
		return
	}
	what := c.FileSystem.Type
	if what == "" {
		what = "unknown content"
	}
	if c.FileSystem.Label != "" {
		what += ", label " + lab.Printable(c.FileSystem.Label)
	}
	state := "not checked: " + c.Output
	if c.Tool != "" {
		state = c.Tool + " found errors"
		if c.Clean {
			state = c.Tool + " found no error"
		}
		if c.Replayed {
			state += " once the journal was replayed, on a copy"
		}
	}
	p.printf("holds   ")
	p.folded(8, 8, what+": "+state)
	if c.Tool != "" && !c.Clean {
		for line := range strings.Lines(c.Output) {
			p.printf("        %s\n", short(strings.TrimRight(line, "\n"), width-8))
		}
	}
	p.warnings(c.Warnings(path))
}

func (p *printer) file(f replica.File) {
	if p.json {
		p.line("file", f)
	}
}

func (p *printer) extracted(x *replica.Extracted) {
	if p.json {
		p.warnings(x.Warnings)
		p.line("result", x)
		return
	}
	p.warnings(x.Warnings)
	p.printf("%s, %s, from %s, by %s, in %s\n", count(x.Files, "file", "files"), size(x.Bytes), x.FileSystem.Type, x.Method, x.Path)
}

func (p *printer) packed(verb string, r *replica.Packed, sum string) {
	if p.json {
		p.line("result", struct {
			*replica.Packed
			SHA256 string `json:"sha256,omitempty"`
		}{r, sum})
		return
	}
	p.printf("%s %s: %s, %s of content, a stream of %s\n", verb, lab.Printable(r.Directory), count(r.Files, "file", "files"), size(r.Bytes), size(r.Stream))
}
