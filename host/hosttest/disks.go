package hosttest

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// A Disk is a block device besides the SD card.
type Disk struct {
	Name   string // kernel name now; empty means sda, sdb, ... in order
	Serial string // empty means one made from the name
	Model  string // empty means "Samsung SSD 870"
	Size   int64  // bytes; 0 means 500 GB

	// Partitions are there already, in a GPT. None leaves the disk as Filesystem says.
	Partitions []Partition
	// Filesystem is on the whole disk, without a partition table; its Size is not looked at. nil leaves it blank.
	Filesystem *Partition
	// Raw is data at a byte offset: what an old disk may hold without any signature.
	Raw map[int64][]byte
}

// A Partition is a part of a disk, and what is on it.
type Partition struct {
	Size   int64  // bytes; 0 means the rest of the disk
	FSType string // "ext4", "xfs", "vfat", "swap", "LVM2_member"; empty means nothing
	Label  string
	UUID   string // empty makes one
	Mount  string // where the machine mounts it, also at boot (fstab); empty means nowhere
	Files  map[string]string
}

// config is the disk as the kernel is told of it.
func (d Disk) config() kernel.DiskConfig {
	c := kernel.DiskConfig{Name: d.Name, Serial: d.Serial, Model: d.Model, Size: d.Size, Raw: d.Raw}
	if d.Filesystem != nil {
		fs := kernel.PartitionConfig(*d.Filesystem)
		c.Filesystem = &fs
	}
	for _, p := range d.Partitions {
		c.Partitions = append(c.Partitions, kernel.PartitionConfig(p))
	}
	return c
}
