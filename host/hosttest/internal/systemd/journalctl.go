package systemd

import (
	"slices"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdJournalctl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "u:n::o:xefrkb::t:S:U:qap:g:",
		"unit=>u lines[=>n output=>o no-pager follow>f reverse>r since=>S until=>U quiet>q boot[=>b identifier=>t "+
			"all>a no-hostname priority=>p vacuum-time= rotate grep=>g dmesg>k catalog>x")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "k", "f", "S", "U", "a", "p", "g", "vacuum-time", "rotate") {
		return 1
	}
	s := Of(p.Kernel)
	s.mu.Lock()
	defer s.mu.Unlock()
	var units []string
	for _, u := range o.All("u") {
		units = append(units, unitNameOf(u))
	}
	var lines []logLine
	for _, l := range s.journal {
		if len(units) > 0 && !slices.Contains(units, l.unit) || o.Has("t") && o.Get("t") != l.tag {
			continue
		}
		lines = append(lines, l)
	}
	if o.Has("n", "e") {
		n := 10
		if o.Has("e") {
			n = 1000
		}
		if v, err := strconv.Atoi(o.Get("n")); err == nil {
			n = v
		} else if len(o.Args) > 0 {
			if v, err := strconv.Atoi(o.Args[0]); err == nil {
				n = v
			}
		}
		lines = lines[max(0, len(lines)-n):]
	}
	if o.Has("r") {
		slices.Reverse(lines)
	}
	if len(lines) == 0 && !o.Has("q") {
		p.Print("-- No entries --\n")
		return 0
	}
	for _, l := range lines {
		if o.Get("o") == "cat" {
			p.Print(l.text, "\n")
			continue
		}
		p.Printf("%s %s %s[%d]: %s\n", l.at.In(libc.Location(p.Kernel)).Format("Jan 02 15:04:05"), p.Kernel.Hostname(),
			l.tag, l.pid, l.text)
	}
	return 0
}
