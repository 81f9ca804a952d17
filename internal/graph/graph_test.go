package graph

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var update = flag.Bool("update", false, "write the golden files")

// small has everything that a graph can have.
func small() *Graph {
	return &Graph{
		Title: "A plan",
		Nodes: []Node{
			{ID: "a", Label: "+ file:/etc/a", Kind: "create", Group: "host/pi1"},
			{ID: "b", Label: "~ file:/etc/b", Kind: "update", Group: "host/pi1"},
			{ID: "c", Label: "! unit:c.service/restart", Detail: "risk: restart", Kind: "run", Group: "host/pi1"},
			{ID: "d", Label: "d", Group: "host/pi1"},
			{ID: "e", Label: "a name that is far too long for a box of thirty columns", Kind: "unknown", Group: "pg"},
			{ID: "f", Label: "f"},
		},
		Edges: []Edge{{"a", "c"}, {"b", "c"}, {"c", "d"}, {"a", "d"}, {"c", "e"}, {"d", "e"}, {"a", "gone"}, {"a", "c"}},
	}
}

func TestGolden(t *testing.T) {
	for name, draw := range map[string]func(*Graph) (string, error){"small.svg": (*Graph).SVG, "small.mmd": (*Graph).Mermaid} {
		got, err := draw(small())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s differs (%v); look at it, and write it with -update\n%s", file, err, got)
		}
	}
}

// random returns a graph without cycles.
func random(r *rand.Rand) *Graph {
	g := &Graph{Title: "random"}
	n := 1 + r.IntN(40)
	for i := range n {
		g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint(i), Label: strings.Repeat("x", r.IntN(45)),
			Detail: strings.Repeat("y", r.IntN(2)*r.IntN(20)), Group: []string{"", "p", "q"}[r.IntN(3)]})
	}
	for range r.IntN(3 * n) {
		a, b := r.IntN(n), r.IntN(n)
		if a < b {
			g.Edges = append(g.Edges, Edge{fmt.Sprint(a), fmt.Sprint(b)})
		}
	}
	r.Shuffle(n, func(i, j int) { g.Nodes[i], g.Nodes[j] = g.Nodes[j], g.Nodes[i] })
	return g
}

// TestLayout: no boxes overlap or leave the page, arrows point downwards and reach what they point to.
func TestLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		g := random(r)
		to, err := g.links()
		if err != nil {
			t.Fatal(err)
		}
		var all []int
		for i := range g.Nodes {
			all = append(all, i)
		}
		l := g.newLayout(all, to, pageWidth)
		seen := map[int]*box{}
		for i, row := range l.rows {
			nodes := 0.0
			for j, b := range row {
				if b.node >= 0 {
					seen[b.node] = b
					nodes += b.width + gap
				}
				if b.x-b.width/2 < -0.01 || b.x+b.width/2 > l.width+0.01 || b.y+b.height > l.height+0.01 {
					t.Fatalf("%+v is not on the page of %v by %v", b, l.width, l.height)
				}
				if j > 0 && row[j-1].x+row[j-1].width/2+gap > b.x-b.width/2+0.01 {
					t.Fatalf("%+v and %+v overlap", row[j-1], b)
				}
				for _, next := range b.to {
					if next.row != i+1 || next.y <= b.y+b.height {
						t.Fatalf("an arrow from row %d to row %d", i, next.row)
					}
				}
			}
			if nodes-gap > pageWidth {
				t.Fatalf("a row of nodes is %v wide", nodes)
			}
		}
		for n := range to {
			for _, m := range to[n] {
				if !reaches(seen[n], seen[m]) {
					t.Fatalf("no arrow from %d to %d", n, m)
				}
			}
		}
	}
}

// reaches reports whether an arrow goes from a to b, past other boxes.
func reaches(a, b *box) bool {
	for _, next := range a.to {
		if next == b || next.node < 0 && reaches(next, b) {
			return true
		}
	}
	return false
}

// TestReduce: an edge goes exactly if it follows from others.
func TestReduce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		g := random(r)
		before := closure(t, g)
		if err := g.Reduce(); err != nil {
			t.Fatal(err)
		}
		if after := closure(t, g); after != before {
			t.Fatalf("reaches\n%s\nwant\n%s", after, before)
		}
		for i := range g.Edges {
			less := &Graph{Nodes: g.Nodes, Edges: append(append([]Edge(nil), g.Edges[:i]...), g.Edges[i+1:]...)}
			if closure(t, less) == before {
				t.Fatalf("%v follows from others", g.Edges[i])
			}
		}
	}
}

