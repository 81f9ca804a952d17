package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

// ReadState reads a state from YAML: a list of resources, each a mapping with its kind as the one
// key.
//
//   - file: {path: /etc/motd, content: "hello\n"}
//   - unit: {name: ssh.service, state: started, enabled: true}
//
// kinds are the kinds that it may hold, by their keys; nil means those of [Kinds].
//
// The file name is used in messages, and relative sources are resolved against its directory. The
// error is a [lab.Problems] that lists all problems with their lines. References to secrets are not
// read, see [State.Resolve].
func ReadState(file string, data []byte, kinds map[string]Resource) (State, error) {
	if kinds == nil {
		kinds = Kinds()
	}
	d, syntax := strictyaml.Parse(file, data)
	if d == nil {
		return nil, syntax
	}
	var s State
	shape := d.Decode(&s, strictyaml.OneOf(kinds))
	for i, r := range s {
		if named, ok := r.(Relative); ok {
			s[i] = named.From(filepath.Dir(file))
		}
	}
	meaning := s.Validate()
	if shape != nil {
		// resources that could not be decoded are nil, and reported already
		var ps lab.Problems
		if errors.As(meaning, &ps) {
			meaning = slices.DeleteFunc(slices.Clone(ps), func(p lab.Problem) bool {
				return strings.HasSuffix(p.Message, "is nil")
			}).Err()
		}
	}
	if err := strictyaml.Merge(syntax, shape, d.Locate(meaning)); err != nil {
		return nil, err
	}
	return s, nil
}

// Resolve returns the state with the values of its references to secrets. env and file are as in
// [lab.SecretRef.Resolve]: os.LookupEnv and os.ReadFile in a program. The error reports all secrets
// that cannot be read.
func (s State) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (State, error) {
	out := make(State, len(s))
	var ps lab.Problems
	for i, r := range s {
		read := func(field string, ref lab.SecretRef) lab.Secret {
			v, err := ref.Resolve(env, file)
			if err != nil {
				ps.AddError(fmt.Sprintf("[%d].%s", i, field), err)
			}
			return v
		}
		out[i] = r
		if refers, ok := r.(Resolver); ok {
			out[i] = refers.Resolve(read)
		}
	}
	return out, ps.Err()
}
