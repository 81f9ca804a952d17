package forge

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// kept returns an error when the server has accepted a change and yet has something else: it leaves out what it does
// not like.
func (c *client) kept(op, path string, f reconcile.Fields, hints map[string]string) error {
	differ := f.Differ()
	if len(differ) == 0 {
		return nil
	}
	hint := ""
	for _, name := range differ {
		if hint == "" {
			hint = hints[name]
		}
	}
	var has []string
	for _, x := range f {
		if slices.Contains(differ, x.Name) {
			has = append(has, x.Name+": "+x.Has)
		}
	}
	return c.fail(op, path, hint, lab.ErrDrift, "the server has accepted it, and has "+strings.Join(has, ", "))
}
