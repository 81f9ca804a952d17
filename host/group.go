package host

import (
	"fmt"
	"slices"
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

	others []Group // of the same state
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

// Bind implements [Binder]: two groups cannot have the same GID, unless one of them is removed.
func (g Group) Bind(w *Whole) Resource {
	for _, r := range w.resources {
		if other, ok := r.(Group); ok && other.Name != g.Name {
			g.others = append(g.others, other)
		}
	}
	return g
}

// Relations implements [Related].
func (g Group) Relations() Relations { return Relations{Provides: g.provides(), Needs: g.needs()} }

// provides returns the tokens that it provides.
func (g Group) provides() []string {
	if g.Absent {
		return []string{groupsGone}
	}
	return []string{"group:" + g.Name}
}

// needs returns the tokens that it needs.
func (g Group) needs() []string {
	if g.Absent {
		return []string{usersGone} // it cannot be removed while it is the primary group of a user
	}
	if g.GID != 0 {
		return []string{groupsGone} // which may have the GID
	}
	return nil
}

// Observe implements [Resource].
func (g Group) Observe(q *Query) {
	q.Group(g.Name)
	if g.GID != 0 {
		q.Group(fmt.Sprint(g.GID))
	}
}

// Plan implements [Resource].
func (g Group) Plan(o *Observation) ([]Op, error) {
	have, ok := o.Group(g.Name)
	switch {
	case g.Absent && !ok:
		return nil, nil
	case g.Absent:
		// userdel removes the group of the account's name with it (USERGROUPS_ENAB in login.defs(5))
		return []Op{{Action: lab.Delete, Cause: "exists",
			Script: shell("account-locks") + fmt.Sprintf("if getent group -- %[1]s >/dev/null; then groupdel -- %[1]s; fi", ssh.Quote(g.Name))}}, nil
	case !ok:
		if err := g.clash(o); err != nil {
			return nil, err
		}
		words := []string{"groupadd"}
		if g.System {
			words = append(words, "-r")
		}
		if g.GID != 0 {
			words = append(words, "-g", fmt.Sprint(g.GID))
		}
		words = append(words, "--", ssh.Quote(g.Name))
		return []Op{{Action: lab.Create, Cause: "not found", Script: shell("account-locks") + strings.Join(words, " ")}}, nil
	case g.GID != 0 && g.GID != have.GID:
		return nil, &lab.Error{Op: "create group", Hint: "change the GID by hand, with that of its files",
			Err: fmt.Errorf("%w: its GID is %d, not %d", lab.ErrConflict, have.GID, g.GID)}
	case have.shadowed && !have.hasShadow: // a power cut within groupadd, which writes /etc/group first
		return []Op{{Action: lab.Update, Cause: "it has no entry in /etc/gshadow",
			Script: shell("account-locks") + "gpasswd -R -- " + ssh.Quote(g.Name)}}, nil
	}
	return nil, nil
}

// clash returns why the group cannot have its GID; nil if it can.
func (g Group) clash(o *Observation) error {
	conflict := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "create group", Hint: hint,
			Err: fmt.Errorf("%w: %s", lab.ErrConflict, fmt.Sprintf(format, args...))}
	}
	if g.GID == 0 {
		return nil
	}
	leaves := func(name string) bool {
		return o.Pending("group:"+name) && slices.ContainsFunc(g.others, func(other Group) bool {
			return other.Name == name && other.Absent
		})
	}
	for _, other := range g.others {
		if other.GID == g.GID && !other.Absent {
			return conflict("give one of them another GID", "the state gives the GID %d to %s too", g.GID, other.Name)
		}
	}
	if name, ok := o.groupWith(g.GID); ok && !leaves(name) {
		return conflict("choose another GID, or remove that group",
			"the GID %d belongs to the group %s", g.GID, lab.Printable(name))
	}
	return nil
}
