package posix

import (
	"bytes"
	"errors"
	"strings"
	"syscall"

	"github.com/benhoyt/goawk/interp"
	"github.com/benhoyt/goawk/parser"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdAwk is awk, by goawk. The operand files are read as one stream: FILENAME and FNR know nothing of them, so that a
// program which asks fails loudly. It starts no command and writes no file.
func cmdAwk(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+F:v:f:W:", "field-separator=>F assign=>v file=>f")
	if !ok {
		return 2
	}
	args := o.Args
	var src string
	if o.Has("f") {
		for _, f := range o.All("f") {
			b, err := p.ReadFile(f)
			if err != nil {
				p.Errorf("couldn't open file %s", f)
				return 2
			}
			src += string(b) + "\n"
		}
	} else {
		if len(args) == 0 {
			p.Warnf("usage: mawk [Options] [Program] [file ...]\n")
			return 2
		}
		src, args = args[0], args[1:]
	}
	prog, err := parser.ParseProgram([]byte(src), nil)
	if err != nil {
		p.Errorf("%v", err)
		return 2
	}
	cfg := &interp.Config{Argv0: "awk", Output: p.Stdout(), Error: p.Stderr(), NoExec: true, NoFileWrites: true,
		NoFileReads: true, Environ: []string{}}
	if !awkVars(p, o, cfg) {
		return 2
	}
	input, files, ok := awkInput(p, cfg, args)
	if !ok {
		return 2
	}
	if files > 1 && strings.Contains(src, "FNR") || strings.Contains(src, "FILENAME") {
		p.Errorf("hosttest: FILENAME, and FNR with several files, are not supported")
		return 2
	}
	cfg.Stdin = p.Stdin()
	if files > 0 {
		cfg.Stdin = input
	}
	code, err := interp.ExecProgram(prog, cfg)
	p.Check()
	if errors.Is(err, syscall.EPIPE) {
		p.Die(kernel.SigPIPE)
		p.Check()
	}
	if err != nil {
		p.Errorf("%v", err)
		return 2
	}
	return code
}

// awkVars gives the program its environment and the variables of -v and -F.
func awkVars(p *kernel.Process, o *libc.Options, cfg *interp.Config) bool {
	for _, e := range p.Env {
		n, v, _ := strings.Cut(e, "=")
		cfg.Environ = append(cfg.Environ, n, v)
	}
	for _, v := range o.All("v") {
		n, val, ok := strings.Cut(v, "=")
		if !ok {
			p.Errorf("improper assignment: -v %s", v)
			return false
		}
		b, _ := libc.Unescape(nil, val, false)
		cfg.Vars = append(cfg.Vars, n, string(b))
	}
	if o.Has("F") {
		fs := o.Get("F")
		if fs == "t" || fs == `\t` {
			fs = "\t"
		}
		cfg.Vars = append(cfg.Vars, "FS", fs)
	}
	return true
}

// awkInput reads the operands: assignments before the first file, and files, of which it gives how many there are.
func awkInput(p *kernel.Process, cfg *interp.Config, args []string) (input *bytes.Buffer, files int, ok bool) {
	input = &bytes.Buffer{}
	for _, a := range args {
		if n, v, ok := strings.Cut(a, "="); ok && libc.IsName(n) && files == 0 {
			cfg.Vars = append(cfg.Vars, n, v)
			continue
		}
		files++
		d, err := libc.OpenInput(p, a)
		if err != nil {
			p.Warnf("awk: cannot open \"%s\" (%s)\n", a, kernel.Strerror(err))
			return nil, 0, false
		}
		b, _ := p.ReadAll(d)
		d.Release()
		input.Write(b)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			input.WriteByte('\n')
		}
	}
	return input, files, true
}
