package forge_test

import (
	"reflect"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
)

// TestResolveLeavesTheSpec resolves every reference that a spec may have, twice and otherwise: what was resolved first, and
// the spec itself, stay as they are.
func TestResolveLeavesTheSpec(t *testing.T) {
	ref, err := lab.ParseSecretRef("env:VALUE")
	if err != nil {
		t.Fatal(err)
	}
	secrets := func() []forge.Secret { return []forge.Secret{{Name: "A", From: ref}} }
	spec := forge.Spec{
		Organizations: []forge.Organization{{Name: "o", Secrets: secrets()}},
		Users:         []forge.User{{Name: "u", From: ref, Secrets: secrets()}},
		JobIdentities: []forge.JobIdentity{{Name: "j", From: ref}},
		Repositories: []forge.Repository{{Name: "r", Secrets: secrets(), Mirror: &forge.PullMirror{From: ref},
			PushMirrors: []forge.PushMirror{{From: ref}}, Webhooks: []forge.Webhook{{From: ref, FromURL: ref}}}},
	}
	resolve := func(value string) forge.Spec {
		resolved, err := spec.Resolve(func(string) (string, bool) { return value, true }, nil)
		if err != nil {
			t.Fatal(err)
		}
		return resolved
	}
	values := func(s forge.Spec) (all []string) { return revealed(reflect.ValueOf(s)) }
	first := resolve("first")
	before := values(first)
	resolve("second")
	if after := values(first); !reflect.DeepEqual(before, after) || len(after) != 9 {
		t.Errorf("what was resolved first is %v, and was %v", after, before)
	}
	if left := values(spec); len(left) > 0 {
		t.Errorf("the spec itself has values: %v", left)
	}
}

// revealed returns all secrets of a value that are not empty.
func revealed(v reflect.Value) (all []string) {
	if s, ok := v.Interface().(lab.Secret); ok {
		if s.IsZero() {
			return nil
		}
		return []string{s.Reveal()}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return revealed(v.Elem())
		}
	case reflect.Slice:
		for n := range v.Len() {
			all = append(all, revealed(v.Index(n))...)
		}
	case reflect.Struct:
		for n := range v.NumField() {
			if v.Type().Field(n).IsExported() {
				all = append(all, revealed(v.Field(n))...)
			}
		}
	}
	return all
}
