package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdPgrep(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "faxlncou:P:g:s:0123456789",
		"full>f list-name>l exact>x list-full>a newest>n oldest>o count>c parent=>P pgroup=>g session=>s euid=>u "+
			"signal=")
	if !ok {
		return libc.Usage(p, 2)
	}
	pat := ""
	if len(o.Args) > 0 {
		pat = o.Args[0]
	} else if len(o.Order) == 0 {
		p.Errorf("no matching criteria specified")
		return libc.Usage(p, 2)
	}
	re, err := libc.CompileRegexp(pat, true)
	if err != nil {
		p.Errorf("%v", err)
		return 2
	}
	var hit []*kernel.Process
	for _, q := range p.Kernel.Processes() {
		if q == p {
			continue
		}
		s := q.Comm()
		if o.Has("f") {
			s = psField(q, "args")
		}
		loc := re.FindStringIndex(s)
		if loc == nil || o.Has("x") && (loc[0] != 0 || loc[1] != len(s)) {
			continue
		}
		if o.Has("P") && o.Get("P") != psField(q, "ppid") || o.Has("g") && o.Get("g") != psField(q, "pgid") ||
			o.Has("s") && o.Get("s") != psField(q, "sid") ||
			o.Has("u") && o.Get("u") != psField(q, "user") && o.Get("u") != psField(q, "uid") {
			continue
		}
		hit = append(hit, q)
	}
	if o.Has("n") && len(hit) > 0 {
		hit = hit[len(hit)-1:]
	}
	if o.Has("o") && len(hit) > 0 {
		hit = hit[:1]
	}
	if p.Name() == "pkill" {
		sig := kernel.SigTERM
		if o.Has("signal") {
			sig = kernel.SignalNumber(o.Get("signal"))
		}
		if o.Has("9") {
			sig = kernel.SigKILL
		}
		for _, q := range hit {
			p.Kill(q.PID, sig)
		}
	} else if o.Has("c") {
		p.Printf("%d\n", len(hit))
	} else {
		for _, q := range hit {
			switch {
			case o.Has("a"):
				p.Printf("%d %s\n", q.PID, psField(q, "args"))
			case o.Has("l"):
				p.Printf("%d %s\n", q.PID, q.Comm())
			default:
				p.Printf("%d\n", q.PID)
			}
		}
	}
	return libc.BoolToInt(len(hit) == 0)
}
