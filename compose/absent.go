package compose

import (
	"fmt"
	"path"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Absent is a stack that a machine should not run any more: its containers and networks are
// removed. Its directory stays, and its volumes do unless they are asked for, each as a change that
// may lose data. What lies in directories that the services mounted is not touched.
type Absent struct {
	host.Order

	Name    string
	Dir     string // empty means /opt/stacks/NAME; a stack of another directory is refused
	Volumes bool   // the volumes are removed too
}

// ID returns "stack:NAME".
func (a Absent) ID() string { return "stack:" + a.Name }

// Validate implements [host.Resource].
func (a Absent) Validate() lab.Problems { return validateProject(a.Name) }

// Observe implements [host.Resource].
func (a Absent) Observe(q *host.Query) { AskEngine(q) }

// Plan implements [host.Resource].
func (a Absent) Plan(o *host.Observation) ([]host.Op, error) {
	e, err := ReadEngine(o)
	if err != nil {
		return nil, err
	}
	if e.Missing {
		return nil, nil
	}
	if err := e.usable(); err != nil {
		return nil, err
	}
	dir := a.Dir
	if dir == "" {
		dir = path.Join(stacksDir, a.Name)
	}
	var ops []host.Op
	seen := map[string]bool{}
	c := Stack{Name: a.Name, Dir: dir}.scripts()
	for _, x := range e.Of(a.Name, "") {
		if x.Dir() != dir {
			return nil, &lab.Error{Op: "check project", Hint: "name that directory, if it is the one that is meant",
				Err: fmt.Errorf("%w: the project %s is that of %s, not of %s", lab.ErrRefused, a.Name,
					lab.Printable(x.Dir()), dir)}
		}
		if s := x.Service(); !seen[s] {
			seen[s] = true
			ops = append(ops, host.Op{Name: "service:" + s, Action: lab.Delete, Cause: "is there",
				Risk: lab.RiskDisrupt, Script: c.remove(s)})
		}
	}
	for _, n := range e.Networks {
		if n.Project == a.Name {
			ops = append(ops, host.Op{Name: unused(ops, "network:"+n.Key, "network:"+n.Name), Action: lab.Delete,
				Cause: "is there", Script: head + "docker network rm -- " + ssh.Quote(n.Name)})
		}
	}
	for _, v := range e.Volumes {
		if a.Volumes && v.Labels[labelProject] == a.Name {
			ops = append(ops, host.Op{Name: unused(ops, "volume:"+v.Labels[labelVolume], "volume:"+v.Name),
				Action: lab.Delete, Cause: "is there; all that is in it is lost with it", Risk: lab.RiskDataLoss,
				Script: head + "docker volume rm -- " + ssh.Quote(v.Name)})
		}
	}
	return ops, nil
}

// unused returns the first name, or the other when an op has it: a volume whose name was changed in
// the compose.yaml has the key of its successor.
func unused(ops []host.Op, name, other string) string {
	if slices.ContainsFunc(ops, func(op host.Op) bool { return op.Name == name }) {
		return other
	}
	return name
}
