package posix

import (
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// sizeStyle is how df and du write a number of bytes.
type sizeStyle struct {
	unit   int64
	suffix string // behind each number
	human  bool   // in the unit that fits, and unit does not count
}

// sizeStyle reads the options that df and du share, of which the last counts.
func readSizeStyle(p *kernel.Process, o *libc.Options) (sizeStyle, bool) {
	s := sizeStyle{unit: 1024}
	for _, x := range o.Order {
		switch x.Name {
		case "h":
			s = sizeStyle{human: true}
		case "b":
			s = sizeStyle{unit: 1}
		case "k":
			s = sizeStyle{unit: 1 << 10}
		case "m":
			s = sizeStyle{unit: 1 << 20}
		case "B":
			s = sizeStyle{}
			text := x.Value
			if text != "" && !libc.IsDigits(text[:1]) {
				s.suffix, text = text, "1"+text
			}
			if n, ok := libc.ByteCount(text); ok {
				s.unit = n
			}
			if s.unit <= 0 {
				p.Errorf("invalid -B argument %s", libc.Quote(x.Value))
				return s, false
			}
		}
	}
	return s, true
}

func (s sizeStyle) format(n int64) string {
	if s.human {
		return humanUp(n)
	}
	return strconv.FormatInt(ceilDiv(n, s.unit), 10) + s.suffix
}

// blocks is the unit as df's heading names it.
func (s sizeStyle) blocks(posix bool) string {
	switch {
	case s.human:
		return "Size"
	case posix:
		return strconv.FormatInt(s.unit, 10) + "-blocks"
	case s.suffix != "":
		return "1" + s.suffix + "-blocks"
	}
	base, names := int64(1024), []string{"B", "K", "M", "G", "T"}
	if s.unit%1024 != 0 {
		base, names = 1000, []string{"B", "kB", "MB", "GB", "TB"}
	}
	n, i := s.unit, 0
	for n%base == 0 && i < len(names)-1 {
		n /= base
		i++
	}
	return strconv.FormatInt(n, 10) + names[i] + "-blocks"
}

// humanUp is a size as coreutils' -h writes it: rounded up, with one decimal below ten.
func humanUp(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	unit, i := int64(1024), 0
	for ceilDiv(n, unit) >= 1024 && i < len("KMGTP")-1 {
		unit *= 1024
		i++
	}
	// Tenths of n/unit, in two steps so that n*10 does not overflow.
	tenths := n/unit*10 + ceilDiv(n%unit*10, unit)
	if tenths < 100 {
		return strconv.FormatInt(tenths/10, 10) + "." + strconv.FormatInt(tenths%10, 10) + "KMGTP"[i:i+1]
	}
	return strconv.FormatInt(ceilDiv(n, unit), 10) + "KMGTP"[i:i+1]
}

func ceilDiv(n, unit int64) int64 { return (n + unit - 1) / unit }

// dfColumns are df's columns and their headings; inodes are not counted here.
func dfColumns(o *libc.Options, s sizeStyle) (cols []string, heads map[string]string) {
	cols = []string{"source", "size", "used", "avail", "pcent", "target"}
	if o.Has("T") {
		cols = slices.Insert(cols, 1, "fstype")
	}
	heads = map[string]string{"source": "Filesystem", "fstype": "Type", "size": s.blocks(o.Has("P")), "used": "Used",
		"avail": "Available", "pcent": "Use%", "target": "Mounted on", "file": "File"}
	if o.Has("P") && !s.human {
		heads["pcent"] = "Capacity"
	}
	if s.human || o.Has("output") {
		heads["avail"] = "Avail"
	}
	if o.Has("output") {
		cols = strings.Split(o.Get("output"), ",")
	}
	return cols, heads
}

func cmdDf(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aB:hklmPTt:x:v",
		"all>a block-size=>B human-readable>h local>l portability>P print-type>T type=>t exclude-type=>x output[= "+
			"sync no-sync")
	if !ok {
		return libc.Usage(p, 1)
	}
	style, ok := readSizeStyle(p, o)
	if !ok {
		return 1
	}
	for _, c := range []string{"P", "T"} {
		if o.Has("output") && o.Has(c) {
			p.Errorf("options -%s and --output are mutually exclusive", c)
			return libc.Usage(p, 1)
		}
	}
	cols, heads := dfColumns(o, style)
	var head []string
	for _, c := range cols {
		switch h, ok := heads[c]; {
		case ok:
			head = append(head, h)
		case slices.Contains([]string{"", "itotal", "iused", "iavail", "ipcent"}, c):
			p.Errorf("hosttest: inodes are not counted by this machine: name the fields of --output, without them")
			return 1
		default:
			p.Errorf("option --output: field %s unknown", libc.Quote(c))
			return libc.Usage(p, 1)
		}
	}
	shown, code := dfMounts(p, o)
	if len(shown) == 0 {
		if code == 0 {
			p.Errorf("no file systems processed")
		}
		return 1
	}
	rows := [][]string{head}
	for _, r := range shown {
		total, free := p.Kernel.Space(r.mnt.Vol)
		used, percent := total-free, "-"
		if total > 0 {
			percent = strconv.FormatInt(ceilDiv(used*100, total), 10) + "%"
		}
		values := map[string]string{"source": r.mnt.Vol.Source, "fstype": r.mnt.Vol.FSType, "size": style.format(total),
			"used": style.format(used), "avail": style.format(free), "pcent": percent, "target": r.mnt.Target,
			"file": r.file}
		var line []string
		for _, c := range cols {
			line = append(line, values[c])
		}
		rows = append(rows, line)
	}
	dfTable(p, cols, rows)
	return code
}

