package lab

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MatchID reports whether an ID matches a glob, in which * stands for any characters, slashes too,
// and ? for one.
func MatchID(glob, id string) bool {
	if glob == "" {
		return id == ""
	}
	switch glob[0] {
	case '*':
		for i := range len(id) + 1 {
			if MatchID(glob[1:], id[i:]) {
				return true
			}
		}
		return false
	case '?':
		return id != "" && MatchID(glob[1:], id[1:])
	}
	return id != "" && id[0] == glob[0] && MatchID(glob[1:], id[1:])
}

// GlobsAfter returns the globs that match what follows the prefix in the IDs that a glob matches:
// for "host/*/file:*" and the prefix "host/pi1/", among others "file:*". It returns none when the
// glob matches no ID with the prefix.
func GlobsAfter(glob, prefix string) (globs []string) {
	switch {
	case prefix == "":
		return []string{glob}
	case glob == "":
		return nil
	case glob[0] == '*':
		globs = append(GlobsAfter(glob[1:], prefix), GlobsAfter(glob, prefix[1:])...)
		slices.Sort(globs)
		return slices.Compact(globs)
	case glob[0] == '?' || glob[0] == prefix[0]:
		return GlobsAfter(glob[1:], prefix[1:])
	}
	return nil
}

// Unmatched is the error of each glob that matches none of the IDs: a word that is misspelt, and of
// which a plan says that nothing is to be done. It names the nearest glob that does. It is nil when
// all match something, and an [ErrNotFound] otherwise.
func Unmatched(globs, ids []string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var errs []error
	for _, g := range globs {
		if !slices.ContainsFunc(ids, func(id string) bool { return MatchID(g, id) }) {
			errs = append(errs, &Error{Op: "select resources", Path: g, Hint: nearestGlob(g, ids),
				Err: fmt.Errorf("%w: no resource has such an ID", ErrNotFound)})
		}
	}
	return errors.Join(errs...)
}

// nearestGlob is the hint for a glob that matches none of the IDs.
func nearestGlob(glob string, ids []string) string {
	kind, rest, _ := strings.Cut(glob, ":")
	var kinds, steps []string
	for _, id := range ids {
		k, _, named := strings.Cut(id, ":")
		if i := strings.LastIndexByte(k, '/'); i > 0 {
			steps = append(steps, k[:i])
		}
		if named {
			kinds = append(kinds, k)
		}
	}
	near := Nearest(glob, ids)
	if step, ok := strings.CutSuffix(glob, "/*"); ok && near == "" {
		if near = Nearest(step, steps); near != "" {
			return "nearest: " + near + "/*"
		}
	}
	if rest == "" || !slices.Contains(kinds, kind) {
		if k := Nearest(kind, kinds); k != "" {
			near = k + ":" + cmp.Or(rest, "*")
		}
	}
	if near == "" {
		return "an ID is the kind and the name, as plans show it: file:/etc/motd"
	}
	return "nearest: " + near
}
