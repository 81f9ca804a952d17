package kernel

import (
	"fmt"
	"strings"
)

func (k *Kernel) procMounts() string {
	var b strings.Builder
	for _, mt := range k.Tree.Mounts {
		fmt.Fprintf(&b, "%s %s %s %s 0 0\n", mountEscape(mt.Vol.Source), mountEscape(mt.Target), mt.Vol.FSType,
			strings.Join(mt.Options(), ","))
	}
	return b.String()
}

func mountEscape(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
}

func (k *Kernel) mountinfo() string {
	var b strings.Builder
	for _, mt := range k.Tree.Mounts {
		parent := 1
		if mt.Over != nil {
			parent = mt.Over.ID
		}
		fmt.Fprintf(&b, "%d %d %d:%d / %s %s - %s %s rw\n", mt.ID, parent, mt.Vol.Dev>>20, mt.Vol.Dev&0xfffff,
			mountEscape(mt.Target), strings.Join(mt.Options(), ","), mt.Vol.FSType, mountEscape(mt.Vol.Source))
	}
	return b.String()
}
