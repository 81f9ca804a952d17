package host

import (
	"gitea.arcodange.lab/arcodange-org/lab"
)

// Unmatched returns an [lab.ErrNotFound] for each glob that selects nothing in any of the states,
// such as a misspelt one, whose plan would be empty. It returns nil if all of them select something.
func Unmatched(globs []string, states ...State) error {
	var ids []string
	for _, s := range states {
		x := s.expand()
		for _, r := range x.resources {
			ids = append(ids, r.ID())
		}
		for id := range x.members {
			ids = append(ids, id)
		}
	}
	return lab.Globs(globs).Unmatched(ids)
}
