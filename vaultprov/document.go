package vaultprov

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// resolver resolves the references of a document, and notes what cannot be.
type resolver struct {
	env  func(string) (string, bool)
	file func(string) ([]byte, error)
	ps   lab.Problems
}

// secret returns what a field holds: what the reference leads to, if there is one.
func (r *resolver) secret(field string, have lab.Secret, ref lab.SecretRef) lab.Secret {
	if ref.IsZero() {
		return have
	}
	v, err := ref.Resolve(r.env, r.file)
	if err != nil {
		r.ps = append(r.ps, lab.Problem{Path: field, Message: err.Error(), Hint: strings.Join(lab.Hints(err), "; ")})
	}
	return v
}

// secrets returns the values of a map with those of its references.
func (r *resolver) secrets(field string, have map[string]lab.Secret, refs map[string]lab.SecretRef) map[string]lab.Secret {
	if len(refs) == 0 {
		return have
	}
	out := maps.Clone(have)
	if out == nil {
		out = map[string]lab.Secret{}
	}
	for _, key := range slices.Sorted(maps.Keys(refs)) {
		out[key] = r.secret(field+"."+key, out[key], refs[key])
	}
	return out
}

// reviewer returns a config with its token.
func (r *resolver) reviewer(field string, c *KubernetesConfig) *KubernetesConfig {
	if c == nil {
		return nil
	}
	out := *c
	out.Reviewer = r.secret(field+".reviewer", c.Reviewer, c.ReviewerRef)
	return &out
}

// Resolve returns the spec with the secrets that its references lead to, by functions such as [os.LookupEnv] and
// [os.ReadFile]; see [lab.SecretRef.Resolve]. The error is of all that could not be read, as [lab.Problems].
func (s Spec) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (Spec, error) {
	r := &resolver{env: env, file: file}
	s.FingerprintKey = r.secret("fingerprintKey", s.FingerprintKey, s.FingerprintKeyRef)
	s.Auths, s.Connections, s.Entries = slices.Clone(s.Auths), slices.Clone(s.Connections), slices.Clone(s.Entries)
	for n := range s.Auths {
		s.Auths[n].Kubernetes = r.reviewer(fmt.Sprintf("auths[%d].kubernetes", n), s.Auths[n].Kubernetes)
	}
	for n, c := range s.Connections {
		s.Connections[n].Password = r.secret(fmt.Sprintf("connections[%d].password", n), c.Password, c.PasswordRef)
	}
	for n, e := range s.Entries {
		s.Entries[n].Data = r.secrets(fmt.Sprintf("entries[%d].data", n), e.Data, e.DataRefs)
	}
	return s, r.ps.Err()
}

// Resolve is as [Spec.Resolve].
func (a Apps) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (Apps, error) {
	r := &resolver{env: env, file: file}
	a.Cluster = r.reviewer("cluster", a.Cluster)
	if a.Postgres != nil {
		p := *a.Postgres
		p.EditorPassword = r.secret("postgres.editorPassword", p.EditorPassword, p.EditorPasswordRef)
		a.Postgres = &p
	}
	if a.Longhorn != nil {
		l := *a.Longhorn
		l.Key = r.secrets("longhorn.key", l.Key, l.KeyRefs)
		a.Longhorn = &l
	}
	return a, r.ps.Err()
}
