// NOTE for whoever edits this file: aptTools is being written in apt.go, and systemTools, blockTools, archiveTools, netTools in system.go, block.go, archive.go, net.go, by others
// at this moment (08:26). Leave these to them; do textTools and accountTools first. Remove this note with the file.
package hosttest

func aptTools() map[string]tool { return nil }

type aptFaults struct{}
type Package struct{ Name string }

func (pk Package) stanza(string, string) *stanza     { return nil }
func (m *Machine) packageOf([]byte) (Package, bool)  { return Package{}, false }
func (m *Machine) unmet(Package) []string            { return nil }
func (p *Process) unpack(Package, bool) error        { return nil }
func (p *Process) removePackage(*stanza, bool) error { return nil }
func (p *Process) lockDpkg() (func(), string)        { return func() {}, "" }
