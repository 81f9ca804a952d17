package replica

// The settings that hints of this package name, see [lab.Setting].
const (
	// SettingSnapshot is the recovery point, see [Want].Snapshot. Its value is the name of one; empty if
	// there are several to choose from.
	SettingSnapshot = "replica.snapshot"
	// SettingParent is the parent of a layer, see [Want].Parents. Its value is the layer's file; empty if
	// the hint names several.
	SettingParent = "replica.parent"
	// SettingSize is the volume's size, see [Want].Size. Its value is the bytes; empty if only the user
	// knows.
	SettingSize = "replica.size"
	// SettingBacking is the backing file, see [Want].Backing. Its value is the file; empty if only the user
	// knows.
	SettingBacking = "replica.backing"

	SettingNoBacking       = "replica.noBacking"       // see [Want].NoBacking
	SettingBorrow          = "replica.borrow"          // see [Want].Borrow
	SettingForceRebuilding = "replica.forceRebuilding" // see [Want].ForceRebuilding
	SettingDropMissing     = "replica.dropMissing"     // see [Want].DropMissing
	SettingEncrypted       = "replica.encrypted"       // see [Want].Encrypted

	SettingDevice  = "replica.device"  // see [Output].Device
	SettingRestart = "replica.restart" // see [Output].Restart
	SettingPack    = "replica.pack"    // the stream that [Pack] writes
)
