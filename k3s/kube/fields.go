package kube

import (
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// asApplied reports whether a server-side apply of want by the manager would certainly change nothing: what
// the manager owns of live is exactly what want sets, and has those values. The server keeps what each
// manager owns in metadata.managedFields, keys of lists included, so that this needs no schema. Where
// it cannot be told, as when a server fills in fields of an item of a list without keys, it reports false:
// a dry run tells then.
func asApplied(want map[string]any, live *unstructured.Unstructured, manager string) bool {
	entry := applied(live.GetManagedFields(), manager)
	if entry == nil || entry.APIVersion != live.GetAPIVersion() || entry.FieldsV1 == nil {
		return false
	}
	set := &fieldpath.Set{}
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return false
	}
	w := make(map[string]any, len(want))
	for k, v := range want {
		if k != "apiVersion" && k != "kind" { // nobody owns what identifies an object
			w[k] = v
		}
	}
	if meta, ok := want["metadata"].(map[string]any); ok {
		m := make(map[string]any, len(meta))
		for k, v := range meta {
			if k != "name" && k != "namespace" {
				m[k] = v
			}
		}
		w["metadata"] = m
	}
	return mapAsApplied(w, live.Object, set)
}

// applied returns what a manager owns by server-side apply; nil if it never applied the object.
func applied(entries []metav1.ManagedFieldsEntry, manager string) *metav1.ManagedFieldsEntry {
	for n, e := range entries {
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" {
			return &entries[n]
		}
	}
	return nil
}

// children returns each element of a set, with what is owned below it; nil if it is owned as a whole.
func children(set *fieldpath.Set) map[string]element {
	all := map[string]element{}
	set.Members.Iterate(func(pe fieldpath.PathElement) { all[pe.String()] = element{pe, nil} })
	set.Children.Iterate(func(pe fieldpath.PathElement) {
		if below, ok := set.Children.Get(pe); ok {
			all[pe.String()] = element{pe, below}
		}
	})
	return all
}

type element struct {
	fieldpath.PathElement
	below *fieldpath.Set
}

// asApplied compares the value that want has for the element with the one that live has.
func (e element) asApplied(want, live any) bool {
	if e.below == nil {
		return equal(want, live)
	}
	switch want := want.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		return ok && mapAsApplied(want, live, e.below)
	case []any:
		live, ok := live.([]any)
		return ok && listAsApplied(want, live, e.below)
	}
	return false
}

func mapAsApplied(want, live map[string]any, set *fieldpath.Set) bool {
	found := 0
	for _, e := range children(set) {
		if e.FieldName == nil {
			return false
		}
		w, wanted := want[*e.FieldName]
		l, has := live[*e.FieldName]
		if !wanted || !has || !e.asApplied(w, l) {
			return false
		}
		found++
	}
	return found == len(want)
}

// listAsApplied compares lists with keys, and sets. Their order counts: a server keeps the order in which
// items are applied.
func listAsApplied(want, live []any, set *fieldpath.Set) bool {
	elements := children(set)
	if len(elements) != len(want) {
		return false
	}
	at := map[int]int{} // position in live, by position in want
	for _, e := range elements {
		w, l := e.find(want, false), e.find(live, true)
		if w < 0 || l < 0 {
			return false
		}
		if _, twice := at[w]; twice || !e.asApplied(want[w], live[l]) {
			return false
		}
		at[w] = l
	}
	for n := 1; n < len(want); n++ {
		if at[n-1] >= at[n] {
			return false
		}
	}
	return true
}

// find returns the position of the only item that the element means, -1 if there is none or more. A key that
// an item leaves out, such as a port's protocol, has a default: it is meant only if no item has all keys. With
// all, items have all keys.
func (e element) find(items []any, all bool) int {
	whole, part := []int{}, []int{}
	for n, item := range items {
		switch {
		case e.Value != nil:
			if equal(item, (*e.Value).Unstructured()) {
				whole = append(whole, n)
			}
		case e.Key != nil:
			fields, _ := item.(map[string]any)
			switch matches, has := matchKey(fields, *e.Key); {
			case matches && has == len(*e.Key):
				whole = append(whole, n)
			case matches && has > 0 && !all:
				part = append(part, n)
			}
		}
	}
	if len(whole) == 0 {
		whole = part
	}
	if len(whole) != 1 {
		return -1
	}
	return whole[0]
}

// matchKey reports whether those fields of a key that an item has are as in the key, and how many it has.
func matchKey(item map[string]any, key value.FieldList) (matches bool, has int) {
	for _, k := range key {
		v, ok := item[k.Name]
		if ok && !equal(v, k.Value.Unstructured()) {
			return false, 0
		}
		if ok {
			has++
		}
	}
	return true, has
}

// equal compares values of JSON.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), v < 1<<53 && v > -(1<<53)
	case float64:
		return v, true
	}
	return 0, false
}
