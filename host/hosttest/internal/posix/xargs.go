package posix

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	xargsShort = "+0a:d:E:I:i::L:l::n:oP:prs:tx"
	xargsLong  = "null>0 arg-file=>a delimiter=>d max-args=>n max-lines=>L no-run-if-empty>r max-procs=>P verbose>t " +
		"exit>x " +
		"replace[=>I max-chars=>s"
)

// xargsSize is how long the arguments of one command may be together.
const xargsSize = 128 << 10

func cmdXargs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, xargsShort, xargsLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "E", "o", "p", "s", "x") {
		return 1
	}
	x := &xargsRun{p: p, o: o, cmd: o.Args, replace: o.Get("I", "i")}
	if len(x.cmd) == 0 {
		x.cmd = []string{"echo"}
	}
	if o.Has("i") && x.replace == "" {
		x.replace = "{}"
	}
	input, ok := x.input()
	if !ok {
		return 1
	}
	items, problem := x.items(input)
	if problem != "" {
		p.Errorf("%s", problem)
		return 1
	}
	if len(items) == 0 && (o.Has("r") || x.replace != "") {
		return 0
	}
	if o.Has("L", "l") && x.replace == "" && !o.Has("0", "d") {
		return xargsLines(p, o, x.cmd, string(input))
	}
	limit := len(items)
	if o.Has("n") {
		n, err := strconv.Atoi(o.Get("n"))
		if err != nil || n < 1 {
			p.Errorf("value %s for -n option should be >= 1", o.Get("n"))
			return libc.Usage(p, 1)
		}
		limit = n
	}
	if x.replace != "" {
		return x.each(items)
	}
	return x.batches(items, limit)
}

// An xargsRun is the state of one xargs.
type xargsRun struct {
	p       *kernel.Process
	o       *libc.Options
	cmd     []string
	replace string // what stands for the item in cmd; empty appends the items
	code    int
}

func (x *xargsRun) input() ([]byte, bool) {
	if !x.o.Has("a") {
		b, err := io.ReadAll(x.p.Stdin())
		return b, err == nil || err == io.EOF
	}
	name := x.o.Get("a")
	b, err := x.p.ReadFile(name)
	if err != nil {
		x.p.Errorf("Cannot open input file %s: %s", libc.Quote(name), kernel.Strerror(err))
	}
	return b, err == nil
}

// items splits the input as the options say.
func (x *xargsRun) items(input []byte) (items []string, problem string) {
	switch {
	case x.o.Has("0"):
		return splitDelim(input, 0), ""
	case x.o.Has("d"):
		d := x.o.Get("d")
		if len(d) > 1 {
			b, _ := libc.Unescape(nil, d, false)
			d = string(b)
		}
		return splitDelim(input, d[0]), ""
	case x.replace == "":
		return xargsWords(string(input), false)
	}
	for line := range strings.Lines(string(input)) {
		words, problem := xargsWords(strings.TrimSuffix(line, "\n"), true)
		if problem != "" {
			return nil, problem
		}
		if len(words) > 0 {
			items = append(items, words[0])
		}
	}
	return items, ""
}

// each runs the command for every item.
func (x *xargsRun) each(items []string) int {
	for _, it := range items {
		args := make([]string, len(x.cmd))
		for i, a := range x.cmd {
			args[i] = strings.ReplaceAll(a, x.replace, it)
		}
		if !x.run(args) {
			break
		}
	}
	return x.code
}

// batches runs the command with as many items as the limit and the length of a command line allow, and at least once.
func (x *xargsRun) batches(items []string, limit int) int {
	for first := true; first || len(items) > 0; first = false {
		n := min(max(limit, 1), len(items))
		size := 0
		for i := range n {
			if size += len(items[i]) + 1; size > xargsSize && i > 0 {
				n = i
				break
			}
		}
		if !x.run(slices.Concat(x.cmd, items[:n])) {
			break
		}
		items = items[n:]
	}
	return x.code
}

// run runs one command and keeps what its exit code makes of that of xargs. It returns false when xargs ends with it.
// A child of xargs reads nothing of what xargs was given.
func (x *xargsRun) run(args []string) bool {
	p := x.p
	if x.o.Has("t") {
		p.Warnf("%s\n", strings.Join(args, " "))
	}
	p.Flush()
	c := libc.Spawn(p, args, p.Env, func(c *kernel.Process) {
		if !x.o.Has("a") {
			c.SetFD(0, kernel.NewStream(kernel.Device("null"), 0))
		}
	})
	st := p.WaitFor(c)
	switch {
	case st.Signal != 0:
		p.Errorf("%s: terminated by signal %d", args[0], st.Signal)
		x.code = 125
	case st.Code == 255:
		p.Errorf("%s: exited with status 255; aborting", args[0])
		x.code = 124
	case st.Code == 126 || st.Code == 127:
		x.code = st.Code
	default:
		if st.Code != 0 {
			x.code = 123
		}
		return true
	}
	return false
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
			c := libc.Spawn(p, slices.Concat(cmd, batch), p.Env, func(c *kernel.Process) {
				c.SetFD(0, kernel.NewStream(kernel.Device("null"), 0))
			})
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
				return nil, "unmatched " + name + " quote; " +
					"by default quotes are special to xargs unless you use the -0 option"
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
