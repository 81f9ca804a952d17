package host

import (
	"fmt"
	"reflect"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Directory is a directory. Missing parent directories are created with mode 0755.
type Directory struct {
	Order `yaml:",inline"`

	Path   string `yaml:"path,required"` // absolute
	Mode   Mode   `yaml:"mode"`          // 0 means 0755
	Owner  string `yaml:"owner"`         // name or number; empty means root
	Group  string `yaml:"group"`         // name or number; empty means root
	Absent bool   `yaml:"absent"`        // the directory must not exist; it is removed if it is empty, and an error otherwise
	Purge  bool   `yaml:"purge"`         // with absent: its contents are removed too, with risk dataloss

	// FollowLink accepts a link to a directory at the path, as when /var/lib/docker is on another disk:
	// that directory then has the mode and the owner. Otherwise a link is an error.
	FollowLink bool `yaml:"followLink"`
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
		ps.Add("purge", "requires absent")
	}
	if d.FollowLink && d.Absent {
		ps.Add("followLink", "excludes absent")
	}
	return ps
}

// Relations implements [Related].
func (d Directory) Relations() Relations {
	return Relations{
		Provides: []string{"path:" + d.Path},
		Needs:    append(accountNeeds(d.Owner, d.Group), "path:"+d.Path),
		Removes:  d.removes(),
		Claims:   []Claim{{Path: d.Path}},
	}
}

// removes returns the path that it removes, if any.
func (d Directory) removes() string {
	if d.Absent {
		return d.Path
	}
	return ""
}

// Merge implements [Merger]: sets only require that a directory exists which they write to, and
// another resource may say more about it.
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

// Observe implements [Resource].
func (d Directory) Observe(q *Query) {
	q.Link(d.Path)
	q.Path(d.behind())
}

// behind returns the path of the directory itself if there is a link to it at the path.
func (d Directory) behind() string { return d.Path + "/." }

// Plan implements [Resource].
func (d Directory) Plan(o *Observation) ([]Op, error) {
	st := o.Stat(d.Path)
	mode, owner, group := d.Mode.or(0o755), orRoot(d.Owner), orRoot(d.Group)
	switch {
	case d.Absent && st.Type == NoFile:
		return nil, nil
	case st.Type == LinkFile && d.FollowLink && o.Stat(d.behind()).Type == DirFile:
		return ownership(d.behind(), o.Stat(d.behind()), mode, owner, group), nil
	case st.Type == LinkFile && d.FollowLink && o.Stat(d.behind()).Type == NoFile && o.CanDefer():
		return []Op{{Action: lab.Update, Deferred: true,
			Cause: "the link points to nothing yet, an earlier change may create it"}}, nil
	case st.Type != NoFile && st.Type != DirFile:
		return nil, d.refuse(o, st.Type)
	case d.Absent && d.Purge:
		return []Op{{Action: lab.Delete, Cause: "exists; its contents are removed too", Risk: lab.RiskDataLoss,
			Script: "rm -rf --one-file-system -- " + ssh.Quote(d.Path)}}, nil
	case d.Absent:
		return []Op{{Action: lab.Delete, Cause: "exists", Script: "rmdir -- " + ssh.Quote(d.Path)}}, nil
	case st.Type == DirFile:
		return ownership(d.Path, st, mode, owner, group), nil
	}
	return []Op{{Action: lab.Create, Cause: "not found", Diff: attributes(st, mode, owner, group),
		Script: shell("directory", "dir", d.Path, "owner", owner+":"+group, "mode", mode.exact())}}, nil
}

// refuse returns the error of something else at the path, with the way out.
func (d Directory) refuse(o *Observation, is FileType) error {
	e := &lab.Error{Op: "create directory", Hint: "move it away",
		Err: fmt.Errorf("%w: the path is a %s", lab.ErrConflict, is)}
	if d.Absent {
		e.Op, e.Hint = "remove directory", "remove it with a file resource"
	}
	if is != LinkFile {
		return e
	}
	target := lab.Printable(o.Link(d.Path))
	e.Err = fmt.Errorf("%w: the path is a link to %s", lab.ErrConflict, target)
	switch {
	case d.Absent:
		e.Hint = "remove the link with a link resource; what it points to stays"
	case o.Stat(d.behind()).Type == DirFile:
		e.Hint = "set followLink: true to accept the link, or use the path that it points to"
	default:
		e.Hint = "it points to no directory: create that first, or remove the link"
	}
	return e
}
