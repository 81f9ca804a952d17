package utillinux

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var wipefsColumns = []column{{name: "UUID"}, {name: "LABEL"}, {name: "LENGTH"}, {name: "TYPE"}, {name: "OFFSET"}, {name: "USAGE"}, {name: "DEVICE"}}

func cmdWipefs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ab::fhiJnO:o:pqt:V", "all>a backup[=>b force>f noheadings>i json>J no-act>n offset=>o output=>O parsable>p quiet>q types=>t lock[=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("no device specified")
		return libc.Usage(p, 1)
	}
	if o.Has("b") {
		p.Errorf("hosttest: this wipefs makes no backup")
		return 1
	}
	var offset int64 = -1
	if v := o.Get("o"); v != "" {
		n, err := strconv.ParseInt(v, 0, 64)
		if err != nil {
			p.Errorf("invalid offset argument: '%s': %s", v, kernel.Strerror(syscall.EINVAL))
			return 1
		}
		offset = n
	}
	wanted := func(s signature) bool {
		if offset >= 0 && s.offset != offset {
			return false
		}
		t, no := strings.CutPrefix(o.Get("t"), "no")
		return t == "" || slices.Contains(strings.Split(t, ","), s.kind) != no
	}
	cols, ok := pickColumns(p, wipefsColumns, o.All("O"), "DEVICE,OFFSET,TYPE,UUID,LABEL")
	if !ok {
		return 1
	}
	s := &sheet{name: "signatures", cols: cols, tree: -1}
	for _, a := range o.Args {
		fail := func(err error) int {
			p.Errorf("error: %s: probing initialization failed: %s", a, kernel.Strerror(err))
			return 1
		}
		if _, err := p.Stat(a); err != nil {
			return fail(err)
		}
		dev := device(p, a)
		if dev == nil {
			p.Errorf("hosttest: %s: this wipefs knows only block devices", a)
			return 1
		}
		erase := o.Has("a") || offset >= 0
		want := uint32(kernel.MayRead)
		if erase && !o.Has("n") {
			want |= kernel.MayWrite
		}
		if err := p.Access(a, want); err != nil {
			return fail(err)
		}
		if erase && !o.Has("n", "f") && inUse(p.Kernel, dev) != "" {
			return fail(syscall.EBUSY)
		}
		var signs []signature
		for _, v := range look(p.Kernel) {
			if v.Partition == dev {
				signs = v.signs
			}
		}
		table := false
		for _, sg := range signs {
			if !wanted(sg) {
				continue
			}
			if !erase {
				r := &sheetRow{}
				for _, c := range cols {
					r.cells = append(r.cells, map[string]string{"UUID": sg.uuid, "LABEL": sg.label, "LENGTH": strconv.Itoa(len(sg.magic)), "TYPE": sg.kind, "OFFSET": fmt.Sprintf("0x%x", sg.offset), "USAGE": cmp.Or(sg.usage, "partition-table"), "DEVICE": dev.Name}[c.name])
				}
				s.rows = append(s.rows, r)
				continue
			}
			if !o.Has("n") {
				if err := changeDisk(p.Kernel, func() { eraseSignature(dev, sg) }); err != nil {
					p.Errorf("error: %s: failed to erase %s magic string at offset 0x%08x: %s", a, sg.kind, sg.offset, kernel.Strerror(err))
					return 1
				}
			}
			table = table || sg.usage == ""
			if !o.Has("q") {
				word := "bytes were"
				if len(sg.magic) == 1 {
					word = "byte was"
				}
				p.Printf("%s: %d %s erased at offset 0x%08x (%s): % x\n", a, len(sg.magic), word, sg.offset, sg.kind, sg.magic)
			}
		}
		if table && !o.Has("q", "n") {
			p.Printf("%s: calling ioctl to re-read partition table: Success\n", a)
		}
	}
	switch {
	case o.Has("a") || offset >= 0:
	case o.Has("J"):
		s.json(p)
	case o.Has("p"):
		for _, r := range s.flat(false) {
			c := r.cells
			if len(o.All("O")) == 0 {
				c = []string{c[1], c[3], c[4], c[2]} // OFFSET,UUID,LABEL,TYPE
			}
			p.Print(strings.Join(c, ","), "\n")
		}
	default:
		s.table(p, !o.Has("i"))
	}
	return 0
}

// eraseSignature removes a signature. The tree is locked.
func eraseSignature(p *kernel.Partition, s signature) {
	p.Disk.Write(p.Start+s.offset, make([]byte, len(s.magic)))
	if s.usage != "" {
		p.Clear()
		return
	}
	p.Disk.Table, p.Disk.Parts = "", nil
}
