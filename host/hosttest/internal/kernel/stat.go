package kernel

import "time"

// A Stat is what stat(2) tells.
type Stat struct {
	Path   string // absolute, without links
	Dev    uint32
	Ino    uint32
	Mode   uint32 // type and permissions, as in st_mode
	UID    uint32
	GID    uint32
	Nlink  uint32
	Size   int64
	Atime  time.Time
	Mtime  time.Time
	Ctime  time.Time
	Btime  time.Time
	Target string // of a symbolic link
	Attrs  uint32 // chattr(1) flags

	Rdev   uint32
	Xattrs map[string]string
	At     place
}

// IsDir tells whether it is a directory.
func (s Stat) IsDir() bool { return s.Mode&ModeType == ModeDir }

// IsRegular tells whether it is a regular file.
func (s Stat) IsRegular() bool { return s.Mode&ModeType == ModeRegular }

// IsSymlink tells whether it is a symbolic link.
func (s Stat) IsSymlink() bool { return s.Mode&ModeType == ModeSymlink }

// Perm is the permission bits with set-user-ID, set-group-ID and sticky.
func (s Stat) Perm() uint32 { return s.Mode & 0o7777 }

func (t *Tree) stat(c Cred, cwd, path string, follow bool) (Stat, error) {
	s, err := t.Must(c, cwd, path, follow)
	if err != nil {
		return Stat{}, err
	}
	return t.statAt(s.At, s.Path), nil
}

func (t *Tree) statAt(p place, path string) Stat {
	i := p.Inode()
	if i == nil {
		return Stat{Path: path}
	}
	st := Stat{Path: path, Dev: p.Mnt.Vol.Dev, Ino: i.Num, Mode: i.Mode, UID: i.UID, GID: i.GID, Nlink: i.Nlink,
		Atime: time.Unix(0, i.ATime), Mtime: time.Unix(0, i.MTime), Ctime: time.Unix(0, i.CTime),
		Btime: time.Unix(0, i.BTime), Attrs: i.Attrs, Rdev: i.rdev, Xattrs: i.xattrs, At: p}
	switch i.Mode & ModeType {
	case ModeRegular:
		st.Size = int64(len(i.Data))
		if i.node != nil {
			st.Size = 0
			if p.Mnt.Vol.FSType == "sysfs" {
				st.Size = 4096
			}
		}
	case ModeSymlink:
		st.Target = t.linkTarget(i)
		st.Size = int64(len(st.Target))
		if p.Mnt.Vol.FSType == "proc" {
			st.Size = 0
		}
	case ModeDir:
		switch {
		case p.Mnt.Vol.FSType == "tmpfs" || p.Mnt.Vol.FSType == "devtmpfs":
			st.Size = int64(len(i.Children)+2) * 20
		case !p.Mnt.Vol.Pseudo:
			st.Size = 4096
			for n := len(i.Children) * 24; n > 4096; n -= 4096 {
				st.Size += 4096
			}
		}
	}
	return st
}
