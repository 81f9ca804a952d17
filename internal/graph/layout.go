package graph

import (
	"cmp"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// Measures of a drawing in pixels. The width is what a page of 80 columns has.
const (
	pageWidth  = 800.0
	charWidth  = 7.0 // of the label's font, 11.5 pixels high
	labelWidth = 30  // columns
	padding    = 8.0 // left and right of a label
	gap        = 14.0
	lineHeight = 15.0
	rowGap     = 34.0 // room for the arrows
	wireWidth  = 8.0  // of an arrow that passes a row
)

// box is a node, or an arrow that passes a row, in a layout.
type box struct {
	node   int // -1 for an arrow
	row    int
	x      float64 // of the middle
	width  float64
	height float64
	y      float64 // of the top
	to     []*box  // in the next row
	from   []*box  // in the row before
}

// layout is a part of a graph whose nodes are placed in rows, each below those that point to them.
type layout struct {
	rows          [][]*box
	width, height float64
}

// newLayout places the nodes. to has the nodes that each points to, all of them among nodes.
func (g *Graph) newLayout(nodes []int, to [][]int, width float64) *layout {
	boxes := map[int]*box{}
	for _, n := range nodes {
		boxes[n] = g.newBox(n)
	}
	l := &layout{}
	l.fillRows(nodes, boxes, rank(nodes, to), width)
	l.connect(nodes, to, boxes)
	l.order()
	for _, row := range l.rows {
		l.width = max(l.width, extent(row))
	}
	l.width = max(l.width, 1)
	l.place()
	return l
}

func (g *Graph) newBox(n int) *box {
	node := g.Nodes[n]
	wide := max(columns(shown(node.Label, labelWidth)), columns(shown(node.Detail, labelWidth)), 3)
	b := &box{node: n, width: float64(wide)*charWidth + 2*padding, height: lineHeight + 10}
	if node.Detail != "" {
		b.height += lineHeight - 2
	}
	return b
}

// rank returns how deep each node is below those that nothing points to; what only points to deeper ones is
// moved next to them.
func rank(nodes []int, to [][]int) map[int]int {
	ranks, from := map[int]int{}, map[int][]int{}
	position := map[int]int{}
	for i, n := range nodes {
		position[n] = i
		for _, m := range to[n] {
			from[m] = append(from[m], n)
		}
	}
	order, _ := dag.Sort(len(nodes), func(i int) (before []int) {
		for _, m := range from[nodes[i]] {
			before = append(before, position[m])
		}
		return before
	})
	for _, i := range order {
		for _, m := range from[nodes[i]] {
			ranks[nodes[i]] = max(ranks[nodes[i]], ranks[m]+1)
		}
	}
	for _, i := range slices.Backward(order) {
		n := nodes[i]
		if len(from[n]) > 0 || len(to[n]) == 0 {
			continue
		}
		lowest := ranks[to[n][0]]
		for _, m := range to[n] {
			lowest = min(lowest, ranks[m])
		}
		ranks[n] = max(ranks[n], lowest-1)
	}
	return ranks
}

// fillRows puts the nodes of a rank into as many rows as they need.
func (l *layout) fillRows(nodes []int, boxes map[int]*box, ranks map[int]int, width float64) {
	sorted := slices.Clone(nodes)
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(ranks[a], ranks[b]) })
	for i, n := range sorted {
		b := boxes[n]
		last := len(l.rows) - 1
		if i == 0 || ranks[n] != ranks[sorted[i-1]] || extent(l.rows[last])+gap+b.width > width {
			l.rows = append(l.rows, nil)
			last++
		}
		b.row = last
		l.rows[last] = append(l.rows[last], b)
	}
}

// connect links the boxes row by row. Arrows of one node that pass a row share their way.
func (l *layout) connect(nodes []int, to [][]int, boxes map[int]*box) {
	for _, n := range nodes {
		wires := map[int]*box{boxes[n].row: boxes[n]} // by row
		targets := slices.Clone(to[n])
		slices.SortStableFunc(targets, func(a, b int) int { return cmp.Compare(boxes[a].row, boxes[b].row) })
		for _, m := range targets {
			target := boxes[m]
			for row := boxes[n].row + 1; row < target.row; row++ {
				if wires[row] == nil {
					wires[row] = &box{node: -1, row: row, width: wireWidth}
					l.rows[row] = append(l.rows[row], wires[row])
					link(wires[row-1], wires[row])
				}
			}
			link(wires[target.row-1], target)
		}
	}
}

func link(a, b *box) {
	a.to = append(a.to, b)
	b.from = append(b.from, a)
}

