package standin

import (
	"encoding/json"
	"fmt"
	"sync"
)

// record is a node in the datastore.
type record struct {
	Version     string
	Server      bool
	Cordoned    bool
	Annotations map[string]string
	Labels      []string
	Password    string // of the node, by which another machine of its name is told from it
}

// datastore is what the cluster keeps, in one file.
type datastore struct {
	mu   sync.Mutex
	m    *Machine
	file string

	Token   string // the password with which the bootstrap data are encrypted
	Nodes   map[string]*record
	Objects map[string]json.RawMessage // of other kinds, by the path of their API
	Log     []string                   // what was done: "attach pi2 v1.34.3+k3s1", "drain pi2"
}

// openDatastore reads the datastore, or makes one.
func (m *Machine) openDatastore(file, password string) (*datastore, error) {
	d := &datastore{m: m, file: file, Nodes: map[string]*record{}, Objects: map[string]json.RawMessage{}}
	text, err := m.ReadFile(file)
	if err != nil {
		d.Token = password
		return d, d.save()
	}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("fatal: file is not a database: %w", err)
	}
	if d.Token != password {
		return nil, fmt.Errorf("fatal: starting kubernetes: preparing server: bootstrap data already found and encrypted with different token")
	}
	return d, nil
}

// change changes the datastore, and keeps that.
func (d *datastore) change(f func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	return d.save()
}

func (d *datastore) save() error {
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	return d.m.WriteFile(d.file, text, 0o600)
}
