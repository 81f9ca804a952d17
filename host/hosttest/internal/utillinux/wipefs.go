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

var wipefsColumns = []column{
	{name: "UUID"}, {name: "LABEL"}, {name: "LENGTH"}, {name: "TYPE"}, {name: "OFFSET"}, {name: "USAGE"},
	{name: "DEVICE"},
}

const (
	wipefsShort = "ab::fhiJnO:o:pqt:V"
	wipefsLong  = "all>a backup[=>b force>f noheadings>i json>J no-act>n offset=>o output=>O parsable>p quiet>q " +
		"types=>t lock[="
)

// A wipefsRun is the state of one wipefs.
type wipefsRun struct {
	p      *kernel.Process
	o      *libc.Options
	offset int64  // of the signature that is meant; < 0 for any
	erase  bool   // otherwise the signatures are listed
	sheet  *sheet // of the list
}

func cmdWipefs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, wipefsShort, wipefsLong)
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
	w := &wipefsRun{p: p, o: o, offset: -1}
	if v := o.Get("o"); v != "" {
		n, err := strconv.ParseInt(v, 0, 64)
		if err != nil {
			p.Errorf("invalid offset argument: '%s': %s", v, kernel.Strerror(syscall.EINVAL))
			return 1
		}
		w.offset = n
	}
	w.erase = o.Has("a") || w.offset >= 0
	cols, ok := pickColumns(p, wipefsColumns, o.All("O"), "DEVICE,OFFSET,TYPE,UUID,LABEL")
	if !ok {
		return 1
	}
	w.sheet = &sheet{name: "signatures", cols: cols, tree: -1}
	for _, a := range o.Args {
		if !w.device(a) {
			return 1
		}
	}
	if !w.erase {
		w.print()
	}
	return 0
}

// device lists or erases the signatures of a device.
func (w *wipefsRun) device(name string) bool {
	p := w.p
	fail := func(err error) bool {
		p.Errorf("error: %s: probing initialization failed: %s", name, kernel.Strerror(err))
		return false
	}
	if _, err := p.Stat(name); err != nil {
		return fail(err)
	}
	dev := device(p, name)
	if dev == nil {
		p.Errorf("hosttest: %s: this wipefs knows only block devices", name)
		return false
	}
	access := uint32(kernel.MayRead)
	if w.erase && !w.o.Has("n") {
		access |= kernel.MayWrite
	}
	if err := p.Access(name, access); err != nil {
		return fail(err)
	}
	if w.erase && !w.o.Has("n", "f") && inUse(p.Kernel, dev) != "" {
		return fail(syscall.EBUSY)
	}
	var signs []signature
	for _, v := range look(p.Kernel) {
		if v.Partition == dev {
			signs = v.signs
		}
	}
	signs = slices.DeleteFunc(signs, func(s signature) bool { return !w.wanted(s) })
	if w.erase {
		return w.eraseAll(name, dev, signs)
	}
	for _, s := range signs {
		w.list(dev, s)
	}
	return true
}

func (w *wipefsRun) wanted(s signature) bool {
	if w.offset >= 0 && s.offset != w.offset {
		return false
	}
	t, no := strings.CutPrefix(w.o.Get("t"), "no")
	return t == "" || slices.Contains(strings.Split(t, ","), s.kind) != no
}

func (w *wipefsRun) list(dev *kernel.Partition, s signature) {
	cells := map[string]string{
		"UUID": s.uuid, "LABEL": s.label, "LENGTH": strconv.Itoa(len(s.magic)), "TYPE": s.kind,
		"OFFSET": fmt.Sprintf("0x%x", s.offset), "USAGE": cmp.Or(s.usage, "partition-table"), "DEVICE": dev.Name,
	}
	r := &sheetRow{}
	for _, c := range w.sheet.cols {
		r.cells = append(r.cells, cells[c.name])
	}
	w.sheet.rows = append(w.sheet.rows, r)
}

// eraseAll erases signatures and says so.
func (w *wipefsRun) eraseAll(name string, dev *kernel.Partition, signs []signature) bool {
	p := w.p
	table := false
	for _, s := range signs {
		if !w.o.Has("n") {
			if err := changeDisk(p.Kernel, func() { eraseSignature(dev, s) }); err != nil {
				p.Errorf("error: %s: failed to erase %s magic string at offset 0x%08x: %s",
					name, s.kind, s.offset, kernel.Strerror(err))
				return false
			}
		}
		table = table || s.usage == ""
		if !w.o.Has("q") {
			word := "bytes were"
			if len(s.magic) == 1 {
				word = "byte was"
			}
			p.Printf("%s: %d %s erased at offset 0x%08x (%s): % x\n", name, len(s.magic), word, s.offset, s.kind,
				s.magic)
		}
	}
	if table && !w.o.Has("q", "n") {
		p.Printf("%s: calling ioctl to re-read partition table: Success\n", name)
	}
	return true
}

// print prints the list.
func (w *wipefsRun) print() {
	switch {
	case w.o.Has("J"):
		w.sheet.json(w.p)
	case w.o.Has("p"):
		for _, r := range w.sheet.flat(false) {
			c := r.cells
			if len(w.o.All("O")) == 0 {
				c = []string{c[1], c[3], c[4], c[2]} // OFFSET,UUID,LABEL,TYPE
			}
			w.p.Print(strings.Join(c, ","), "\n")
		}
	default:
		w.sheet.table(w.p, !w.o.Has("i"))
	}
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
