package strictyaml

import (
	"errors"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Merge returns the problems of all errors as one, in the order of their places: what Parse, Decode and the caller's own checks found. Of a later
// error, problems in a place of which an earlier one spoke are left out: they follow from that. An error that is not a [lab.Problems] is
// returned alone. Nil errors count for nothing.
func Merge(errs ...error) error {
	var all lab.Problems
	seen := map[[2]int]bool{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		var ps lab.Problems
		if !errors.As(err, &ps) {
			return err
		}
		var places [][2]int
		for _, p := range ps {
			at := [2]int{p.Line, p.Column}
			if p.Line > 0 && seen[at] {
				continue
			}
			places = append(places, at)
			all = append(all, p)
		}
		for _, at := range places {
			seen[at] = true
		}
	}
	return all.Err()
}
