package stack

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// giteaAdmin makes an administrator. Its password is made by Gitea and thrown away: one in an
// argument would be seen by everybody on the machine.
type giteaAdmin struct {
	host.Order
	stack, user, email string
}

// ID implements [host.Resource].
func (a giteaAdmin) ID() string { return "gitea:" + a.stack + ":admin:" + a.user }

// Validate implements [host.Resource].
func (a giteaAdmin) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (a giteaAdmin) Observe(q *host.Query) {
	q.Probe(a.ID(), inService(a.stack, "gitea", nil)+`docker exec "$i" gitea admin user list --admin`)
}

// Plan implements [host.Resource].
func (a giteaAdmin) Plan(o *host.Observation) ([]host.Op, error) {
	r := o.Probe(a.ID())
	for line := range strings.Lines(string(r.Output)) {
		// ID Username Email IsActive 2FA; names are one whatever their case (models/user, LowerName)
		if w := strings.Fields(line); len(w) > 2 && strings.EqualFold(w[1], a.user) {
			return nil, nil
		}
	}
	cause := "not found"
	if r.Exit != 0 {
		cause = "the server does not run, and cannot say who is there"
	}
	v := script.Variables{"user": a.user, "email": a.email}
	return []host.Op{{Action: lab.Create, Cause: cause, Script: inService(a.stack, "gitea", v, "giteaadmin.sh")}}, nil
}
