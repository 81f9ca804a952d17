package host

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// owned is a claim with the ID of its resource.
type owned struct {
	Claim
	id string
}

// Validate returns all problems of the state, as [lab.Problems]: those of its resources, duplicate
// IDs, paths that two resources claim, unknown IDs in an order, and cycles. Paths begin with the
// index of the resource, as in "[3].path".
func (s State) Validate() error {
	var ps lab.Problems
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
	}
	ps = append(ps, s.Conflicts()...)
	return append(ps, s.misordered(len(ps) > 0)...).Err()
}

// Conflicts returns what Validate reports of resources that cannot be in one state: duplicate IDs, and
// paths that two resources claim. It is also for resources that a machine gets from several states,
// one applied after the other.
func (s State) Conflicts() (ps lab.Problems) {
	seen := map[string]int{}
	for i, r := range s {
		if r == nil {
			continue
		}
		if first, ok := seen[r.ID()]; ok {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("[%d]", i), Text: r.ID(),
				Message: fmt.Sprintf("the same as [%d]", first), Hint: "remove one of them"})
		}
		seen[r.ID()] = i
	}
	return append(append(ps, s.twofold()...), s.contested()...)
}

// twofold returns the IDs that resources have which are in sets, or in one and beside it, and do not say the
// same.
func (s State) twofold() (ps lab.Problems) {
	type member struct {
		index    int // of the resource that it is, or is a member of
		resource Resource
	}
	seen := map[string]member{}
	for i, r := range s {
		if _, isSet := r.(Set); r == nil || isSet && len(r.Validate()) > 0 {
			continue
		}
		for _, one := range (State{r}).expand().resources {
			id := one.ID()
			first, ok := seen[id]
			both, same := one, true
			if ok {
				both, same = merged(first.resource, one)
			}
			switch {
			case same:
				seen[id] = member{i, both}
			case s[first.index].ID() != r.ID(): // which is reported already
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("[%d]", i), Text: id, Message: twoResources,
					Hint: "remove one of them"})
			}
		}
	}
	return ps
}

// misordered returns the orders that cannot be kept: IDs that no resource has, and cycles. In a state
// with other problems only the IDs count, as far as it is known which there are: the order may follow
// from what is wrong.
func (s State) misordered(wrong bool) (ps lab.Problems) {
	known := State{}
	left, seen := map[string]bool{}, map[string]bool{}
	for _, r := range s {
		_, isSet := r.(Set)
		switch {
		case r == nil, isSet && len(r.Validate()) > 0: // an order may name it, or what is in it
			return nil
		case len(r.Validate()) > 0:
			left[r.ID()] = true
		case !seen[r.ID()]: // the same twice is reported already
			known = append(known, r)
		}
		seen[r.ID()] = true
	}
	x := known.expand().choose(nil)
	x.left = left
	x.bind()
	x.imply()
	if _, ps = x.edges(); len(ps) == 0 && !wrong {
		_, err := known.expand().order(nil)
		errors.As(err, &ps)
	}
	for i := range ps {
		ps[i].Path = s.indexed(ps[i].Path)
	}
	return slices.DeleteFunc(ps, func(p lab.Problem) bool { return wrong && p.Message == twoResources }) // see Conflicts
}

// indexed returns the path with the index of a resource instead of its ID, or of that of a member:
// "[3].after" instead of "file:/etc/hosts.after".
func (s State) indexed(path string) string {
	for i, r := range s {
		ids := []string{r.ID()}
		for _, part := range (State{r}).expand().resources {
			ids = append(ids, part.ID())
		}
		for _, id := range ids {
			if rest, ok := strings.CutPrefix(path, id); ok && (rest == "" || rest == ".after") {
				return fmt.Sprintf("[%d]%s", i, rest)
			}
		}
	}
	return path
}

// contested returns the paths that two resources would change back and forth at every run.
func (s State) contested() (ps lab.Problems) {
	claims := make([][]owned, len(s))
	for i, r := range s {
		if _, isSet := r.(Set); r == nil || isSet && len(r.Validate()) > 0 {
			continue // an invalid set is reported already, and may not be able to return its members
		}
		for _, part := range (State{r}).expand().resources {
			for _, claim := range relations(part).Claims {
				claims[i] = append(claims[i], owned{claim, part.ID()})
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
				add(i, c.Path, "is managed by "+id+" too", "remove one of them")
			}
		}
	}
	for i := range claims {
		for _, c := range claims[i] {
			if id, ok := whole[c.Path]; ok && c.Part {
				add(i, c.Path, "is managed as a whole by "+id, "either edit the file or write all of it")
			}
		}
	}
	return ps
}
