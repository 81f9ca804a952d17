package kernel

import (
	"hash/fnv"
	"slices"
	"sort"
	"strings"
)

func (t *Tree) lookup(dir place, di *Inode, name string) uint32 {
	if n, ok := di.Children[name]; ok {
		if i := dir.Mnt.Vol.Get(n); i != nil && i.node != nil && i.node.when != nil && !i.node.when(t.k) {
			return 0
		}
		return n
	}
	if di.node != nil && di.node.look != nil {
		if i := di.node.look(t.k, name); i != nil {
			// A generated inode lives in the upper layer only while somebody looks at it.
			v := dir.Mnt.Vol
			i.Num = 1<<30 + fnv32(di.Num, name)
			v.Upper[i.Num] = i
			return i.Num
		}
	}
	return 0
}

func fnv32(n uint32, s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	h.Write([]byte(s))
	return h.Sum32() & (1<<30 - 1)
}

func (t *Tree) linkTarget(i *Inode) string {
	if i.node != nil && i.node.read != nil {
		return string(i.node.read(t.k, nil))
	}
	return i.target
}

// names lists a directory in the order of a hash, as ext4 does: nothing may rely on a sorted readdir.
func (t *Tree) names(dir place) []string {
	di := dir.Inode()
	out := make([]string, 0, len(di.Children))
	for k, n := range di.Children {
		if i := dir.Mnt.Vol.Get(n); i != nil && i.node != nil && i.node.when != nil && !i.node.when(t.k) {
			continue
		}
		out = append(out, k)
	}
	if di.node != nil && di.node.list != nil {
		out = append(out, di.node.list(t.k)...)
	}
	if dir.Mnt.Vol.FSType == "ext4" {
		slices.SortFunc(out, func(a, b string) int {
			ha, hb := fnv32(0, a), fnv32(0, b)
			if ha != hb {
				if ha < hb {
					return -1
				}
				return 1
			}
			return strings.Compare(a, b)
		})
	} else {
		sort.Strings(out)
	}
	return out
}
