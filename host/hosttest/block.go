package hosttest

// blockTools look at and change disks, file systems and mounts.
func blockTools() map[string]tool {
	return mountTools()
}
