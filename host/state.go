package host

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// owned is a claim and whose it is.
type owned struct {
	Claim
	id string
}

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
