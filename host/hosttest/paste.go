package hosttest

func cmdPaste(p *proc) int {
	o, ok := p.getopt("d:sz", "delimiters=>d serial>s zero-terminated>z")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "z") {
		return 1
	}
	sep := "\t"
	if o.has("d") {
		b, _ := unescapeB(nil, o.get("d"), false)
		sep = string(b)
	}
	delim := func(i int) string {
		if sep == "" {
			return ""
		}
		return sep[i%len(sep) : i%len(sep)+1]
	}
	var cols [][]string
	dashes := 0
	for _, a := range o.args {
		if a == "-" {
			dashes++
		}
	}
	var stdin []string
	code := 0
	if dashes > 1 {
		// Each - takes the next line of standard input in turn.
		code = p.eachInput([]string{"-"}, func(_ string, d *description) error {
			b, err := p.readAll(d)
			stdin, _ = lines(b, '\n')
			return err
		})
	}
	turn := 0
	for _, a := range append(o.args, []string{"-"}[:btoi(len(o.args) == 0)]...) {
		if a == "-" && dashes > 1 {
			var col []string
			for i := turn; i < len(stdin); i += dashes {
				col = append(col, stdin[i])
			}
			turn++
			cols = append(cols, col)
			continue
		}
		code |= p.eachInput([]string{a}, func(_ string, d *description) error {
			b, err := p.readAll(d)
			l, _ := lines(b, '\n')
			cols = append(cols, l)
			return err
		})
	}
	if o.has("s") {
		for _, c := range cols {
			for i, v := range c {
				if i > 0 {
					p.print(delim(i - 1))
				}
				p.print(v)
			}
			p.print("\n")
		}
		return code
	}
	for i := 0; ; i++ {
		row, any := "", false
		for j, c := range cols {
			if j > 0 {
				row += delim(j - 1)
			}
			if i < len(c) {
				row += c[i]
				any = true
			}
		}
		if !any {
			return code
		}
		p.print(row, "\n")
	}
}
