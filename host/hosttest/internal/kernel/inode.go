package kernel

// An Inode is one file of a volume. Inodes of an image are shared by every machine and never written.
type Inode struct {
	Num      uint32
	Mode     uint32
	UID, GID uint32
	Nlink    uint32
	Attrs    uint32
	rdev     uint32
	ATime    int64
	MTime    int64
	CTime    int64
	BTime    int64
	Data     []byte // of a regular file; not to be written in place unless owned
	Owned    bool
	target   string            // of a symbolic link
	Children map[string]uint32 // of a directory
	node     *node             // of a device or a generated file
	Dirty    int64             // when the oldest unsynced data was written, 0 when all is on the disk
	Opens    int32             // open descriptions, which keep an unlinked inode alive
	Changes  uint32            // incremented at each change of content or name
	sumOf    *[32]byte         // cached SHA-256 of an image's data
	xattrs   map[string]string // extended attributes
}

func (i *Inode) IsDir() bool  { return i.Mode&ModeType == ModeDir }
func (i *Inode) IsReg() bool  { return i.Mode&ModeType == ModeRegular }
func (i *Inode) isLink() bool { return i.Mode&ModeType == ModeSymlink }