// A dfRow is a file system that df shows, for a file that was asked for or for "-".
type dfRow struct {
	mnt  *kernel.MountPoint
	file string
}

// dfMounts are the file systems of the operands, or all without any, as far as -t and -x let them through.
func dfMounts(p *kernel.Process, o *libc.Options) (shown []dfRow, code int) {
	if len(o.Args) == 0 {
		t := p.Kernel.Tree
		t.Lock()
		for _, mt := range t.Mounts {
			if o.Has("a") || !mt.Vol.Pseudo && mt.Vol.Size > 0 {
				shown = append(shown, dfRow{mt, "-"})
			}
		}
		t.Unlock()
	}
	for _, a := range o.Args {
		st, err := p.Stat(a)
		if err != nil {
			p.Errorf("%s: %s", libc.QuoteMaybe(a), kernel.Strerror(err))
			code = 1
			continue
		}
		shown = append(shown, dfRow{st.At.Mnt, a})
	}
	shown = slices.DeleteFunc(shown, func(r dfRow) bool {
		return o.Has("t") && !slices.Contains(o.All("t"), r.mnt.Vol.FSType) ||
			slices.Contains(o.All("x"), r.mnt.Vol.FSType)
	})
	return shown, code
}

// dfTable prints df's rows: names at the left, numbers at the right.
func dfTable(p *kernel.Process, cols []string, rows [][]string) {
	width := make([]int, len(cols))
	for j, c := range cols {
		width[j] = map[string]int{"source": 14, "fstype": 4, "size": 5, "used": 5, "avail": 5, "pcent": 4}[c]
		for _, r := range rows {
			width[j] = max(width[j], len(r[j]))
		}
	}
	for _, r := range rows {
		for j, v := range r {
			left := slices.Contains([]string{"source", "fstype", "target", "file"}, cols[j])
			switch {
			case j == len(r)-1 && left:
				p.Print(v)
			case left:
				p.Printf("%-*s", width[j], v)
			default:
				p.Printf("%*s", width[j], v)
			}
			if j < len(r)-1 {
				p.Print(" ")
			}
		}
		p.Print("\n")
	}
}

func cmdDu(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "0abB:cd:hklmPsx",
		"all>a apparent-size bytes>b total>c count-links>l human-readable>h summarize>s one-file-system>x "+
			"max-depth=>d block-size=>B null>0 no-dereference>P")
	if !ok {
		return libc.Usage(p, 1)
	}
	style, ok := readSizeStyle(p, o)
	if !ok {
		return 1
	}
	depthLimit := 1 << 30
	if o.Has("d") {
		n, ok := kernel.ParseUint(o.Get("d"))
		if !ok {
			p.Errorf("invalid maximum depth %s", libc.Quote(o.Get("d")))
			return libc.Usage(p, 1)
		}
		depthLimit = int(n)
	}
	if o.Has("s") {
		if o.Has("a") {
			p.Errorf("cannot both summarize and show all entries")
			return libc.Usage(p, 1)
		}
		depthLimit = 0
	}
	d := &duRun{p: p, o: o, style: style, depth: depthLimit, seen: map[kernel.InodeKey]bool{}}
	names := o.Args
	if len(names) == 0 {
		names = []string{"."}
	}
	var total int64
	for _, a := range names {
		if a == "" {
			p.Errorf("invalid zero-length file name")
			d.code = 1
			continue
		}
		total += d.walk(a, 0, 0)
	}
	if o.Has("c") {
		d.show(total, "total")
	}
	return d.code
}

// A duRun is the state of one du.
type duRun struct {
	p     *kernel.Process
	o     *libc.Options
	style sizeStyle
	depth int // the deepest that is shown
	seen  map[kernel.InodeKey]bool
	code  int
}

func (d *duRun) show(n int64, name string) {
	end := "\n"
	if d.o.Has("0") {
		end = "\x00"
	}
	d.p.Print(d.style.format(n), "\t", name, end)
}

// walk gives what a file takes, with all that is in it, and shows it. dev is the file system of what holds it.
func (d *duRun) walk(name string, depth int, dev uint32) int64 {
	p, o := d.p, d.o
	st, err := p.Lstat(name)
	if err != nil {
		p.Errorf("cannot access %s: %s", libc.Quote(name), kernel.Strerror(err))
		d.code = 1
		return 0
	}
	if d.seen[st.At.Key()] && (st.IsDir() || !o.Has("l")) || o.Has("x") && depth > 0 && st.Dev != dev {
		return 0
	}
	d.seen[st.At.Key()] = true
	n := st.Size
	switch {
	case o.Has("apparent-size", "b"):
	case st.IsSymlink():
		n = 0 // it fits into the inode
	default:
		n = ceilDiv(n, 4096) * 4096
	}
	if st.IsDir() {
		kids, err := p.ReadDir(name)
		if err != nil {
			p.Errorf("cannot read directory %s: %s", libc.Quote(name), kernel.Strerror(err))
			d.code = 1
		}
		for _, k := range kids {
			n += d.walk(libc.JoinPath(name, k), depth+1, st.Dev)
		}
	}
	if depth == 0 || (st.IsDir() || o.Has("a")) && depth <= d.depth {
		d.show(n, name)
	}
	return n
}
