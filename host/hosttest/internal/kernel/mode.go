package kernel

// File types and mode bits as in <sys/stat.h>.
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFIFO    = 0o010000

	ModeSticky = 0o1000
	ModeSetGID = 0o2000
	ModeSetUID = 0o4000
)

// Inode attributes as chattr(1) knows them (FS_IOC_GETFLAGS).
const (
	AttrImmutable = 0x10
	AttrAppend    = 0x20
	AttrExtents   = 0x80000
)
