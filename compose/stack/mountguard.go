package stack

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// mountGuard refuses to go on when a directory that data is in is not on the disk that it should be on.
type mountGuard struct{ stack, target string }

// guards returns a guard for a mount point, when there is one to guard.
func guards(name, mount string) (out []host.Resource) {
	if mount != "" {
		out = append(out, mountGuard{name, mount})
	}
	return out
}

// ID implements [host.Resource].
func (g mountGuard) ID() string { return "guard:" + g.stack + ":mount" }

// Validate implements [host.Resource].
func (g mountGuard) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (g mountGuard) Observe(q *host.Query) { q.MountPoint(g.target) }

// Plan implements [host.Resource].
func (g mountGuard) Plan(o *host.Observation) ([]host.Op, error) {
	if _, ok := o.MountAt(g.target); ok {
		return nil, nil
	}
	return nil, &lab.Error{Op: "check disk", Path: g.target, Hint: "findmnt " + g.target + "; mount " + g.target,
		Err: fmt.Errorf("%w: nothing is mounted there: the data would be written to the disk below it", lab.ErrRefused)}
}
