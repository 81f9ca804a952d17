package utillinux

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// mounted is what a mount shows, as it was when somebody looked.
type mounted struct {
	id, parent int
	source     string // with [DIR] for a bind mount of a part
	device     string
	target     string
	fstype     string
	root       string // the directory of the file system that is shown
	opts       []string
	vol        *kernel.Volume
	m          *kernel.MountPoint
}

func mountList(k *kernel.Kernel) []mounted {
	t := k.Tree
	t.Lock()
	defer t.Unlock()
	var out []mounted
	for _, mt := range t.Mounts {
		x := mounted{id: mt.ID, parent: 1, device: mt.Vol.Source, target: mt.Target, fstype: mt.Vol.FSType,
			root: pathOf(mt.Vol, mt.Root), opts: mt.Options(), vol: mt.Vol, m: mt}
		if mt.Over != nil {
			x.parent = mt.Over.ID
		}
		x.source = x.device
		if x.root != "/" {
			x.source += "[" + x.root + "]"
		}
		out = append(out, x)
	}
	return out
}

// pathOf finds the path of a directory within its file system.
func pathOf(v *kernel.Volume, num uint32) string {
	if num == 1 {
		return "/"
	}
	var find func(dir uint32, at string) string
	find = func(dir uint32, at string) string {
		i := v.Get(dir)
		if i == nil {
			return ""
		}
		for name, n := range i.Children {
			if n == num {
				return at + "/" + name
			}
			if k := v.Get(n); k != nil && k.IsDir() {
				if s := find(n, at+"/"+name); s != "" {
					return s
				}
			}
		}
		return ""
	}
	return find(1, "")
}

// topAt finds the mount that one sees at a mount point.
func topAt(list []mounted, target string) *mounted {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].target == target {
			return &list[i]
		}
	}
	return nil
}

// absolute gives the path without links, also of what does not exist.
func absolute(p *kernel.Process, name string) string {
	if r, err := p.Realpath(name); err == nil {
		return r
	}
	if !strings.HasPrefix(name, "/") {
		name = libc.JoinPath(p.Dir, name)
	}
	return path.Clean(name)
}
