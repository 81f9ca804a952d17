package hosttest

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Counters tell what a machine had to do since it was started.
type Counters struct {
	Connections int64 // TCP connections accepted
	Logins      int64 // of these, authenticated
	Execs       int64 // exec requests
	Turns       int64 // times the server had answered and waited for the client: round trips
	BytesIn     int64 // on the wire
	BytesOut    int64
	// Writes counts every change of the machine: of files outside tmpfs, of /proc and /sys, of units, modules, mounts and
	// disks. An open file that is written to counts once.
	Writes    int64
	TmpWrites int64            // changes of tmpfs (/run, /dev/shm), which a reboot forgets
	Commands  map[string]int64 // programs executed, by name
}

type counters struct {
	writes, tmpWrites atomic.Int64

	mu       sync.Mutex
	commands map[string]int64
}

func (c *counters) command(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.commands == nil {
		c.commands = map[string]int64{}
	}
	c.commands[name]++
}

// Counters returns the counts so far.
func (m *Machine) Counters() Counters {
	s, c := m.ssh.Counters(), &m.counters
	c.mu.Lock()
	defer c.mu.Unlock()
	return Counters{
		Connections: s.Connections.Load(), Logins: s.Logins.Load(), Execs: s.Execs.Load(), Turns: s.Turns.Load(),
		BytesIn: s.In.Load(), BytesOut: s.Out.Load(), Writes: c.writes.Load(), TmpWrites: c.tmpWrites.Load(),
		Commands: maps.Clone(c.commands),
	}
}
