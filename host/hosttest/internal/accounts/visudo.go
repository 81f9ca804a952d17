package accounts

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdVisudo(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "cf:hqsVIOP", "check>c file=>f quiet>q strict>s version>V")
	if !ok {
		p.Warnf("usage: visudo [-chqsV] [[-f] sudoers ]\n")
		return 1
	}
	if !o.Has("c") {
		p.Errorf("hosttest: there is no editor: use -c")
		return 1
	}
	file := "/etc/sudoers"
	given := false
	if o.Has("f") {
		file, given = o.Get("f"), true
	} else if len(o.Args) > 0 {
		file, given = o.Args[0], true
	}
	var b []byte
	var err error
	shown := file
	if file == "-" {
		shown = "stdin"
		d, e := libc.OpenInput(p, "-")
		if e == nil {
			b, err = p.ReadAll(d)
			d.Release()
		}
	} else {
		b, err = p.ReadFile(file)
	}
	if err != nil {
		p.Errorf("unable to open %s: %s", file, kernel.Strerror(err))
		return 1
	}
	failed := false
	readSudoers(p.Kernel, shown, string(b)+"\n", 0, func(text string) {
		failed = true
		if !o.Has("q") {
			p.Warnf("%s", text)
		}
	})
	if failed {
		return 1
	}
	if st, err := p.Stat(file); err == nil && !given {
		if st.UID != 0 || st.GID != 0 {
			p.Errorf("%s: wrong owner (uid, gid) should be (0, 0)", file)
			return 1
		}
		if st.Perm() != 0o440 {
			p.Errorf("%s: bad permissions, should be mode 0440", file)
			return 1
		}
	}
	if !o.Has("q") {
		p.Print(shown, ": parsed OK\n")
	}
	return 0
}
