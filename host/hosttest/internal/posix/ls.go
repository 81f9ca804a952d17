package posix

import (
	"slices"
	"strconv"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	lsShort = "1aAbcdfFgGhHiIklLmnNopqQrRsStTuUvwxXZ"
	lsLong  = "all>a almost-all>A directory>d full-time human-readable>h inode>i numeric-uid-gid>n recursive>R " +
		"reverse>r " +
		"size>s color[= group-directories-first time-style= zero"
)

// An lsRun is the state of one ls.
type lsRun struct {
	p    *kernel.Process
	o    *libc.Options
	long bool
	any  bool // something was printed before
	code int
}

func cmdLs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, lsShort, lsLong)
	if !ok {
		return libc.Usage(p, 2)
	}
	if libc.Unsupported(p, o, "b", "c", "f", "F", "g", "G", "h", "H", "I", "k", "L", "m", "N", "o", "p", "q", "Q", "s",
		"S", "T", "u", "U", "v", "w", "x", "X", "Z", "group-directories-first", "time-style", "zero") {
		return 2
	}
	names := o.Args
	if len(names) == 0 {
		names = []string{"."}
	}
	ls := &lsRun{p: p, o: o, long: o.Has("l", "n", "full-time")}
	files, dirs := ls.operands(names)
	for _, n := range files {
		st, _ := p.Lstat(n)
		ls.line(n, st)
		ls.any = true
	}
	for _, d := range dirs {
		ls.dir(d, len(names) > 1 || o.Has("R"))
	}
	return ls.code
}

// operands parts the names into files and directories that are listed, both in order.
func (ls *lsRun) operands(names []string) (files, dirs []string) {
	for _, n := range names {
		st, err := ls.p.Stat(n)
		if err != nil || ls.o.Has("d") {
			st, err = ls.p.Lstat(n)
		}
		switch {
		case err != nil:
			ls.p.Errorf("cannot access %s: %s", libc.Quote(n), kernel.Strerror(err))
			ls.code = 2
		case st.IsDir() && !ls.o.Has("d"):
			dirs = append(dirs, n)
		default:
			files = append(files, n)
		}
	}
	ls.sort("", files)
	ls.sort("", dirs)
	return files, dirs
}

// sort puts names, which follow the prefix dir, in the order of -t and -r.
func (ls *lsRun) sort(dir string, names []string) {
	slices.Sort(names)
	if ls.o.Has("t") {
		slices.SortStableFunc(names, func(a, b string) int {
			x, _ := ls.p.Lstat(dir + a)
			y, _ := ls.p.Lstat(dir + b)
			return y.Mtime.Compare(x.Mtime)
		})
	}
	if ls.o.Has("r") {
		slices.Reverse(names)
	}
}

// dir lists a directory; with head under its name.
func (ls *lsRun) dir(dir string, head bool) {
	p, o := ls.p, ls.o
	if head {
		if ls.any {
			p.Print("\n")
		}
		p.Print(dir, ":\n")
	}
	ls.any = true
	found, err := p.ReadDir(dir)
	if err != nil {
		p.Errorf("cannot open directory %s: %s", libc.Quote(dir), kernel.Strerror(err))
		ls.code = 2
		return
	}
	if o.Has("a") {
		found = append(found, ".", "..")
	}
	found = slices.DeleteFunc(found, func(n string) bool { return n[0] == '.' && !o.Has("a", "A") })
	ls.sort(dir+"/", found)
	if ls.long {
		p.Print("total 0\n")
	}
	for _, n := range found {
		st, _ := p.Lstat(libc.JoinPath(dir, n))
		ls.line(n, st)
	}
	if o.Has("R") {
		for _, n := range found {
			if st, _ := p.Lstat(libc.JoinPath(dir, n)); st.IsDir() && n != "." && n != ".." {
				ls.dir(libc.JoinPath(dir, n), true)
			}
		}
	}
}

// line prints one file.
func (ls *lsRun) line(name string, st kernel.Stat) {
	p, o := ls.p, ls.o
	if o.Has("i") {
		p.Printf("%d ", st.Ino)
	}
	if !ls.long {
		p.Print(name, "\n")
		return
	}
	owner, group := libc.UserName(p.Kernel, st.UID), libc.GroupName(p.Kernel, st.GID)
	if o.Has("n") {
		owner, group = strconv.Itoa(int(st.UID)), strconv.Itoa(int(st.GID))
	}
	layout := "Jan _2 15:04"
	switch {
	case o.Has("full-time"):
		layout = statTime
	case p.Kernel.Now().Sub(st.Mtime) > 180*24*time.Hour:
		layout = "Jan _2  2006"
	}
	if st.IsSymlink() {
		name += " -> " + st.Target
	}
	mode := modeString(st.Mode)
	if _, ok := st.Xattrs[kernel.ACLAccess]; ok {
		mode += "+"
	}
	when := libc.LocalTime(p, st.Mtime).Format(layout)
	p.Printf("%s %d %s %s %d %s %s\n", mode, st.Nlink, owner, group, st.Size, when, name)
}
