package hosttest

import (
	"bytes"
	"errors"
	"strings"
	"syscall"

	"github.com/benhoyt/goawk/interp"
	"github.com/benhoyt/goawk/parser"
)

// cmdAwk is awk, by goawk. The operand files are read as one stream: FILENAME and FNR know nothing of them, so that a
// program which asks fails loudly. It starts no command and writes no file.
func cmdAwk(p *proc) int {
	o, ok := p.getopt("+F:v:f:W:", "field-separator=>F assign=>v file=>f")
	if !ok {
		return 2
	}
	args := o.args
	var src string
	if o.has("f") {
		for _, f := range o.all("f") {
			b, err := p.readFile(f)
			if err != nil {
				p.errorf("couldn't open file %s", f)
				return 2
			}
			src += string(b) + "\n"
		}
	} else {
		if len(args) == 0 {
			p.warn("usage: mawk [Options] [Program] [file ...]\n")
			return 2
		}
		src, args = args[0], args[1:]
	}
	prog, err := parser.ParseProgram([]byte(src), nil)
	if err != nil {
		p.errorf("%v", err)
		return 2
	}
	cfg := &interp.Config{Argv0: "awk", Output: p.Stdout(), Error: p.Stderr(), NoExec: true, NoFileWrites: true, NoFileReads: true, Environ: []string{}}
	for _, e := range p.Env {
		n, v, _ := strings.Cut(e, "=")
		cfg.Environ = append(cfg.Environ, n, v)
	}
	for _, v := range o.all("v") {
		n, val, ok := strings.Cut(v, "=")
		if !ok {
			p.errorf("improper assignment: -v %s", v)
			return 2
		}
		b, _ := unescapeB(nil, val, false)
		cfg.Vars = append(cfg.Vars, n, string(b))
	}
	if o.has("F") {
		fs := o.get("F")
		if fs == "t" || fs == `\t` {
			fs = "\t"
		}
		cfg.Vars = append(cfg.Vars, "FS", fs)
	}
	var input bytes.Buffer
	files := 0
	for _, a := range args {
		if n, v, ok := strings.Cut(a, "="); ok && validName(n) && files == 0 {
			cfg.Vars = append(cfg.Vars, n, v)
			continue
		}
		files++
		d, err := p.in(a)
		if err != nil {
			p.warn("awk: cannot open \"%s\" (%s)\n", a, strerror(err))
			return 2
		}
		b, _ := p.readAll(d)
		d.release()
		input.Write(b)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			input.WriteByte('\n')
		}
	}
	if files > 1 && strings.Contains(src, "FNR") || strings.Contains(src, "FILENAME") {
		p.errorf("hosttest: FILENAME, and FNR with several files, are not supported")
		return 2
	}
	cfg.Stdin = p.Stdin()
	if files > 0 {
		cfg.Stdin = &input
	}
	code, err := interp.ExecProgram(prog, cfg)
	p.check()
	if errors.Is(err, syscall.EPIPE) {
		p.die(sigPIPE)
		p.check()
	}
	if err != nil {
		p.errorf("%v", err)
		return 2
	}
	return code
}
