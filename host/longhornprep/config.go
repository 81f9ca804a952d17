package longhornprep

import (
	"fmt"
	"regexp"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Config is what Longhorn needs, the same for all machines. The zero Config has iSCSI alone.
type Config struct {
	NFS        bool `yaml:"nfs"`        // volumes that several pods write to, and backups to an NFS server
	Encryption bool `yaml:"encryption"` // volumes that are encrypted with LUKS

	// Multipath is what becomes of multipathd: "blacklist", which makes it leave disks named sd* alone, or
	// "mask", so that it cannot be started. Empty means blacklist.
	Multipath string `yaml:"multipath"`
}

// What becomes of multipathd.
const (
	Blacklist = "blacklist"
	Mask      = "mask"
)

// Machine is what differs between machines with the same [Config].
type Machine struct {
	Name  string   // its host name, unique in the inventory
	Taken []string // the initiator names of the other machines; empty means that none is known
}

// Validate returns everything that is wrong with the Config. Paths name its fields.
func (c Config) Validate() (ps lab.Problems) {
	if !slices.Contains([]string{"", Blacklist, Mask}, c.Multipath) {
		ps = append(ps, lab.Problem{Path: "multipath", Text: c.Multipath, Message: "is unknown", Hint: "blacklist or mask"})
	}
	return ps
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// Validate returns everything that is wrong with the Machine. Paths name its fields.
func (m Machine) Validate() (ps lab.Problems) {
	if !namePattern.MatchString(m.Name) || len(m.Name) > 64 {
		ps = append(ps, lab.Problem{Path: "name", Text: m.Name,
			Message: "cannot be part of an initiator name: letters a-z, digits, - and ."})
	}
	for i, t := range m.Taken {
		if t == m.initiator() {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("taken[%d]", i), Text: t,
				Message: "another machine has the initiator name that belongs to this one", Hint: "apply the state to that machine first"})
		}
	}
	return ps
}

// initiator returns the name that the machine has if it needs a new one. Its beginning is that of Debian's
// iscsi-iname.
func (m Machine) initiator() string { return "iqn.1993-08.org.debian:01:" + m.Name }
