package posix

import (
	"slices"
	"strconv"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdLs(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "1aAbcdfFgGhHiIklLmnNopqQrRsStTuUvwxXZ", "all>a almost-all>A directory>d full-time human-readable>h inode>i numeric-uid-gid>n recursive>R reverse>r size>s color[= group-directories-first time-style= zero")
	if !ok {
		return libc.Usage(p, 2)
	}
	if libc.Unsupported(p, o, "b", "c", "f", "F", "g", "G", "h", "H", "I", "k", "L", "m", "N", "o", "p", "q", "Q", "s", "S", "T", "u", "U", "v", "w", "x", "X", "Z", "group-directories-first", "time-style", "zero") {
		return 2
	}
	names := o.Args
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	long := o.Has("l", "n", "full-time")
	line := func(name string, st kernel.Stat) {
		if o.Has("i") {
			p.Printf("%d ", st.Ino)
		}
		if !long {
			p.Print(name, "\n")
			return
		}
		owner, group := libc.UserName(p.Kernel, st.UID), libc.GroupName(p.Kernel, st.GID)
		if o.Has("n") {
			owner, group = strconv.Itoa(int(st.UID)), strconv.Itoa(int(st.GID))
		}
		when := libc.LocalTime(p, st.Mtime).Format("Jan _2 15:04")
		if p.Kernel.Now().Sub(st.Mtime) > 180*24*time.Hour {
			when = libc.LocalTime(p, st.Mtime).Format("Jan _2  2006")
		}
		if o.Has("full-time") {
			when = libc.LocalTime(p, st.Mtime).Format(statTime)
		}
		if st.IsSymlink() {
			name += " -> " + st.Target
		}
		mode := modeString(st.Mode)
		if _, ok := st.Xattrs[kernel.ACLAccess]; ok {
			mode += "+"
		}
		p.Printf("%s %d %s %s %d %s %s\n", mode, st.Nlink, owner, group, st.Size, when, name)
	}
	order := func(dir string, list []string) {
		slices.Sort(list)
		if o.Has("t") {
			slices.SortStableFunc(list, func(a, b string) int {
				x, _ := p.Lstat(dir + a)
				y, _ := p.Lstat(dir + b)
				return y.Mtime.Compare(x.Mtime)
			})
		}
		if o.Has("r") {
			slices.Reverse(list)
		}
	}
	var dirs, files []string
	for _, n := range names {
		st, err := p.Stat(n)
		if err != nil || o.Has("d") {
			st, err = p.Lstat(n)
		}
		if err != nil {
			p.Errorf("cannot access %s: %s", libc.Quote(n), kernel.Strerror(err))
			code = 2
			continue
		}
		if st.IsDir() && !o.Has("d") {
			dirs = append(dirs, n)
		} else {
			files = append(files, n)
		}
	}
	order("", files)
	for _, n := range files {
		st, _ := p.Lstat(n)
		line(n, st)
	}
	var list func(dir string, head bool)
	first := len(files) == 0
	list = func(dir string, head bool) {
		if head {
			if !first {
				p.Print("\n")
			}
			p.Print(dir, ":\n")
		}
		first = false
		found, err := p.ReadDir(dir)
		if err != nil {
			p.Errorf("cannot open directory %s: %s", libc.Quote(dir), kernel.Strerror(err))
			code = 2
			return
		}
		if o.Has("a") {
			found = append(found, ".", "..")
		}
		found = slices.DeleteFunc(found, func(n string) bool { return n[0] == '.' && !o.Has("a", "A") })
		order(dir+"/", found)
		if long {
			p.Print("total 0\n")
		}
		for _, n := range found {
			st, _ := p.Lstat(libc.JoinPath(dir, n))
			line(n, st)
		}
		if o.Has("R") {
			for _, n := range found {
				if st, _ := p.Lstat(libc.JoinPath(dir, n)); st.IsDir() && n != "." && n != ".." {
					list(libc.JoinPath(dir, n), true)
				}
			}
		}
	}
	order("", dirs)
	for _, d := range dirs {
		list(d, len(names) > 1 || o.Has("R"))
	}
	return code
}
