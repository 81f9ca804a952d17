package hosttest

import "strings"

// loadModule loads a module and what it depends on, as far as this machine has any.
func (m *Kernel) loadModule(name string) bool {
	name = strings.ReplaceAll(name, "-", "_")
	for _, k := range knownModules {
		if strings.ReplaceAll(k, "-", "_") == name {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.modules[name] = true
			for _, d := range map[string][]string{"iscsi_tcp": {"libiscsi"}, "br_netfilter": {"bridge"}, "nfsv4": {"nfs"}}[name] {
				m.modules[d] = true
			}
			return true
		}
	}
	return false
}

func (m *Kernel) removeModule(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.modules, name)
}
