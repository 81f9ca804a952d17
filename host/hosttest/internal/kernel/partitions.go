package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (k *Kernel) procPartitions() string {
	var b strings.Builder
	b.WriteString("major minor  #blocks  name\n\n")
	for i, d := range k.Disks {
		for _, p := range d.All() {
			fmt.Fprintf(&b, "%4d %8d %10d %s\n", 8, i*16+p.Num, p.Size>>10, p.Name)
		}
	}
	return b.String()
}

// blockSysfs is /sys/block: the sizes in sectors, and holders.
func blockSysfs() *node {
	file := func(s string) *Inode {
		return &Inode{Mode: ModeRegular | 0o444, Nlink: 1, node: text(func(*Kernel) string { return s })}
	}
	var dir func(d *Disk, p *Partition) *Inode
	dir = func(d *Disk, p *Partition) *Inode {
		files := map[string]string{"size": fmt.Sprintln(p.Size / 512), "ro": "0\n"}
		if p == d.Whole {
			files["removable"] = "0\n"
		} else {
			files["partition"] = fmt.Sprintln(p.Num)
			files["start"] = fmt.Sprintln(p.Start / 512)
		}
		return &Inode{Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, node: &node{
			list: func(*Kernel) []string {
				out := append(slices.Sorted(maps.Keys(files)), "holders")
				if p == d.Whole {
					for _, q := range d.Parts {
						out = append(out, q.Name)
					}
				}
				return out
			},
			look: func(k *Kernel, name string) *Inode {
				if s, ok := files[name]; ok {
					return file(s)
				}
				if name == "holders" {
					return &Inode{Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}}
				}
				if p == d.Whole {
					for _, q := range d.Parts {
						if q.Name == name {
							return dir(d, q)
						}
					}
				}
				return nil
			},
		}}
	}
	return &node{
		list: func(k *Kernel) []string {
			var out []string
			for _, d := range k.Disks {
				out = append(out, d.Name)
			}
			return out
		},
		look: func(k *Kernel, name string) *Inode {
			for _, d := range k.Disks {
				if d.Name == name {
					return dir(d, d.Whole)
				}
			}
			return nil
		},
	}
}
