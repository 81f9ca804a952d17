package hosttest

import (
	"fmt"
	"path"
	"strings"
	"syscall"
)

func cmdMkdir(p *proc) int {
	o, ok := p.getopt("m:pvZ", "mode=>m parents>p verbose>v")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing operand")
		return p.usage(1)
	}
	var mode func(uint32, bool, uint32) uint32
	if o.has("m") {
		f, err := parseMode(o.get("m"))
		if err != nil {
			p.errorf("invalid mode %s", quote(o.get("m")))
			return 1
		}
		mode = f
	}
	code := 0
	for _, a := range o.args {
		if err := p.mkdirOne(a, o.has("p"), mode, o.has("v")); err != nil {
			p.sayErr(err)
			code = 1
		}
	}
	return code
}

func (p *proc) mkdirOne(name string, parents bool, mode func(uint32, bool, uint32) uint32, verbose bool) error {
	if parents {
		up := path.Dir(strings.TrimRight(name, "/"))
		if _, err := p.stat(up); err == syscall.ENOENT {
			old := p.umask
			p.umask &^= 0o300
			err := p.mkdirOne(up, true, nil, verbose)
			p.umask = old
			if err != nil {
				return err
			}
		}
		if st, err := p.stat(name); err == nil && st.IsDir() {
			return nil
		}
		if st, err := p.stat(up); err == nil && !st.IsDir() {
			return fmt.Errorf("cannot create directory %s: %w", quote(up), syscall.ENOTDIR)
		}
	}
	if err := p.mkdir(name, 0o777); err != nil {
		return fmt.Errorf("cannot create directory %s: %w", quote(name), err)
	}
	if verbose {
		p.print(p.name(), ": created directory ", quote(name), "\n")
	}
	if mode != nil {
		return p.chmod(name, mode(0o777, true, p.umask))
	}
	return nil
}
