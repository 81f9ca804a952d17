package host

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// journal lists the temporary files of the run that has the lock: their names are on disk before they are
// made, and the list is removed when they are gone. So what a run leaves behind that was cut off, by a
// power cut or by the kernel, is found by the next one, whatever that is for. A machine with another lock,
// as in tests, has another list.
func (m *Machine) journal() string {
	return "/var/lib/lab/unfinished" + strings.ReplaceAll(m.Target.LockFile, "/", "-")
}

// uploads returns the name of the directory of links to the partial files of uploads, see [ssh.Conn.Upload].
func (l leftovers) uploads() string {
	return "uploads" + strings.TrimPrefix(path.Base(l.journal), "unfinished")
}

// own returns what every plan includes, whatever else it is for.
func (m *Machine) own() State {
	return append(State{leftovers{m.journal()}}, claim(m.Environment)...)
}

// leftovers is the resource that removes the temporary files of runs that were cut off. Every plan
// includes it, before everything else: they may have filled the disk, and contain secrets.
type leftovers struct{ journal string }

func (leftovers) ID() string { return "temporary:files" }

func (leftovers) Validate() lab.Problems { return nil }

func (l leftovers) Observe(q *Query) { q.journal, q.uploads = l.journal, l.uploads() }

func (l leftovers) Plan(o *Observation) ([]Op, error) {
	if len(o.leftovers) == 0 {
		return nil, nil
	}
	var diff strings.Builder
	for _, f := range o.leftovers {
		fmt.Fprintf(&diff, "-%s\n", lab.Printable(f))
	}
	return []Op{{Action: lab.Delete, Cause: "left behind by a run that was cut off", Diff: diff.String(),
		Script: shell("uploads") + shell("leftovers", "journal", l.journal, "uploads", l.uploads())}}, nil
}

// temporaries returns the names of the temporary files of the changes, each once.
func temporaries(changes []change) (names []string) {
	for _, c := range changes {
		of := slices.Clone(c.op.Temps)
		if c.op.Payload != nil {
			of = append(of, c.op.Payload.Temp)
		}
		if c.op.placement != nil {
			of = append(of, validatorTemps(c.op.placement.path)...)
		}
		for _, name := range of {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
