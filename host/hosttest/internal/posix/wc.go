package posix

import (
	"bytes"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdWc(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "clLmw", "bytes>c lines>l chars>m words>w max-line-length>L files0-from=")
	if !ok {
		return libc.Usage(p, 1)
	}
	type count struct{ l, w, m, c, longest int }
	var total count
	var rows []count
	var names []string
	code := libc.EachInput(p, o.Args, func(name string, d *kernel.File) error {
		b, err := p.ReadAll(d)
		if err != nil {
			return err
		}
		x := count{l: bytes.Count(b, []byte("\n")), w: len(bytes.Fields(b)), c: len(b), m: libc.Characters(p, b)}
		for l := range bytes.SplitSeq(b, []byte("\n")) {
			x.longest = max(x.longest, libc.Characters(p, l))
		}
		total = count{total.l + x.l, total.w + x.w, total.m + x.m, total.c + x.c, max(total.longest, x.longest)}
		rows, names = append(rows, x), append(names, name)
		return nil
	})
	if len(o.Args) > 1 {
		rows, names = append(rows, total), append(names, "total")
	}
	def := !o.Has("c", "l", "m", "w", "L")
	cols := 0
	for _, f := range []string{"l", "w", "m", "c", "L"} {
		if o.Has(f) {
			cols++
		}
	}
	width := len(strconv.Itoa(total.c))
	if len(o.Args) == 0 && p.FDs[0] != nil && p.FDs[0].Stream != nil {
		width = 7 // of what has no size
	}
	if cols == 1 && len(o.Args) <= 1 {
		width = 1
	}
	for i, r := range rows {
		first := true
		show := func(on bool, n int) {
			if !on {
				return
			}
			if !first {
				p.Print(" ")
			}
			first = false
			p.Printf("%*d", width, n)
		}
		show(def || o.Has("l"), r.l)
		show(def || o.Has("w"), r.w)
		show(o.Has("m"), r.m)
		show(def || o.Has("c"), r.c)
		show(o.Has("L"), r.longest)
		if len(o.Args) > 0 {
			name := names[i]
			if strings.Contains(name, "\n") {
				name = libc.QuoteMaybe(name)
			}
			p.Print(" ", name)
		}
		p.Print("\n")
	}
	return code
}
