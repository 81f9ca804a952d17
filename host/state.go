package host

import (
	"fmt"

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
			ps = append(ps, lab.Problem{Path: path, Text: r.ID(), Message: fmt.Sprintf("the same as [%d]", first),
				Hint: "remove one of them"})
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
