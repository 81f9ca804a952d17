package lab

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	diffContext  = 3         // lines of context around a change, as in diff -u
	maxDiffBytes = 256 << 10 // of either side; longer content is summarized in one line
	// edit distance beyond which the differing middle is shown as one replacement; the search is
	// quadratic in it
	maxDiffEdits = 1000
)

// Diff returns a unified diff from before to after, with name in both headers, or "" if they are
// equal. Content that is not UTF-8 text, or longer than 256 KiB on either side, is summarized in
// one line. A missing final newline is marked as in diff -u.
//
// Mask secrets in both sides first, with [Mask]: two different secrets then look the same, and the
// diff does not show them.
func Diff(name string, before, after []byte) string {
	if bytes.Equal(before, after) {
		return ""
	}
	if !isText(before) || !isText(after) {
		return fmt.Sprintf("binary content differs: %d bytes before, %d after\n", len(before), len(after))
	}
	if len(before) > maxDiffBytes || len(after) > maxDiffBytes {
		return fmt.Sprintf("content differs: %d bytes before, %d after\n", len(before), len(after))
	}
	a, b := slices.Collect(strings.Lines(string(before))), slices.Collect(strings.Lines(string(after)))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", Printable(name), Printable(name))
	for _, h := range hunks(edits(a, b)) {
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(h.a, h.countA), span(h.b, h.countB))
		for _, e := range h.edits {
			out.WriteByte(e.sign)
			out.WriteString(strings.TrimSuffix(e.line, "\n"))
			out.WriteByte('\n')
			if !strings.HasSuffix(e.line, "\n") {
				out.WriteString("\\ No newline at end of file\n")
			}
		}
	}
	return out.String()
}

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// span returns a range of a hunk's header. An empty range starts one line earlier, and a count of 1
// is left out.
func span(start, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", start)
	case 1:
		return fmt.Sprint(start + 1)
	}
	return fmt.Sprintf("%d,%d", start+1, n)
}

type edit struct {
	sign byte // ' ', '-' or '+'
	line string
}

// edits returns the shortest edit script from a to b (Myers, "An O(ND) Difference Algorithm and Its
// Variations", 1986), deletions first.
func edits(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, edit{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	script := append(head, middle(a, b)...)
	for i := len(tail) - 1; i >= 0; i-- {
		script = append(script, tail[i])
	}
	return script
}

// middle returns the edit script of two texts without common lines at their beginnings and ends.
func middle(a, b []string) []edit {
	n, m := len(a), len(b)
	limit := min(n+m, maxDiffEdits)
	v := make([]int, 2*limit+3) // furthest x on diagonal k, at k+limit+1
	var trace [][]int
	found := -1
search:
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int(nil), v[limit+1-d:limit+2+d]...)) // diagonals -d..d before round d
		for k := -d; k <= d; k += 2 {
			i := k + limit + 1
			x := v[i-1] + 1
			if k == -d || k != d && v[i-1] < v[i+1] {
				x = v[i+1]
			}
			for x < n && x-k < m && a[x] == b[x-k] {
				x++
			}
			v[i] = x
			if x >= n && x-k >= m {
				found = d
				break search
			}
		}
	}
	var reversed []edit
	if found < 0 {
		for _, l := range a {
			reversed = append(reversed, edit{'-', l})
		}
		for _, l := range b {
			reversed = append(reversed, edit{'+', l})
		}
		return reversed
	}
	x, y := n, m
	for d := found; d > 0; d-- {
		at := func(k int) int { // v before round d: diagonals -d..d were saved
			if k < -d || k > d {
				return 0
			}
			return trace[d][k+d]
		}
		k := x - y
		down := k == -d || k != d && at(k-1) < at(k+1)
		from := k - 1
		if down {
			from = k + 1
		}
		px := at(from)
		py := px - from
		// the diagonal that followed the edit of this round
		ex, ey := px+1, py
		if down {
			ex, ey = px, py+1
		}
		for x > ex && y > ey {
			x, y = x-1, y-1
			reversed = append(reversed, edit{' ', a[x]})
		}
		if down {
			y--
			reversed = append(reversed, edit{'+', b[y]})
		} else {
			x--
			reversed = append(reversed, edit{'-', a[x]})
		}
	}
	for x > 0 {
		x--
		reversed = append(reversed, edit{' ', a[x]})
	}
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return reversed
}

type hunk struct {
	a, countA, b, countB int
	edits                []edit
}

// hunks groups a script's changes with their context.
func hunks(script []edit) []hunk {
	var out []hunk
	a, b := 0, 0
	lastChange := -1 // index in script
	for i, e := range script {
		if e.sign != ' ' {
			if lastChange < 0 || i-lastChange > 2*diffContext {
				start := max(0, i-diffContext)
				out = append(out, hunk{a: a - (i - start), b: b - (i - start)})
				h := &out[len(out)-1]
				for _, c := range script[start:i] {
					h.add(c)
				}
			} else {
				for _, c := range script[lastChange+1 : i] {
					out[len(out)-1].add(c)
				}
			}
			out[len(out)-1].add(e)
			lastChange = i
		}
		if e.sign != '+' {
			a++
		}
		if e.sign != '-' {
			b++
		}
	}
	if lastChange >= 0 {
		for _, c := range script[lastChange+1 : min(len(script), lastChange+1+diffContext)] {
			out[len(out)-1].add(c)
		}
	}
	return out
}

func (h *hunk) add(e edit) {
	h.edits = append(h.edits, e)
	if e.sign != '+' {
		h.countA++
	}
	if e.sign != '-' {
		h.countB++
	}
}
