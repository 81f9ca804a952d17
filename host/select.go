package host

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var errs []error
	for _, g := range globs {
		if !slices.ContainsFunc(ids, func(id string) bool { return matchID(g, id) }) {
			errs = append(errs, &lab.Error{Op: "select resources", Path: g, Hint: nearestID(g, ids),
				Err: fmt.Errorf("%w: no resource has such an ID", lab.ErrNotFound)})
		}
	}
	return errors.Join(errs...)
}

// nearestID returns the hint for a glob that matches none of the IDs.
func nearestID(glob string, ids []string) string {
	kind, rest, _ := strings.Cut(glob, ":")
	var kinds []string
	for _, id := range ids {
		k, _, _ := strings.Cut(id, ":")
		kinds = append(kinds, k)
	}
	near := lab.Nearest(glob, ids)
	if rest == "" || !slices.Contains(kinds, kind) {
		if near = lab.Nearest(kind, kinds); near != "" {
			near += ":" + cmp.Or(rest, "*")
		}
	}
	if near == "" {
		return "an ID is a kind and a name, as in plans: file:/etc/motd"
	}
	return "nearest: " + near
}

// matchID reports whether the ID matches the glob, in which * stands for any characters and ? for
// one.
func matchID(glob, id string) bool {
	if glob == "" {
		return id == ""
	}
	switch glob[0] {
	case '*':
		for i := range len(id) + 1 {
			if matchID(glob[1:], id[i:]) {
				return true
			}
		}
		return false
	case '?':
		return id != "" && matchID(glob[1:], id[1:])
	}
	return id != "" && id[0] == glob[0] && matchID(glob[1:], id[1:])
}
