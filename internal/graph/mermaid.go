package graph

import (
	"fmt"
	"strings"
	"unicode"
)

// Mermaid returns the graph as a flowchart of Mermaid.
func (g *Graph) Mermaid() (string, error) {
	to, err := g.links()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	titles, nodes := g.groups()
	for i, title := range titles {
		indent := "  "
		if title != "" {
			fmt.Fprintf(&b, "  subgraph g%d[\"%s\"]\n", i, mermaidText(title))
			indent = "    "
		}
		for _, n := range nodes[title] {
			node := g.Nodes[n]
			text := mermaidText(node.Label)
			if node.Detail != "" {
				text += "<br>" + mermaidText(node.Detail)
			}
			fmt.Fprintf(&b, "%sn%d[\"%s\"]", indent, n, text)
			if _, ok := styles[node.Kind]; ok {
				b.WriteString(":::" + node.Kind)
			}
			b.WriteByte('\n')
		}
		if title != "" {
			b.WriteString("  end\n")
		}
	}
	for n := range to {
		for _, m := range to[n] {
			fmt.Fprintf(&b, "  n%d --> n%d\n", n, m)
		}
	}
	for _, kind := range g.kinds() {
		s := styles[kind]
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:#111\n", kind, s.fill, s.stroke)
	}
	return b.String(), nil
}

// mermaidText escapes a text for a quoted label of Mermaid, which reads entities by number, and HTML and
// Markdown otherwise.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == ' ' || strings.ContainsRune("./:-+~,()=@%", r):
			b.WriteRune(r)
		case r < 0x80 && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'):
			if r < ' ' || r == 0x7f {
				r = '\uFFFD'
			}
			fmt.Fprintf(&b, "#%d;", r)
		case r >= 0x80 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, "#%d;", '\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return " "
	}
	return b.String()
}
