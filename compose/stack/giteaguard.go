package stack

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/version"
)

// giteaGuard refuses an older version than the data was used with: Gitea would not start on it, and
// a version that did could not go back.
type giteaGuard struct{ name, version string }

// ID implements [host.Resource].
func (g giteaGuard) ID() string { return "guard:" + g.name + ":version" }

// Validate implements [host.Resource].
func (g giteaGuard) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (g giteaGuard) Observe(q *host.Query) { ranBefore{g.name}.observe(q) }

// Plan implements [host.Resource].
func (g giteaGuard) Plan(o *host.Observation) ([]host.Op, error) {
	formats, err := ranBefore{g.name}.formats(o)
	if err != nil {
		return nil, err
	}
	return nil, g.judge(formats)
}

// judge decides by the versions that were run, each "gitea 1.25.2".
func (g giteaGuard) judge(formats []string) error {
	for _, f := range formats {
		old, ok := strings.CutPrefix(f, "gitea ")
		if ok && version.Compare(g.version, old) < 0 {
			return &lab.Error{Op: "check version",
				Hint: fmt.Sprintf("keep %s or take a newer one; to go back all the same, restore the backup of "+
					"before the upgrade: database, data and app.ini, then rm -r %s/.prev and its container", old,
					dirOf(g.name)),
				Err: fmt.Errorf("%w: Gitea %s ran here, and %s cannot read its database",
					lab.ErrRefused, old, g.version)}
		}
	}
	return nil
}
