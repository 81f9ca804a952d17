package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// SwapOn and swapOff are swapon(2) and swapoff(2).
func (k *Kernel) SwapOn(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swaps = append(k.swaps, name)
}

func (k *Kernel) SwapOff(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swaps = slices.DeleteFunc(k.swaps, func(s string) bool { return s == name })
}

// SwapList lists what is swapped on, in order.
func (k *Kernel) SwapList() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.swaps)
}

func (k *Kernel) swapTotal() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	var n int64
	for _, s := range k.swaps {
		n += k.SwapSize(s)
	}
	return n
}

func (k *Kernel) SwapSize(dev string) int64 {
	if p := k.BlockDevice(strings.TrimPrefix(dev, "/dev/")); p != nil {
		return p.Size - 4096
	}
	return 512<<20 - 4096
}

func (k *Kernel) procSwaps() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	b.WriteString("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
	for i, s := range k.swaps {
		kind := "partition"
		if k.BlockDevice(strings.TrimPrefix(s, "/dev/")) == nil {
			kind = "file\t"
		}
		fmt.Fprintf(&b, "%-40s%s\t%d\t\t0\t\t%d\n", s, kind, k.SwapSize(s)>>10, -2-i)
	}
	return b.String()
}
