package standin

import (
	"encoding/json"
	"errors"
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
	Address     string
}

// datastore is what the cluster keeps, in one file.
type datastore struct {
	mu   sync.Mutex
	m    *Machine
	file string
	push func(text []byte) error // to the other members of etcd, before a change counts; nil for SQLite

	Token   string // the password with which the bootstrap data are encrypted
	Nodes   map[string]*record
	Objects map[string]json.RawMessage // of other kinds, by the path of their API
	Log     []string                   // what was done: "attach pi2 v1.34.3+k3s1", "drain pi2"

	Revision int                 // grows with each change
	Members  map[string]memberOf // of etcd, by their names; empty for SQLite
}

// memberOf is a member of etcd. One that has just been added is a learner, and no voter, until its server runs.
type memberOf struct {
	Address string
	Voter   bool
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
	d.Revision++
	text, err := json.MarshalIndent(d, "", " ")
	if err == nil && d.push != nil {
		err = d.push(text)
	}
	return errors.Join(err, d.save())
}

// adopt replaces what the datastore has by what another member has, if that is newer.
func (d *datastore) adopt(text []byte) error {
	next := &datastore{Nodes: map[string]*record{}, Objects: map[string]json.RawMessage{}}
	if err := json.Unmarshal(text, next); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if next.Revision <= d.Revision {
		return nil
	}
	d.Token, d.Nodes, d.Objects, d.Log = next.Token, next.Nodes, next.Objects, next.Log
	d.Revision, d.Members = next.Revision, next.Members
	return d.save()
}

func (d *datastore) save() error {
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	return d.m.WriteFile(d.file, text, 0o600)
}
