package host

import (
	"fmt"
	"reflect"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Directory is a directory. Those above it that are not there are made with mode 0755.
type Directory struct {
	Order `yaml:",inline"`

	Path   string `yaml:"path,required"` // absolute
	Mode   Mode   `yaml:"mode"`          // 0 means 0755
	Owner  string `yaml:"owner"`         // name or number; empty means root
	Group  string `yaml:"group"`         // name or number; empty means root
	Absent bool   `yaml:"absent"`        // the directory must not be there; it is removed when it is empty, and otherwise that is an error
	Purge  bool   `yaml:"purge"`         // with absent: what is in it goes too, which is a change with risk dataloss
}

// ID returns "directory:PATH".
func (d Directory) ID() string { return "directory:" + d.Path }

// Validate implements [Resource].
func (d Directory) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", d.Path)
	checkMode(&ps, d.Mode)
	checkOwner(&ps, "owner", d.Owner)
	checkOwner(&ps, "group", d.Group)
	if d.Purge && !d.Absent {
		ps.Add("purge", "goes with absent")
	}
	return ps
}

// Claims implements [Claimer].
func (d Directory) Claims() []Claim { return []Claim{{Path: d.Path}} }

// Removes implements [Remover].
func (d Directory) Removes() string {
	if d.Absent {
		return d.Path
	}
	return ""
}

// Merge implements [Merger]: sets state only that a directory which they write to must be there, and another may say more of it.
func (d Directory) Merge(other Resource) (Resource, bool) {
	o, ok := other.(Directory)
	switch must := (Directory{Path: d.Path}); {
	case !ok:
	case reflect.DeepEqual(o, must) && !d.Absent:
		return d, true
	case reflect.DeepEqual(d, must) && !o.Absent:
		return o, true
	}
	return nil, false
}

// Provides implements [Provider].
func (d Directory) Provides() []string { return []string{"path:" + d.Path} }

// Needs implements [Needer].
func (d Directory) Needs() []string { return append(accountNeeds(d.Owner, d.Group), "path:"+d.Path) }

// Observe implements [Resource].
func (d Directory) Observe(q *Query) { q.Path(d.Path) }

// Plan implements [Resource].
func (d Directory) Plan(o *Observation) ([]Op, error) {
	st := o.Stat(d.Path)
	mode, owner, group := d.Mode.or(0o755), orRoot(d.Owner), orRoot(d.Group)
	switch {
	case d.Absent && st.Type == NoFile:
		return nil, nil
	case st.Type != NoFile && st.Type != DirFile:
		return nil, &lab.Error{Op: "make directory", Hint: "move it away", Err: fmt.Errorf("%w: there is a %s", lab.ErrConflict, st.Type)}
	case d.Absent && d.Purge:
		return []Op{{Action: lab.Delete, Cause: "is there; all that is in it goes too", Risk: lab.RiskDataLoss, Script: "rm -rf --one-file-system -- " + ssh.Quote(d.Path)}}, nil
	case d.Absent:
		return []Op{{Action: lab.Delete, Cause: "is there", Script: "rmdir -- " + ssh.Quote(d.Path)}}, nil
	case st.Type == DirFile:
		return ownership(d.Path, st, mode, owner, group), nil
	}
	return []Op{{Action: lab.Create, Cause: "not found", Script: shell("directory", "dir", d.Path, "owner", owner+":"+group, "mode", mode.exact())}}, nil
}
