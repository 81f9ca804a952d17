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

// ReadState reads a state from YAML: a list of resources, each a mapping with its kind as the one key.
//
//   - file: {path: /etc/motd, content: "hello\n"}
//   - unit: {name: ssh.service, state: started, enabled: true}
//
// The name of the file is for messages; a relative source is taken from its folder. The error is a [lab.Problems] with everything that is
// wrong, each with its line. References to secrets are not read: see [State.Resolve].
func ReadState(file string, data []byte) (State, error) {
	d, syntax := strictyaml.Parse(file, data)
	if d == nil {
		return nil, syntax
	}
	var s State
	shape := d.Decode(&s, strictyaml.OneOf(Kinds()))
	for i, r := range s {
		if named, ok := r.(Relative); ok {
			s[i] = named.From(filepath.Dir(file))
		}
	}
	meaning := s.Validate()
	if shape != nil {
		// of a resource that could not be read nothing more is said
		var ps lab.Problems
		if errors.As(meaning, &ps) {
			meaning = slices.DeleteFunc(slices.Clone(ps), func(p lab.Problem) bool { return strings.HasSuffix(p.Message, "is nil") }).Err()
		}
	}
	if err := strictyaml.Merge(syntax, shape, d.Locate(meaning)); err != nil {
		return nil, err
	}
	return s, nil
}

// Resolve returns the state with its references to secrets read. The places are as for [lab.SecretRef.Resolve]: os.LookupEnv and os.ReadFile in
// a program. All secrets that cannot be read are reported at once.
func (s State) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (State, error) {
	out := make(State, len(s))
	var ps lab.Problems
	for i, r := range s {
		read := func(field string, ref lab.SecretRef) lab.Secret {
			v, err := ref.Resolve(env, file)
			if err != nil {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("[%d].%s", i, field), Message: err.Error(), Hint: strings.Join(lab.Hints(err), "; ")})
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
