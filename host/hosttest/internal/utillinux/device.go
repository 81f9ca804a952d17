package utillinux

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// device finds the block device that a path names.
func device(p *kernel.Process, name string) *kernel.Partition {
	rest, ok := strings.CutPrefix(absolute(p, name), "/dev/")
	if !ok {
		return nil
	}
	return p.Kernel.BlockDevice(rest)
}

// inUse tells what keeps a device, or a partition of it, from being changed.
func inUse(k *kernel.Kernel, p *kernel.Partition) string {
	for _, v := range look(k) {
		if (v.Partition == p || p == p.Disk.Whole && v.Disk == p.Disk) && len(v.targets) > 0 {
			return v.targets[0]
		}
	}
	return ""
}

// changeDisk runs a change of a disk and lets udev see it.
func changeDisk(k *kernel.Kernel, f func()) error {
	if err := k.Mutate(nil); err != nil {
		return err
	}
	return k.Tree.Quietly(func() error {
		f()
		k.Udev()
		return nil
	})
}
