package kernel

import "strings"

// LoadModule loads a module and what it depends on, as far as this machine has any.
func (m *Kernel) LoadModule(name string) bool {
	name = strings.ReplaceAll(name, "-", "_")
	for _, k := range KnownModules {
		if strings.ReplaceAll(k, "-", "_") == name {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.modules[name] = true
			for _, d := range map[string][]string{"iscsi_tcp": {"libiscsi"}, "br_netfilter": {"bridge"},
				"nfsv4": {"nfs"}}[name] {
				m.modules[d] = true
			}
			return true
		}
	}
	return false
}

func (k *Kernel) RemoveModule(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.modules, name)
}
