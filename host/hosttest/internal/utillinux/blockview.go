package utillinux

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// A blockView is a device as it was when somebody looked.
type blockView struct {
	*kernel.Partition
	signs   []signature // of a file system or its like, and of a partition table
	table   string
	ptuuid  string
	targets []string // where it is mounted; "[SWAP]" for swap
	major   int
	minor   int
}

// fs is the signature of what the device holds; the zero signature when it holds nothing.
func (v blockView) fs() signature {
	for _, s := range v.signs {
		if s.usage != "" {
			return s
		}
	}
	return signature{}
}

// mount is what lsblk shows as the one mount point.
func (v blockView) mount() string {
	if len(v.targets) == 0 {
		return ""
	}
	return v.targets[0]
}

// look tells what is on every device.
func look(k *kernel.Kernel) []blockView {
	swaps := k.SwapList()
	t := k.Tree
	t.Lock()
	defer t.Unlock()
	var out []blockView
	for i, d := range k.Disks {
		for _, p := range d.All() {
			v := blockView{Partition: p, major: 8, minor: (i-1)*16 + p.Num}
			if i == 0 {
				v.major, v.minor = 179, p.Num
			} else if strings.HasPrefix(d.Name, "nvme") {
				v.major = 259
			}
			v.signs = signatures(p)
			if p == d.Whole {
				v.table, v.ptuuid = d.Table, d.PTUUID
			}
			for _, s := range v.signs {
				if p == d.Whole && v.table == "" && s.usage == "" {
					v.table = s.kind
				}
			}
			for _, mt := range t.Mounts {
				if p.Vol != nil && mt.Vol == p.Vol {
					v.targets = append(v.targets, mt.Target)
				}
			}
			if slices.Contains(swaps, "/dev/"+p.Name) {
				v.targets = append(v.targets, "[SWAP]")
			}
			out = append(out, v)
		}
	}
	return out
}
