package lab

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Globs select changes or resources by their IDs. In a glob, * stands for any characters, slashes
// too, and ? for one. No globs match nothing.
type Globs []string

// Match reports whether the ID matches one of the globs.
func (g Globs) Match(id string) bool {
	return slices.ContainsFunc(g, func(glob string) bool { return matchGlob(glob, id) })
}

func matchGlob(glob, id string) bool {
	if glob == "" {
		return id == ""
	}
	switch glob[0] {
	case '*':
		for i := range len(id) + 1 {
			if matchGlob(glob[1:], id[i:]) {
				return true
			}
		}
		return false
	case '?':
		return id != "" && matchGlob(glob[1:], id[1:])
	}
	return id != "" && id[0] == glob[0] && matchGlob(glob[1:], id[1:])
}

// After returns the globs that match what follows the prefix in the IDs that the globs match: for
// "host/*/file:*" and the prefix "host/pi1/", among others "file:*". It returns none when they
// match no ID with the prefix.
func (g Globs) After(prefix string) (rest Globs) {
	for _, glob := range g {
		rest = append(rest, afterPrefix(glob, prefix)...)
	}
	return rest
}

func afterPrefix(glob, prefix string) (globs Globs) {
	switch {
	case prefix == "":
		return Globs{glob}
	case glob == "":
		return nil
	case glob[0] == '*':
		globs = append(afterPrefix(glob[1:], prefix), afterPrefix(glob, prefix[1:])...)
		slices.Sort(globs)
		return slices.Compact(globs)
	case glob[0] == '?' || glob[0] == prefix[0]:
		return afterPrefix(glob[1:], prefix[1:])
	}
	return nil
}

// Unmatched is the error of each glob that matches none of the IDs: a word that is misspelt, and of
// which a plan says that nothing is to be done. It names the nearest glob that does. It is nil when
// all match something, and an [ErrNotFound] otherwise.
func (g Globs) Unmatched(ids []string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var errs []error
	for _, glob := range g {
		if !slices.ContainsFunc(ids, func(id string) bool { return matchGlob(glob, id) }) {
			errs = append(errs, &Error{Op: "select resources", Path: glob, Hint: nearestGlob(glob, ids),
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
