package strictyaml

import (
	"errors"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Merge returns the problems of all errors as one error, sorted by position: those that Parse,
// Decode and the caller's own validation found. Problems at a position where an earlier error has
// one are left out, because they follow from it. The first error that is not a [lab.Problems] is
// returned alone. Nil errors are ignored.
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
