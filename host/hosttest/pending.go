package hosttest

func textTools() map[string]tool    { return nil }
func accountTools() map[string]tool { return map[string]tool{"getent": {"", cmdGetent}} }
func aptTools() map[string]tool     { return nil }
func systemTools() map[string]tool {
	return map[string]tool{"date": {"", cmdDate}}
}
func blockTools() map[string]tool   { return nil }
func archiveTools() map[string]tool { return nil }
func netTools() map[string]tool     { return nil }

type aptFaults struct{}
type Package struct{ Name string }

func (pk Package) stanza(string, string) *stanza     { return nil }
func (m *Machine) packageOf([]byte) (Package, bool)  { return Package{}, false }
func (m *Machine) unmet(Package) []string            { return nil }
func (p *Process) unpack(Package, bool) error        { return nil }
func (p *Process) removePackage(*stanza, bool) error { return nil }
func (p *Process) lockDpkg() (func(), string)        { return func() {}, "" }
