package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/compose-spec/compose-go/v2/types"
)

// labelFiles leaves nothing of label_file, which the loader has read where there is a directory.
func (l *loading) labelFiles(at string, s types.ServiceConfig) []string {
	if l.source.Dir == "" && len(s.LabelFiles) > 0 {
		l.add(at+".label_file", "write labels", "there is no directory that it could be read from")
	}
	return nil
}

// environment returns the variables of a service: those of its files, and over them its own.
func (l *loading) environment(at string, s types.ServiceConfig) types.MappingWithEquals {
	out := types.MappingWithEquals{}
	given := maps.Clone(l.variables)
	for i, f := range s.EnvFiles {
		place := fmt.Sprintf("%s.env_file[%d]", at, i)
		if l.source.Dir == "" {
			l.add(place, "write environment", "there is no directory that it could be read from")
			continue
		}
		b, err := readSmall(f.Path)
		if errors.Is(err, fs.ErrNotExist) && !bool(f.Required) {
			continue
		}
		if err != nil {
			l.add(place, "create the file; or write required: false, if it may be missing", "%s", l.shown(err))
			continue
		}
		name := f.Path
		if rel, ok := l.local(f.Path); ok {
			name = rel
		}
		values, ps := parseEnv(name, string(b), f.Format, given)
		l.problems = append(l.problems, ps...)
		for k, v := range values {
			given[k], out[k] = v, &v
		}
	}
	out.OverrideBy(s.Environment)
	if len(out) == 0 {
		return nil
	}
	return out
}
