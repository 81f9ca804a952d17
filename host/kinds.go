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

// Kinds returns a zero value of every kind of resource of this package, by its name in documents.
func Kinds() map[string]Resource {
	return map[string]Resource{
		"archive":       Archive{},
		"aptSource":     AptSource{},
		"authorizedKey": AuthorizedKey{},
		"block":         Block{},
		"caCertificate": CACertificate{},
		"command":       Command{},
		"cron":          Cron{},
		"directory":     Directory{},
		"disk":          Disk{},
		"download":      Download{},
		"dropIn":        DropIn{},
		"file":          File{},
		"group":         Group{},
		"hostname":      Hostname{},
		"kernelCmdline": KernelCmdline{},
		"kernelModule":  KernelModule{},
		"line":          Line{},
		"link":          Link{},
		"mount":         Mount{},
		"noSwap":        NoSwap{},
		"package":       Package{},
		"reboot":        Reboot{},
		"sysctl":        Sysctl{},
		"timer":         Timer{},
		"timezone":      Timezone{},
		"unit":          Unit{},
		"unitFile":      UnitFile{},
		"user":          User{},
	}
}

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
		if f, ok := r.(File); ok && f.Source != "" && !filepath.IsAbs(f.Source) {
			f.Source = filepath.Join(filepath.Dir(file), f.Source)
			s[i] = f
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
		readAll := func(field string, refs map[string]lab.SecretRef, have map[string]lab.Secret) map[string]lab.Secret {
			if len(refs) == 0 {
				return have
			}
			values := map[string]lab.Secret{}
			for k, v := range have {
				values[k] = v
			}
			for k, ref := range refs {
				values[k] = read(field+"."+k, ref)
			}
			return values
		}
		switch r := r.(type) {
		case File:
			if !r.SecretRef.IsZero() {
				r.Value = read("secret", r.SecretRef)
			}
			r.Values = readAll("secrets", r.SecretRefs, r.Values)
			out[i] = r
		case User:
			if !r.PasswordHash.IsZero() {
				r.Hash = read("passwordHash", r.PasswordHash)
			}
			out[i] = r
		case Command:
			r.Values = readAll("env", r.Env, r.Values)
			out[i] = r
		default:
			out[i] = r
		}
	}
	return out, ps.Err()
}
