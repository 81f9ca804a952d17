package posix

import (
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdDiff(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "uU:qrNwbBsaiEZ",
		"unified[=>u brief>q recursive>r new-file>N label= ignore-all-space>w report-identical-files>s text>a color[=")
	if !ok {
		return libc.Usage(p, 2)
	}
	if libc.Unsupported(p, o, "r", "N", "w", "b", "B", "i", "E", "Z") {
		return 2
	}
	if len(o.Args) != 2 {
		p.Errorf("missing operand after '%s'", p.Args[len(p.Args)-1])
		return libc.Usage(p, 2)
	}
	var text [2]string
	for i, a := range o.Args {
		d, err := libc.OpenInput(p, a)
		var b []byte
		if err == nil {
			b, err = p.ReadAll(d)
			d.Release()
		}
		if err != nil {
			p.Errorf("%s: %s", a, kernel.Strerror(err))
			return 2
		}
		text[i] = string(b)
	}
	if text[0] == text[1] {
		return 0
	}
	if o.Has("q") {
		p.Printf("Files %s and %s differ\n", o.Args[0], o.Args[1])
		return 1
	}
	if !o.Has("u", "U") {
		p.Errorf("hosttest: only -u and -q are supported")
		return 2
	}
	n := 3
	if o.Has("U") {
		n, _ = strconv.Atoi(o.Get("U"))
	}
	labels := o.All("label")
	for i, a := range o.Args {
		l := a
		if i < len(labels) {
			l = labels[i]
		} else if st, err := p.Stat(a); err == nil {
			l += "\t" + libc.LocalTime(p, st.Mtime).Format(statTime)
		}
		p.Print([]string{"--- ", "+++ "}[i], l, "\n")
	}
	p.Print(unifiedDiff(text[0], text[1], n))
	return 1
}

// unifiedDiff gives the hunks between two texts with n lines of context.
func unifiedDiff(a, b string, n int) string {
	edits := diffEdits(diffLines(a), diffLines(b))
	var out strings.Builder
	for k := 0; k < len(edits); {
		if edits[k].op == ' ' {
			k++
			continue
		}
		start := max(0, k-n)
		end := k
		for m := k; m < len(edits) && m <= end+2*n; m++ {
			if edits[m].op != ' ' {
				end = m
			}
		}
		k = min(len(edits), end+n+1)
		writeHunk(&out, edits[start:k])
	}
	return out.String()
}

func diffLines(s string) []string {
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// A diffEdit is a line that stays (' '), goes ('-') or comes ('+'), with where it stands in both texts.
type diffEdit struct {
	op   byte
	line string
	i, j int
}

// diffEdits goes from x to y by their longest common subsequence.
func diffEdits(x, y []string) []diffEdit {
	lcs := make([][]int32, len(x)+1)
	for i := range lcs {
		lcs[i] = make([]int32, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	var edits []diffEdit
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			edits = append(edits, diffEdit{' ', x[i], i, j})
			i++
			j++
		case i < len(x) && (j == len(y) || lcs[i+1][j] >= lcs[i][j+1]):
			edits = append(edits, diffEdit{'-', x[i], i, j})
			i++
		default:
			edits = append(edits, diffEdit{'+', y[j], i, j})
			j++
		}
	}
	return edits
}

func writeHunk(out *strings.Builder, edits []diffEdit) {
	na, nb := 0, 0
	for _, e := range edits {
		if e.op != '+' {
			na++
		}
		if e.op != '-' {
			nb++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", hunkRange(edits[0].i, na), hunkRange(edits[0].j, nb))
	for _, e := range edits {
		out.WriteByte(e.op)
		out.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

func hunkRange(at, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", at)
	case 1:
		return strconv.Itoa(at + 1)
	}
	return fmt.Sprintf("%d,%d", at+1, n)
}
