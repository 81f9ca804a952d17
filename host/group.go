package host

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Group is a group of accounts.
type Group struct {
	Order `yaml:",inline"`

	Name   string `yaml:"name,required"`
	GID    int    `yaml:"gid"`    // 0 means any; a different one of an existing group is an error: its files have it
	System bool   `yaml:"system"` // a new group gets a GID from the range for system groups
	Absent bool   `yaml:"absent"`
}

// ID returns "group:NAME".
func (g Group) ID() string { return "group:" + g.Name }

// Validate implements [Resource].
func (g Group) Validate() (ps lab.Problems) {
	checkName(&ps, "name", g.Name)
	if g.GID < 0 || g.GID > 1<<31 {
		ps.Add("gid", "is not between 0 and 2^31")
	}
	if g.Absent && g.Name == "root" {
		ps.Add("absent", "the machine needs the group root")
	}
	return ps
}

// Provides implements [Provider].
func (g Group) Provides() []string {
	if g.Absent {
		return nil
	}
	return []string{"group:" + g.Name}
}

// Needs implements [Needer].
func (g Group) Needs() []string {
	if g.Absent {
		return []string{usersGone} // it cannot be removed while it is the primary group of a user
	}
	return nil
}

// Observe implements [Resource].
func (g Group) Observe(q *Query) { q.Group(g.Name) }

// Plan implements [Resource].
func (g Group) Plan(o *Observation) ([]Op, error) {
	have, ok := o.Group(g.Name)
	switch {
	case g.Absent && !ok:
		return nil, nil
	case g.Absent:
		return []Op{{Action: lab.Delete, Cause: "exists", Script: "groupdel -- " + ssh.Quote(g.Name)}}, nil
	case !ok:
		words := []string{"groupadd"}
		if g.System {
			words = append(words, "-r")
		}
		if g.GID != 0 {
			words = append(words, "-g", fmt.Sprint(g.GID))
		}
		words = append(words, "--", ssh.Quote(g.Name))
		return []Op{{Action: lab.Create, Cause: "not found", Script: strings.Join(words, " ")}}, nil
	case g.GID != 0 && g.GID != have.GID:
		return nil, &lab.Error{Op: "create group", Hint: "change the GID by hand, with that of its files",
			Err: fmt.Errorf("%w: its GID is %d, not %d", lab.ErrConflict, have.GID, g.GID)}
	}
	return nil, nil
}
