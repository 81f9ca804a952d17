// Package inventory holds the machines of a lab with their groups and variables, and selects
// machines by Ansible's patterns, made safe: an unknown name and an empty selection are errors.
//
//	inv, err := inventory.New(spec)
//	hosts, err := inv.Select("raspberries:&local:!gitea")
//
// It is pure: it dials nothing and reads no file.
package inventory
