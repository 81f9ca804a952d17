package host

import (
	"path"
	"slices"
	"strings"
)

// confFiles returns the configuration files that are read from the directory, such as "sysctl.d", in the
// order in which they are read: by name.
func (o *Observation) confFiles(dir string) (files []string) {
	for f := range o.settings {
		if path.Base(path.Dir(f)) == dir {
			files = append(files, f)
		}
	}
	return sortedByName(files)
}

// sortedByName sorts files by their names, whatever directory they are in.
func sortedByName(files []string) []string {
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return files
}

// confLines returns the lines of a configuration file that were asked for, as earlier changes of the plan
// leave them; none if they write the whole file.
func (o *Observation) confLines(file string) []string {
	is := o.target(file)
	if x, ok := o.Expected(is); ok {
		return splitKeep(string(x.Content))
	}
	if o.Pending("file:" + is) {
		return nil
	}
	return o.settings[file]
}

// target returns the file that a link leads to, or the file itself.
func (o *Observation) target(file string) string {
	switch to := o.Link(file); {
	case to == "":
		return file
	case path.IsAbs(to):
		return path.Clean(to)
	default:
		return path.Join(path.Dir(file), to)
	}
}
