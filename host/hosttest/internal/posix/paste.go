package posix

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdPaste(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "d:sz", "delimiters=>d serial>s zero-terminated>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "z") {
		return 1
	}
	sep := "\t"
	if o.Has("d") {
		b, _ := libc.Unescape(nil, o.Get("d"), false)
		sep = string(b)
	}
	cols, code := pasteColumns(p, o.Args)
	if o.Has("s") {
		for _, c := range cols {
			p.Print(pasteRow(c, sep), "\n")
		}
		return code
	}
	for i := 0; ; i++ {
		row, any := make([]string, len(cols)), false
		for j, c := range cols {
			if i < len(c) {
				row[j] = c[i]
				any = true
			}
		}
		if !any {
			return code
		}
		p.Print(pasteRow(row, sep), "\n")
	}
}

// pasteRow joins the fields, with the bytes of sep between in turn.
func pasteRow(fields []string, sep string) string {
	var row strings.Builder
	for i, f := range fields {
		if i > 0 && sep != "" {
			row.WriteByte(sep[(i-1)%len(sep)])
		}
		row.WriteString(f)
	}
	return row.String()
}

// pasteColumns reads the lines of the files. Of several "-" each takes the next line of standard input in turn.
func pasteColumns(p *kernel.Process, files []string) (cols [][]string, code int) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	dashes := 0
	for _, a := range files {
		dashes += libc.BoolToInt(a == "-")
	}
	read := func(name string) (lines []string) {
		code |= libc.EachInput(p, []string{name}, func(_ string, d *kernel.File) error {
			b, err := p.ReadAll(d)
			lines, _ = libc.Lines(b, '\n')
			cols = append(cols, lines)
			return err
		})
		return lines
	}
	if dashes < 2 {
		for _, a := range files {
			read(a)
		}
		return cols, code
	}
	stdin := read("-")
	cols = nil
	turn := 0
	for _, a := range files {
		if a != "-" {
			read(a)
			continue
		}
		var col []string
		for i := turn; i < len(stdin); i += dashes {
			col = append(col, stdin[i])
		}
		turn++
		cols = append(cols, col)
	}
	return cols, code
}
