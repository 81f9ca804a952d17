// Package script makes scripts that are sent to a machine of files that are embedded in the
// program. Values never stand in the text of a file: they are in variables that are set before it.
package script

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Variables are the values that a script is given, by the names of its variables.
type Variables map[string]string

// Pairs returns variables from names and values in turn.
func Pairs(namesAndValues ...string) Variables {
	v := Variables{}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		v[namesAndValues[i]] = namesAndValues[i+1]
	}
	return v
}

// Assignments returns lines that set the variables, in alphabetical order, the values quoted.
func (v Variables) Assignments() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&b, "%s=%s\n", name, ssh.Quote(v[name]))
	}
	return b.String()
}

// Join returns the files of the directory sh, one after the other, after the assignments of the
// variables. Lines that are comments are left out: they need not be sent. It panics when there is no
// such file, which a program that embeds them cannot do by a mistake in its input.
func Join(embedded fs.FS, v Variables, files ...string) string {
	var b strings.Builder
	b.WriteString(v.Assignments())
	for _, name := range files {
		text, err := fs.ReadFile(embedded, "sh/"+name)
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
