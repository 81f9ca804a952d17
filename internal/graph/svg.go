package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// style is how the nodes of a kind look. Colours only help: the kind is in the text too.
type style struct{ fill, stroke string }

// styles has the kinds. The fills are light enough for black text.
var styles = map[string]style{
	"machine":  {"#e3f2fd", "#0b5394"},
	"group":    {"#f3e5f5", "#6a1b9a"},
	"stage":    {"#eeeeee", "#444444"},
	"stack":    {"#e8f5e9", "#1b5e20"},
	"app":      {"#fff8e1", "#8a5a00"},
	"database": {"#fbe9e7", "#9c2c0e"},
	"create":   {"#e8f5e9", "#1b5e20"},
	"update":   {"#fff8e1", "#8a5a00"},
	"replace":  {"#fff3e0", "#a34700"},
	"delete":   {"#fdecea", "#a01717"},
	"run":      {"#e3f2fd", "#0b5394"},
}

// kinds returns the kinds of the nodes that have a style, in alphabetical order.
func (g *Graph) kinds() (kinds []string) {
	for _, n := range g.Nodes {
		if _, ok := styles[n.Kind]; ok && !slices.Contains(kinds, n.Kind) {
			kinds = append(kinds, n.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

const (
	margin     = 10.0
	titleSpace = 26.0 // above the nodes of a group, and of the graph
	lane       = 7.0  // between arrows from group to group
)

// part is a group in a drawing.
type part struct {
	title  string
	layout *layout
	y      float64
}

// SVG returns the graph as an image, wide enough for 80 columns unless more is needed. Arrows point
// downwards; those from group to group are at the left, once a pair.
func (g *Graph) SVG() (string, error) {
	to, err := g.links()
	if err != nil {
		return "", err
	}
	parts, between := g.parts(to)
	left := margin + lane*float64(len(between))
	width, y := pageWidth, margin+titleSpace
	for _, p := range parts {
		width = max(width, left+p.layout.width+3*margin)
	}
	for i, p := range parts {
		parts[i].y = y
		y += p.layout.height + margin
		if p.title != "" {
			y += titleSpace + margin
		}
	}
	if len(parts) == 0 {
		y += titleSpace
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" `+
		`role="img" font-family="'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="11.5">`+"\n",
		px(width), px(y))
	title := g.Title
	if title == "" {
		title = "Graph"
	}
	fmt.Fprintf(&b, "<title>%s</title>\n", xmlText(title))
	g.writeStyle(&b)
	fmt.Fprintf(&b, `<rect class="page" width="%s" height="%s"/>`+"\n", px(width), px(y))
	fmt.Fprintf(&b, `<text class="title" x="%s" y="%s">%s</text>`+"\n", px(margin), px(margin+12),
		xmlText(shown(title, int((width-2*margin)/charWidth))))
	for i, pair := range between {
		writeBetween(&b, parts[pair[0]], parts[pair[1]], left, margin+lane*float64(i))
	}
	for _, p := range parts {
		g.writePart(&b, p, left, width-margin)
	}
	if len(parts) == 0 {
		fmt.Fprintf(&b, `<text x="%s" y="%s">nothing</text>`+"\n", px(margin), px(margin+titleSpace+12))
	}
	b.WriteString("</svg>\n")
	return b.String(), nil
}

// parts lays each group out by itself, the groups in the order of the arrows between them, and returns the
// pairs of groups that arrows connect. Groups that point to each other stay in the order of their nodes.
func (g *Graph) parts(to [][]int) (parts []part, between [][2]int) {
	titles, nodes := g.groups()
	inside := make([][]int, len(to))
	after := map[string][]string{}
	for n := range to {
		for _, m := range to[n] {
			a, b := g.Nodes[n].Group, g.Nodes[m].Group
			if a == b {
				inside[n] = append(inside[n], m)
			} else if !slices.Contains(after[b], a) {
				after[b] = append(after[b], a)
			}
		}
	}
	var sorted []string
	for len(sorted) < len(titles) {
		next := slices.IndexFunc(titles, func(t string) bool {
			return !slices.Contains(sorted, t) && !slices.ContainsFunc(after[t], func(a string) bool { return !slices.Contains(sorted, a) })
		})
		if next < 0 {
			next = slices.IndexFunc(titles, func(t string) bool { return !slices.Contains(sorted, t) })
		}
		sorted = append(sorted, titles[next])
	}
	for i, title := range sorted {
		parts = append(parts, part{title: title, layout: g.newLayout(nodes[title], inside, pageWidth-4*margin)})
		for _, a := range after[title] {
			between = append(between, [2]int{slices.Index(sorted, a), i})
		}
	}
	return parts, between
}

// writeStyle writes the colours, and others for dark screens.
func (g *Graph) writeStyle(b *strings.Builder) {
	b.WriteString("<style>\n.page{fill:#fff}\ntext{fill:#111}\n.title{font-weight:bold;font-size:13px}\n" +
		".detail{font-size:10px;fill:#444}\n.node{fill:#fff;stroke:#555}\n.frame{fill:none;stroke:#999;stroke-dasharray:4 3}\n" +
		".arrow{fill:none;stroke:#777}\n.head{fill:#777}\n")
	for _, kind := range g.kinds() {
		fmt.Fprintf(b, ".%s{fill:%s;stroke:%s}\n", kind, styles[kind].fill, styles[kind].stroke)
	}
	b.WriteString("@media (prefers-color-scheme: dark){.page{fill:#1b1b1b}.title,.caption{fill:#eee}}\n</style>\n")
}

// writePart writes a group: its arrows, and its nodes above them.
func (g *Graph) writePart(b *strings.Builder, p part, left, right float64) {
	x, y := left, p.y
	if p.title != "" {
		fmt.Fprintf(b, `<rect class="frame" x="%s" y="%s" width="%s" height="%s" rx="6"/>`+"\n",
			px(left), px(y), px(right-left), px(p.layout.height+titleSpace+margin))
		fmt.Fprintf(b, `<text class="caption" x="%s" y="%s">%s</text>`+"\n", px(left+margin), px(y+16),
			xmlText(shown(p.title, int((right-left-2*margin)/charWidth))))
		y += titleSpace
	}
	x += max(0, (right-left-p.layout.width)/2)
	for _, row := range p.layout.rows {
		for _, bx := range row {
			for _, t := range bx.to {
				writeArrow(b, x+bx.x, y+bx.y+bx.height, x+t.x, y+t.y, t.node >= 0)
			}
			if bx.node < 0 {
				fmt.Fprintf(b, `<path class="arrow" d="M%s %sV%s"/>`+"\n", px(x+bx.x), px(y+bx.y), px(y+bx.y+bx.height))
			}
		}
	}
	for _, row := range p.layout.rows {
		for _, bx := range row {
			if bx.node >= 0 {
				g.writeNode(b, bx, x, y)
			}
		}
	}
}

func (g *Graph) writeNode(b *strings.Builder, bx *box, x, y float64) {
	n := g.Nodes[bx.node]
	class := "node"
	if _, ok := styles[n.Kind]; ok {
		class += " " + n.Kind
	}
	whole := n.Label
	if n.Detail != "" {
		whole += ": " + n.Detail
	}
	fmt.Fprintf(b, `<g><title>%s</title><rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="4"/>`,
		xmlText(whole), class, px(x+bx.x-bx.width/2), px(y+bx.y), px(bx.width), px(bx.height))
	fmt.Fprintf(b, `<text x="%s" y="%s" text-anchor="middle">%s</text>`, px(x+bx.x), px(y+bx.y+16),
		xmlText(shown(n.Label, labelWidth)))
	if n.Detail != "" {
		fmt.Fprintf(b, `<text class="detail" x="%s" y="%s" text-anchor="middle">%s</text>`, px(x+bx.x), px(y+bx.y+29),
			xmlText(shown(n.Detail, labelWidth)))
	}
	b.WriteString("</g>\n")
}

// writeArrow writes the part of an arrow between two rows, with its head at the end.
func writeArrow(b *strings.Builder, x1, y1, x2, y2 float64, head bool) {
	end := y2
	if head {
		end -= 5
	}
	bend := (y2 - y1) / 2
	fmt.Fprintf(b, `<path class="arrow" d="M%s %sC%s %s %s %s %s %s"/>`+"\n", px(x1), px(y1), px(x1), px(y1+bend),
		px(x2), px(end-bend), px(x2), px(end))
	if head {
		writeHead(b, x2, y2, 0, -1)
	}
}

// writeHead writes the head of an arrow that ends at a point, having come from the direction dx, dy.
func writeHead(b *strings.Builder, x, y, dx, dy float64) {
	fmt.Fprintf(b, `<path class="head" d="M%s %sL%s %sL%s %sZ"/>`+"\n", px(x), px(y),
		px(x+6*dx-3.5*dy), px(y+6*dy-3.5*dx), px(x+6*dx+3.5*dy), px(y+6*dy+3.5*dx))
}

// writeBetween writes the arrow from one group to another, along the left side.
func writeBetween(b *strings.Builder, from, to part, left, x float64) {
	y1, y2 := from.y+20, to.y+12
	fmt.Fprintf(b, `<path class="arrow" d="M%s %sH%sV%sH%s"/>`+"\n", px(left), px(y1), px(x), px(y2), px(left-5))
	writeHead(b, left, y2, -1, 0)
}

// px formats a length.
func px(v float64) string { return strconv.FormatFloat(float64(int(v*10+0.5))/10, 'f', -1, 64) }
