package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
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
		read := parseEnv(name, string(b), f.Format, given)
		l.problems = append(l.problems, read.problems...)
		for _, w := range read.warnings {
			if !slices.Contains(l.warnings, w) { // the file may be the .env
				l.warnings = append(l.warnings, w)
			}
		}
		for k, v := range read.values {
			given[k], out[k] = v, &v
		}
	}
	out.OverrideBy(s.Environment)
	for _, k := range slices.Sorted(maps.Keys(out)) {
		if out[k] != nil {
			continue
		}
		v, ok := l.variables[k] // as Compose passes it through
		if ok {
			out[k] = &v
			continue
		}
		delete(out, k)
		l.warn(at+".environment."+k, "give it a value here, or pass the variable", "is not set, and is left out").Set =
			lab.Setting{Name: SettingVariable, Value: k}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