// closure returns what can be reached from each node, as text.
func closure(t *testing.T, g *Graph) string {
	t.Helper()
	to, err := g.links()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range to {
		seen := make([]bool, len(to))
		var visit func(int)
		visit = func(n int) {
			for _, m := range to[n] {
				if !seen[m] {
					seen[m] = true
					visit(m)
				}
			}
		}
		visit(n)
		fmt.Fprintln(&b, n, seen)
	}
	return b.String()
}

// hostile are names that a viewer must not obey.
var hostile = []string{`"><script>alert(1)</script>`, "a\nb", "\x1b[2J", "\x00", "\xff\xfe", "]]>", "<!--", "&lt;", "`code`",
	"\u202egpj.exe", "#quot;", "end", "]", "--> n1", "%%{init: {}}%%", ";", "javascript:x",
	"日本語のとても長い名前のファイルです.txt", "👩‍👩‍👧", "", " ",
	strings.Repeat("ä", 500)}

// TestHostileNames: whatever names there are, the SVG is well-formed XML without elements of theirs, and Mermaid has
// one line for each node and edge.
func TestHostileNames(t *testing.T) {
	for _, name := range hostile {
		g := &Graph{Title: name, Nodes: []Node{{ID: "a", Label: name, Detail: name, Kind: name, Group: name}, {ID: "b", Label: "b"}},
			Edges: []Edge{{"a", "b"}}}
		svg, err := g.SVG()
		if err != nil {
			t.Fatal(err)
		}
		checkXML(t, name, svg)
		mmd, err := g.Mermaid()
		if err != nil {
			t.Fatal(err)
		}
		lines := 5 // flowchart, two nodes, an edge and the end of the text
		if name != "" {
			lines += 2 // of the group
		}
		if n := len(strings.Split(mmd, "\n")); n != lines {
			t.Errorf("%q: %d lines\n%s", name, n, mmd)
		}
		if text := mermaidText(name); !harmless.MatchString(text) {
			t.Errorf("%q is %q", name, text)
		}
	}
}

// harmless is a text that Mermaid shows as it is: without its own syntax, HTML or Markdown.
var harmless = regexp.MustCompile("^(?:[^\x00-\x1f\"#;<>&`*_\\[\\]{}|\\\\]|#[0-9]+;)*$")

// checkXML verifies that an SVG is well-formed and has none but our elements.
func checkXML(t *testing.T, name, svg string) {
	t.Helper()
	if !utf8.ValidString(svg) {
		t.Errorf("%q: not UTF-8", name)
	}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%q: %v\n%s", name, err, svg)
			return
		}
		if e, ok := token.(xml.StartElement); ok && !strings.Contains(" svg title style rect text g path ", " "+e.Name.Local+" ") {
			t.Errorf("%q: the element %s\n%s", name, e.Name.Local, svg)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		g    Graph
		want error
	}{
		"a cycle":        {Graph{Nodes: []Node{{ID: "a"}, {ID: "b"}}, Edges: []Edge{{"a", "b"}, {"b", "a"}}}, lab.ErrInvalid},
		"after itself":   {Graph{Nodes: []Node{{ID: "a"}}, Edges: []Edge{{"a", "a"}}}, lab.ErrInvalid},
		"the same twice": {Graph{Nodes: []Node{{ID: "a"}, {ID: "a"}}}, lab.ErrConflict},
	} {
		for _, draw := range []func() (string, error){c.g.SVG, c.g.Mermaid, func() (string, error) { return "", c.g.Reduce() }} {
			if _, err := draw(); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if svg, err := (&Graph{}).SVG(); err != nil || !strings.Contains(svg, "nothing") {
		t.Errorf("an empty graph: %v", err)
	}
}

// FuzzShown: a text that is shortened fits, and keeps both of its ends.
func FuzzShown(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 30)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = 3 + max(width, -width, 0)%100
		got := shown(s, width)
		if columns(got) > width || !utf8.ValidString(got) {
			t.Errorf("%q in %d columns is %q", s, width, got)
		}
		if whole := lab.Printable(s); s != "" && columns(whole) <= width && got != whole {
			t.Errorf("%q fits %d columns and is %q", s, width, got)
		}
	})
}
