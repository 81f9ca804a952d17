package kernel

// A DiskConfig is a block device besides the SD card.
type DiskConfig struct {
	Name   string // kernel name now; empty means sda, sdb, ... in order
	Serial string // empty means one made from the name
	Model  string // empty means "Samsung SSD 870"
	Size   int64  // bytes; 0 means 500 GB

	// Partitions are there already, in a GPT. None leaves the disk as Filesystem says.
	Partitions []PartitionConfig
	// Filesystem is on the whole disk, without a partition table; its Size is not looked at. nil leaves it blank.
	Filesystem *PartitionConfig
	// Raw is data at a byte offset: what an old disk may hold without any signature.
	Raw map[int64][]byte
}

// A PartitionConfig is a part of a disk, and what is on it.
type PartitionConfig struct {
	Size   int64  // bytes; 0 means the rest of the disk
	FSType string // "ext4", "xfs", "vfat", "swap", "LVM2_member"; empty means nothing
	Label  string
	UUID   string // empty makes one
	Mount  string // where the machine mounts it, also at boot (fstab); empty means nowhere
	Files  map[string]string
}
