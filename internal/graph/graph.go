// Package graph draws what depends on what: as Mermaid, for pages that render it, and as SVG, by a
// layered layout of its own. The same graph gives the same bytes. Names may be anybody's: they are
// escaped, and shortened in the drawing.
package graph

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// Graph is nodes and the edges between them, without a cycle.
type Graph struct {
	Title string
	Nodes []Node
	Edges []Edge
}

// Node is a box.
type Node struct {
	ID     string // unique; not shown
	Label  string
	Detail string // a second line, smaller; empty means none
	Kind   string // for the colour, one of those in the style: "machine", "create"; empty means plain
	Group  string // of nodes that are drawn together under this title; empty means none
}

// Edge is an arrow between two nodes, by their IDs.
type Edge struct{ From, To string }

// links returns for each node the indexes of those that its arrows point to, sorted, each once. Edges to
// nodes that are not there are left out. A cycle is an error.
func (g *Graph) links() ([][]int, error) {
	index := map[string]int{}
	for i, n := range g.Nodes {
		if _, ok := index[n.ID]; ok {
			return nil, &lab.Error{Op: "draw graph", Path: n.ID, Err: fmt.Errorf("%w: two nodes have this ID", lab.ErrConflict)}
		}
		index[n.ID] = i
	}
	to := make([][]int, len(g.Nodes))
	for _, e := range g.Edges {
		from, ok := index[e.From]
		at, also := index[e.To]
		if ok && also {
			to[from] = append(to[from], at)
		}
	}
	for i := range to {
		slices.Sort(to[i])
		to[i] = slices.Compact(to[i])
	}
	if _, cycle := dag.Sort(len(to), func(n int) []int { return to[n] }); cycle != nil {
		return nil, &lab.Error{Op: "draw graph", Path: g.Nodes[cycle[0]].ID,
			Err: fmt.Errorf("%w: it comes after itself", lab.ErrInvalid)}
	}
	return to, nil
}

// Reduce removes the edges that follow from others: from a to c, where there are a to b and b to c. What
// is reachable stays reachable.
func (g *Graph) Reduce() error {
	to, err := g.links()
	if err != nil {
		return err
	}
	// reach[i] has a bit for each node that can be reached from i
	words := (len(to) + 63) / 64
	reach := make([][]uint64, len(to))
	order, _ := dag.Sort(len(to), func(n int) []int { return to[n] }) // those that are pointed to first
	g.Edges = g.Edges[:0]
	kept := make([][]int, len(to))
	for _, n := range order {
		reach[n] = make([]uint64, words)
		// nearer ones first: what a later one reaches through another is seen then
		next := slices.Clone(to[n])
		slices.SortStableFunc(next, func(a, b int) int { return slices.Index(order, b) - slices.Index(order, a) })
		for _, m := range next {
			if reach[n][m/64]&(1<<(m%64)) != 0 {
				continue
			}
			kept[n] = append(kept[n], m)
			reach[n][m/64] |= 1 << (m % 64)
			for w := range words {
				reach[n][w] |= reach[m][w]
			}
		}
	}
	for n := range kept {
		slices.Sort(kept[n])
		for _, m := range kept[n] {
			g.Edges = append(g.Edges, Edge{g.Nodes[n].ID, g.Nodes[m].ID})
		}
	}
	return nil
}

// groups returns the titles of the groups in the order of their first nodes, and the nodes of each.
func (g *Graph) groups() (titles []string, nodes map[string][]int) {
	nodes = map[string][]int{}
	for i, n := range g.Nodes {
		if _, ok := nodes[n.Group]; !ok {
			titles = append(titles, n.Group)
		}
		nodes[n.Group] = append(nodes[n.Group], i)
	}
	return titles, nodes
}
