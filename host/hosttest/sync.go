package hosttest

import (
	"os"
	"syscall"
)

func cmdSync(p *proc) int {
	o, ok := p.getopt("df", "data>d file-system>f")
	if !ok {
		return p.usage(1)
	}
	t := p.k.tree
	if len(o.args) == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, v := range p.k.volumes() {
			v.sync()
		}
		return 0
	}
	code := 0
	for _, a := range o.args {
		d, err := p.open(a, os.O_RDONLY, 0)
		if err == syscall.EACCES {
			d, err = p.open(a, os.O_WRONLY, 0)
		}
		if err != nil {
			p.errorf("error opening %s: %s", quote(a), strerror(err))
			code = 1
			continue
		}
		if o.has("f") && d.stream == nil {
			t.mu.Lock()
			d.at.mnt.vol.sync()
			t.mu.Unlock()
		} else {
			d.sync()
		}
		d.release()
	}
	return code
}
