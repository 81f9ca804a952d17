package host

import (
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// resolveAll returns the values of all references of a field, in addition to those that a program
// set.
func resolveAll(
	field string, refs map[string]lab.SecretRef, have map[string]lab.Secret,
	read func(string, lab.SecretRef) lab.Secret,
) map[string]lab.Secret {
	if len(refs) == 0 {
		return have
	}
	values := maps.Clone(have)
	if values == nil {
		values = map[string]lab.Secret{}
	}
	for _, k := range sortedKeys(refs) {
		values[k] = read(field+"."+k, refs[k])
	}
	return values
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