// extent is how wide a row is at least.
func extent(row []*box) (w float64) {
	for i, b := range row {
		if i > 0 {
			w += gap
		}
		w += b.width
	}
	return w
}

// order sorts the boxes of each row by the middle of those that they are linked to, downwards and upwards in
// turn, and keeps what crosses least.
func (l *layout) order() {
	best, fewest := l.snapshot(), l.crossings()
	for pass := range 12 {
		for i := range l.rows {
			row := l.rows[i]
			if pass%2 == 1 {
				row = l.rows[len(l.rows)-1-i]
			}
			at := map[*box]float64{}
			for j, b := range row {
				linked := b.from
				if pass%2 == 1 {
					linked = b.to
				}
				at[b] = l.middle(linked, float64(j)/float64(len(row)))
			}
			slices.SortStableFunc(row, func(a, b *box) int { return cmp.Compare(at[a], at[b]) })
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.snapshot(), n
		}
	}
	l.rows = best
}

// middle returns the mean of where boxes are in their row, from 0 to 1; otherwise if there are none.
func (l *layout) middle(boxes []*box, otherwise float64) float64 {
	if len(boxes) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, b := range boxes {
		row := l.rows[b.row]
		sum += (float64(slices.Index(row, b)) + 0.5) / float64(len(row))
	}
	return sum / float64(len(boxes))
}

func (l *layout) snapshot() [][]*box {
	var out [][]*box
	for _, row := range l.rows {
		out = append(out, slices.Clone(row))
	}
	return out
}

// crossings counts the pairs of arrows between neighbouring rows that cross.
func (l *layout) crossings() (n int) {
	for i := 1; i < len(l.rows); i++ {
		at := map[*box]int{}
		for j, b := range l.rows[i] {
			at[b] = j
		}
		var ends []int // of the arrows, in the order of their beginnings
		for _, b := range l.rows[i-1] {
			var own []int
			for _, t := range b.to {
				own = append(own, at[t])
			}
			slices.Sort(own)
			for _, end := range own {
				first, _ := slices.BinarySearch(ends, end+1)
				n += len(ends) - first
			}
			ends = append(ends, own...)
			slices.Sort(ends)
		}
	}
	return n
}

// place gives every box its place: as near as possible to the middle of those it is linked to, in the order
// of its row.
func (l *layout) place() {
	for _, row := range l.rows { // to begin with, in the middle of the page
		x := (l.width - extent(row)) / 2
		for _, b := range row {
			b.x = x + b.width/2
			x += b.width + gap
		}
	}
	for pass := range 16 {
		for i := range l.rows {
			row := l.rows[i]
			if pass%2 == 1 {
				row = l.rows[len(l.rows)-1-i]
			}
			l.relax(row)
		}
	}
	y := 0.0
	for i, row := range l.rows {
		if i > 0 {
			y += rowGap
		}
		height := 0.0
		for _, b := range row {
			height = max(height, b.height)
		}
		for _, b := range row {
			if b.y = y; b.node < 0 {
				b.height = height
			}
		}
		y += height
	}
	l.height = y
}

// relax moves the boxes of a row towards those that they are linked to. Of all places that keep the order and
// the gaps it takes the ones with the least sum of squares (pool adjacent violators).
func (l *layout) relax(row []*box) {
	type block struct {
		sum   float64
		count int
	}
	var blocks []block
	offsets := make([]float64, len(row)) // of each box from the first one, when they stand close
	for i, b := range row {
		if i > 0 {
			offsets[i] = offsets[i-1] + row[i-1].width/2 + gap + b.width/2
		}
		wanted, n := 0.0, 0
		for _, linked := range [][]*box{b.from, b.to} {
			for _, o := range linked {
				wanted += o.x
				n++
			}
		}
		if wanted /= float64(max(n, 1)); n == 0 {
			wanted = b.x
		}
		blocks = append(blocks, block{wanted - offsets[i], 1})
		for k := len(blocks) - 1; k > 0 &&
			blocks[k-1].sum/float64(blocks[k-1].count) > blocks[k].sum/float64(blocks[k].count); k-- {
			blocks[k-1].sum += blocks[k].sum
			blocks[k-1].count += blocks[k].count
			blocks = blocks[:k]
		}
	}
	if len(row) == 0 {
		return
	}
	left := row[0].width / 2 // what keeps the first box, and with it all, on the page
	right := l.width - row[len(row)-1].width/2 - offsets[len(row)-1]
	i := 0
	for _, bl := range blocks {
		at := min(max(bl.sum/float64(bl.count), left), right)
		for range bl.count {
			row[i].x = at + offsets[i]
			i++
		}
	}
}
