package hosttest

import (
	"fmt"
	"path"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdMkdir(p *kernel.Process) int {
	o, ok := getopt(p, "m:pvZ", "mode=>m parents>p verbose>v")
	if !ok {
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing operand")
		return usage(p, 1)
	}
	var mode func(uint32, bool, uint32) uint32
	if o.has("m") {
		f, err := parseMode(o.get("m"))
		if err != nil {
			p.Errorf("invalid mode %s", quote(o.get("m")))
			return 1
		}
		mode = f
	}
	code := 0
	for _, a := range o.args {
		if err := mkdirOne(p, a, o.has("p"), mode, o.has("v")); err != nil {
			sayErr(p, err)
			code = 1
		}
	}
	return code
}

func mkdirOne(p *kernel.Process, name string, parents bool, mode func(uint32, bool, uint32) uint32, verbose bool) error {
	if parents {
		up := path.Dir(strings.TrimRight(name, "/"))
		if _, err := p.Stat(up); err == syscall.ENOENT {
			old := p.Umask
			p.Umask &^= 0o300
			err := mkdirOne(p, up, true, nil, verbose)
			p.Umask = old
			if err != nil {
				return err
			}
		}
		if st, err := p.Stat(name); err == nil && st.IsDir() {
			return nil
		}
		if st, err := p.Stat(up); err == nil && !st.IsDir() {
			return fmt.Errorf("cannot create directory %s: %w", quote(up), syscall.ENOTDIR)
		}
	}
	if err := p.Mkdir(name, 0o777); err != nil {
		return fmt.Errorf("cannot create directory %s: %w", quote(name), err)
	}
	if verbose {
		p.Print(p.Name(), ": created directory ", quote(name), "\n")
	}
	if mode != nil {
		return p.Chmod(name, mode(0o777, true, p.Umask))
	}
	return nil
}
