package host

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// State is what a machine should be: resources, in the order in which they are to be made. The zero State wants nothing.
type State []Resource

// Validate returns everything that is wrong with the state, as [lab.Problems]: with its resources, IDs that occur twice, paths that two
// resources claim, an order that names what is not there, and cycles. Paths begin with the resource's index, "[3].path".
func (s State) Validate() error {
	var ps lab.Problems
	seen := map[string]int{}
	for i, r := range s {
		path := fmt.Sprintf("[%d]", i)
		if r == nil {
			ps.Add(path, "is nil")
			continue
		}
		bad := r.Validate()
		ps = append(ps, bad.Under(path)...)
		if set, ok := r.(Set); ok && len(bad) == 0 {
			for _, part := range set.Resources() {
				ps = append(ps, part.Validate().Under(path)...)
			}
		}
		if first, ok := seen[r.ID()]; ok {
			ps = append(ps, lab.Problem{Path: path, Text: r.ID(), Message: fmt.Sprintf("the same as [%d]", first), Hint: "remove one of them"})
		}
		seen[r.ID()] = i
	}
	ps = append(ps, s.contested()...)
	if len(ps) > 0 {
		return ps.Err()
	}
	_, err := s.expand().order(nil)
	return err
}

// contested reports the paths of which two resources would make something different at every run.
func (s State) contested() (ps lab.Problems) {
	claims := make([][]owned, len(s))
	for i, r := range s {
		if _, isSet := r.(Set); r == nil || isSet && len(r.Validate()) > 0 {
			continue // a set that is wrong is reported already, and cannot say its parts
		}
		for _, part := range (State{r}).expand().resources {
			if c, ok := part.(Claimer); ok {
				for _, claim := range c.Claims() {
					claims[i] = append(claims[i], owned{claim, part.ID()})
				}
			}
		}
	}
	add := func(i int, path, message, hint string) {
		ps = append(ps, lab.Problem{Path: fmt.Sprintf("[%d]", i), Text: path, Message: message, Hint: hint})
	}
	whole := map[string]string{} // path -> ID
	for i := range claims {
		for _, c := range claims[i] {
			switch id, ok := whole[c.Path]; {
			case c.Part || id == c.id:
			case !ok:
				whole[c.Path] = c.id
			default:
				add(i, c.Path, "is what "+id+" is about too", "keep one of them")
			}
		}
	}
	for i := range claims {
		for _, c := range claims[i] {
			if id, ok := whole[c.Path]; ok && c.Part {
				add(i, c.Path, "is written whole by "+id, "write it in one of the two ways")
			}
		}
	}
	return ps
}

// owned is a claim and whose it is.
type owned struct {
	Claim
	id string
}

// Unmatched is the error of each glob that would select nothing of any of the states: a word that is misspelt, and of which a plan says that
// nothing is to be done. It is nil when all select something, and an [lab.ErrNotFound] otherwise.
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
			errs = append(errs, &lab.Error{Op: "select resources", Path: g, Hint: nearestID(g, ids), Err: fmt.Errorf("%w: no resource has such an ID", lab.ErrNotFound)})
		}
	}
	return errors.Join(errs...)
}

// nearestID is the hint for a glob that matches none of the IDs.
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
		return "an ID is the kind and the name, as plans show it: file:/etc/motd"
	}
	return "nearest: " + near
}

// matchID matches an ID with a glob in which * stands for any characters and ? for one.
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
