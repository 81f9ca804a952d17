package posix

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdXargs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+0a:d:E:I:i::L:l::n:oP:prs:tx", "null>0 arg-file=>a delimiter=>d max-args=>n max-lines=>L no-run-if-empty>r max-procs=>P verbose>t exit>x replace[=>I max-chars=>s")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "E", "o", "p", "s", "x") {
		return 1
	}
	var input []byte
	var err error
	if o.Has("a") {
		if input, err = p.ReadFile(o.Get("a")); err != nil {
			p.Errorf("Cannot open input file %s: %s", libc.Quote(o.Get("a")), kernel.Strerror(err))
			return 1
		}
	} else if input, err = io.ReadAll(p.Stdin()); err != nil && err != io.EOF {
		return 1
	}
	var items []string
	replace := o.Get("I", "i")
	if o.Has("i") && replace == "" {
		replace = "{}"
	}
	switch {
	case o.Has("0"):
		items = splitDelim(input, 0)
	case o.Has("d"):
		d := o.Get("d")
		if len(d) > 1 {
			b, _ := libc.Unescape(nil, d, false)
			d = string(b)
		}
		items = splitDelim(input, d[0])
	case replace != "":
		for line := range strings.Lines(string(input)) {
			words, msg := xargsWords(strings.TrimSuffix(line, "\n"), true)
			if msg != "" {
				p.Errorf("%s", msg)
				return 1
			}
			if len(words) > 0 {
				items = append(items, words[0])
			}
		}
	default:
		var msg string
		if items, msg = xargsWords(string(input), false); msg != "" {
			p.Errorf("%s", msg)
			return 1
		}
	}
	cmd := o.Args
	if len(cmd) == 0 {
		cmd = []string{"echo"}
	}
	if len(items) == 0 && (o.Has("r") || replace != "") {
		return 0
	}
	limit := len(items)
	if o.Has("L", "l") && replace == "" && !o.Has("0", "d") {
		return xargsLines(p, o, cmd, string(input))
	}
	if o.Has("n") {
		n, err := strconv.Atoi(o.Get("n"))
		if err != nil || n < 1 {
			p.Errorf("value %s for -n option should be >= 1", o.Get("n"))
			return libc.Usage(p, 1)
		}
		limit = n
	}
	// A child of xargs reads nothing of what xargs was given.
	run := func(args []string) (int, bool) {
		if o.Has("t") {
			p.Warnf("%s\n", strings.Join(args, " "))
		}
		p.Flush()
		c := libc.Spawn(p, args, p.Env, func(c *kernel.Process) {
			if !o.Has("a") {
				c.SetFD(0, kernel.NewStream(kernel.Device("null"), 0))
			}
		})
		st := p.WaitFor(c)
		switch {
		case st.Signal != 0:
			p.Errorf("%s: terminated by signal %d", args[0], st.Signal)
			return 125, true
		case st.Code == 255:
			p.Errorf("%s: exited with status 255; aborting", args[0])
			return 124, true
		case st.Code == 126 || st.Code == 127:
			return st.Code, true
		case st.Code != 0:
			return 123, false
		}
		return 0, false
	}
	code := 0
	if replace != "" {
		for _, it := range items {
			args := make([]string, len(cmd))
			for i, a := range cmd {
				args[i] = strings.ReplaceAll(a, replace, it)
			}
			c, stop := run(args)
			if c != 0 {
				code = c
			}
			if stop {
				return code
			}
		}
		return code
	}
	for first := true; first || len(items) > 0; first = false {
		n := min(max(limit, 1), len(items))
		size := 0
		for i := range n {
			if size += len(items[i]) + 1; size > 128<<10 && i > 0 {
				n = i
				break
			}
		}
		c, stop := run(append(append([]string{}, cmd...), items[:n]...))
		if c != 0 {
			code = c
		}
		if stop {
			return code
		}
		items = items[n:]
	}
	return code
}

// xargsLines is xargs -L: so many lines for each command.
func xargsLines(p *kernel.Process, o *libc.Options, cmd []string, input string) int {
	n, err := strconv.Atoi(o.Get("L", "l"))
	if err != nil || n < 1 {
		n = 1
	}
	var batch []string
	count, code := 0, 0
	flush := func() {
		if count > 0 {
			c := libc.Spawn(p, append(append([]string{}, cmd...), batch...), p.Env, func(c *kernel.Process) { c.SetFD(0, kernel.NewStream(kernel.Device("null"), 0)) })
			if p.WaitFor(c).ExitCode() != 0 {
				code = 123
			}
		}
		batch, count = nil, 0
	}
	for line := range strings.Lines(input) {
		words, msg := xargsWords(strings.TrimSuffix(line, "\n"), false)
		if msg != "" {
			p.Errorf("%s", msg)
			return 1
		}
		if len(words) == 0 {
			continue
		}
		batch = append(batch, words...)
		if !strings.HasSuffix(strings.TrimSuffix(line, "\n"), " ") {
			count++
		}
		if count == n {
			flush()
		}
	}
	flush()
	return code
}

func splitDelim(b []byte, d byte) []string {
	var out []string
	for len(b) > 0 {
		i := bytes.IndexByte(b, d)
		if i < 0 {
			return append(out, string(b))
		}
		out = append(out, string(b[:i]))
		b = b[i+1:]
	}
	return out
}

// xargsWords splits input with xargs' own quoting. With line the whole line is one item, without leading blanks.
func xargsWords(s string, line bool) ([]string, string) {
	var out []string
	var cur []byte
	have := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\'', '"':
			have = true
			j := strings.IndexByte(s[i+1:], c)
			if k := strings.IndexByte(s[i+1:], '\n'); j < 0 || k >= 0 && k < j {
				name := "single"
				if c == '"' {
					name = "double"
				}
				return nil, "unmatched " + name + " quote; by default quotes are special to xargs unless you use the -0 option"
			}
			cur = append(cur, s[i+1:i+1+j]...)
			i += j + 1
		case '\\':
			if i+1 < len(s) {
				i++
				cur = append(cur, s[i])
				have = true
			}
		case ' ', '\t', '\n':
			if line && c != '\n' {
				if have {
					cur = append(cur, c)
				}
				continue
			}
			if have {
				out = append(out, string(cur))
				cur, have = cur[:0], false
			}
		default:
			cur = append(cur, c)
			have = true
		}
	}
	if have {
		out = append(out, string(cur))
	}
	return out, ""
}
