package utillinux

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A psColumn is a column of the output; an empty head shows none.
type psColumn struct{ key, head string }

// psHeads are the columns of -o, with their heads.
var psHeads = map[string]string{
	"pid": "PID", "ppid": "PPID", "pgid": "PGID", "pgrp": "PGRP", "sid": "SID", "sess": "SESS", "user": "USER",
	"uid": "UID", "comm": "COMMAND", "cmd": "CMD", "args": "COMMAND", "command": "COMMAND", "ucmd": "CMD",
	"stat": "STAT", "etimes": "ELAPSED", "etime": "ELAPSED", "lstart": "STARTED", "tty": "TT", "time": "TIME",
	"pcpu": "%CPU", "pmem": "%MEM", "rss": "RSS", "vsz": "VSZ",
}

// psNumbers are the columns that stand to the right.
var psNumbers = []string{
	"pid", "ppid", "pgid", "pgrp", "sid", "sess", "uid", "etimes", "rss", "vsz", "pcpu", "pmem", "etime",
}

// A psRun is the state of one ps.
type psRun struct {
	p   *kernel.Process
	o   *libc.Options
	bsd bool // ps aux
}

func cmdPs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "eAafwwo:p:C:u:U:", "no-headers pid=>p ppid= sort= format=>o user=>u headers")
	if !ok {
		p.Warnf("\nUsage:\n ps [options]\n")
		return 1
	}
	ps := &psRun{p: p, o: o}
	for _, a := range o.Args {
		if strings.Trim(a, "auxw") != "" {
			p.Errorf("error: unsupported option (BSD syntax)\n")
			return 1
		}
		ps.bsd = true
	}
	cols, ok := ps.columns()
	if !ok {
		return 1
	}
	init := &kernel.Process{
		Kernel: p.Kernel, Args: []string{"/sbin/init"}, Exe: "/usr/lib/systemd/systemd",
		PID: 1, PGID: 1, SID: 1, Started: p.Kernel.BootTime,
	}
	var rows [][]string
	for _, q := range append([]*kernel.Process{init}, p.Kernel.Processes()...) {
		if !ps.wanted(q) {
			continue
		}
		row := make([]string, len(cols))
		for i, c := range cols {
			row[i] = psField(q, c.key)
		}
		rows = append(rows, row)
	}
	ps.print(cols, rows)
	if len(rows) == 0 {
		return 1
	}
	return 0
}

func psList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// columns are those of -o, or of the kind of list.
func (ps *psRun) columns() ([]psColumn, bool) {
	var cols []psColumn
	for _, f := range ps.o.All("o") {
		for _, k := range psList(f) {
			name, head, set := strings.Cut(k, "=")
			if psHeads[name] == "" {
				ps.p.Warnf("error: unknown user-defined format specifier \"%s\"\n", name)
				return nil, false
			}
			if !set {
				head = psHeads[name]
			}
			cols = append(cols, psColumn{name, head})
		}
	}
	switch {
	case len(cols) > 0:
	case ps.bsd:
		cols = []psColumn{{"user", "USER"}, {"pid", "PID"}, {"pcpu", "%CPU"}, {"pmem", "%MEM"}, {"stat", "STAT"},
			{"time", "TIME"}, {"args", "COMMAND"}}
	case ps.o.Has("f"):
		cols = []psColumn{{"user", "UID"}, {"pid", "PID"}, {"ppid", "PPID"}, {"tty", "TTY"}, {"time", "TIME"},
			{"args", "CMD"}}
	default:
		cols = []psColumn{{"pid", "PID"}, {"tty", "TTY"}, {"time", "TIME"}, {"comm", "CMD"}}
	}
	return cols, true
}

// wanted tells whether the options select a process.
func (ps *psRun) wanted(q *kernel.Process) bool {
	o := ps.o
	if o.Has("e", "A") || ps.bsd {
		return true
	}
	if !o.Has("p", "C", "u", "U", "ppid") {
		return psField(q, "uid") == psField(ps.p, "uid") && psField(q, "sid") == psField(ps.p, "sid")
	}
	for _, v := range o.All("p") {
		if slices.Contains(psList(v), strconv.Itoa(q.PID)) {
			return true
		}
	}
	if o.Has("C") && o.Get("C") == q.Comm() || o.Has("ppid") && o.Get("ppid") == psField(q, "ppid") {
		return true
	}
	user := o.Get("u", "U")
	return o.Has("u", "U") && (user == psField(q, "user") || user == psField(q, "uid"))
}

func (ps *psRun) print(cols []psColumn, rows [][]string) {
	heads := make([]string, len(cols))
	for i, c := range cols {
		heads[i] = c.head
	}
	if !ps.o.Has("no-headers") && strings.Join(heads, "") != "" {
		rows = append([][]string{heads}, rows...)
	}
	width := make([]int, len(cols))
	for i, c := range cols {
		width[i] = len(c.head)
		for _, r := range rows {
			width[i] = max(width[i], len(r[i]))
		}
	}
	for _, row := range rows {
		for i, v := range row {
			right := slices.Contains(psNumbers, cols[i].key)
			switch {
			case i == len(row)-1 && !right:
				ps.p.Print(v)
			case right:
				ps.p.Printf("%*s", width[i], v)
			default:
				ps.p.Printf("%-*s", width[i], v)
			}
			if i < len(row)-1 {
				ps.p.Print(" ")
			}
		}
		ps.p.Print("\n")
	}
}

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
