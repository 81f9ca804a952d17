package utillinux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdPs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "eAafwwo:p:C:u:U:", "no-headers pid=>p ppid= sort= format=>o user=>u headers")
	if !ok {
		args0ps(p)
		return 1
	}
	bsd := false
	for _, a := range o.Args {
		if strings.Trim(a, "auxw") == "" {
			bsd = true
		} else {
			p.Errorf("error: unsupported option (BSD syntax)\n")
			return 1
		}
	}
	type col struct{ key, head string }
	var cols []col
	noHead := o.Has("no-headers")
	heads := map[string]string{"pid": "PID", "ppid": "PPID", "pgid": "PGID", "pgrp": "PGRP", "sid": "SID", "sess": "SESS", "user": "USER", "uid": "UID", "comm": "COMMAND", "cmd": "CMD", "args": "COMMAND",
		"command": "COMMAND", "stat": "STAT", "etimes": "ELAPSED", "etime": "ELAPSED", "lstart": "STARTED", "tty": "TT", "time": "TIME", "ucmd": "CMD", "pcpu": "%CPU", "pmem": "%MEM", "rss": "RSS", "vsz": "VSZ"}
	for _, f := range o.All("o") {
		for _, k := range strings.FieldsFunc(f, func(r rune) bool { return r == ',' || r == ' ' }) {
			name, head, set := strings.Cut(k, "=")
			if heads[name] == "" {
				p.Warnf("error: unknown user-defined format specifier \"%s\"\n", name)
				return 1
			}
			if !set {
				head = heads[name]
			}
			cols = append(cols, col{name, head})
		}
	}
	switch {
	case len(cols) > 0:
		all := true
		for _, c := range cols {
			all = all && c.head == ""
		}
		noHead = noHead || all
	case bsd:
		cols = []col{{"user", "USER"}, {"pid", "PID"}, {"pcpu", "%CPU"}, {"pmem", "%MEM"}, {"stat", "STAT"}, {"time", "TIME"}, {"args", "COMMAND"}}
	case o.Has("f"):
		cols = []col{{"user", "UID"}, {"pid", "PID"}, {"ppid", "PPID"}, {"tty", "TTY"}, {"time", "TIME"}, {"args", "CMD"}}
	default:
		cols = []col{{"pid", "PID"}, {"tty", "TTY"}, {"time", "TIME"}, {"comm", "CMD"}}
	}
	init := &kernel.Process{Kernel: p.Kernel, Args: []string{"/sbin/init"}, Exe: "/usr/lib/systemd/systemd", PID: 1, PGID: 1, SID: 1, Started: p.Kernel.BootTime}
	list := append([]*kernel.Process{init}, p.Kernel.Processes()...)
	var rows [][]string
	for _, q := range list {
		keep := o.Has("e", "A") || bsd
		if !keep && !o.Has("p", "C", "u", "U", "ppid") {
			keep = psField(q, "uid") == psField(p, "uid") && psField(q, "sid") == psField(p, "sid")
		}
		for _, v := range o.All("p") {
			for s := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
				keep = keep || s == strconv.Itoa(q.PID)
			}
		}
		keep = keep || o.Has("C") && o.Get("C") == q.Comm()
		keep = keep || o.Has("ppid") && o.Get("ppid") == psField(q, "ppid")
		keep = keep || o.Has("u", "U") && (o.Get("u", "U") == psField(q, "user") || o.Get("u", "U") == psField(q, "uid"))
		if !keep {
			continue
		}
		row := make([]string, len(cols))
		for i, c := range cols {
			row[i] = psField(q, c.key)
		}
		rows = append(rows, row)
	}
	width := make([]int, len(cols))
	for i, c := range cols {
		width[i] = len(c.head)
		for _, r := range rows {
			width[i] = max(width[i], len(r[i]))
		}
	}
	show := func(row []string) {
		for i, v := range row {
			right := slices.Contains([]string{"pid", "ppid", "pgid", "pgrp", "sid", "sess", "uid", "etimes", "rss", "vsz", "pcpu", "pmem", "etime"}, cols[i].key)
			switch {
			case i == len(row)-1 && !right:
				p.Print(v)
			case right:
				p.Printf("%*s", width[i], v)
			default:
				p.Printf("%-*s", width[i], v)
			}
			if i < len(row)-1 {
				p.Print(" ")
			}
		}
		p.Print("\n")
	}
	if !noHead {
		h := make([]string, len(cols))
		for i, c := range cols {
			h[i] = c.head
		}
		show(h)
	}
	for _, r := range rows {
		show(r)
	}
	if len(rows) == 0 {
		return 1
	}
	return 0
}

func args0ps(p *kernel.Process) { p.Warnf("\nUsage:\n ps [options]\n") }

func psField(q *kernel.Process, key string) string {
	args, started, uid, _ := q.Looks()
	ppid, pgid, sid := q.Family()
	switch key {
	case "pid":
		return strconv.Itoa(q.PID)
	case "ppid":
		return strconv.Itoa(ppid)
	case "pgid", "pgrp":
		return strconv.Itoa(pgid)
	case "sid", "sess":
		return strconv.Itoa(sid)
	case "uid":
		return strconv.Itoa(int(uid))
	case "user":
		return libc.UserName(q.Kernel, uid)
	case "comm", "ucmd":
		return q.Comm()
	case "args", "cmd", "command":
		return strings.Join(args, " ")
	case "stat":
		return "Ss"
	case "etimes":
		return strconv.Itoa(int(q.Kernel.Now().Sub(started).Seconds()))
	case "etime":
		s := int(q.Kernel.Now().Sub(started).Seconds())
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	case "lstart":
		return started.In(libc.Location(q.Kernel)).Format("Mon Jan _2 15:04:05 2006")
	case "tty":
		return "?"
	case "time":
		return "00:00:00"
	case "pcpu", "pmem":
		return "0.0"
	case "rss", "vsz":
		return "4096"
	}
	return ""
}
