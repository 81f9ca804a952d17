package k3s

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// snapshots is the directory on a server that has its snapshots, 0700. It is beside the data directory, not in it, so
// that an uninstallation does not remove it.
const snapshots = "/var/lib/lab/k3s/snapshots"

// Snapshot is a copy of a cluster's datastore on a server, with the token that opens it, and the keys and certificates
// of the server.
type Snapshot struct {
	Name      string // "20261130T220501Z-v1.34.3-k3s1"
	Time      time.Time
	Version   string // of k3s that made it, and that it can be restored with
	Datastore string // sqlite or etcd
	Bytes     int64  // of the datastore
}

var snapshotPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-zA-Z0-9._-]+$`)

// Snapshots returns the complete snapshots on a server, the oldest first. What a run that was cut off has left is none.
func Snapshots(ctx context.Context, m *host.Machine, c Config) (all []Snapshot, err error) {
	out, err := run(ctx, m, "list snapshots", shell("snapshots", "dir", snapshots))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 4 || !snapshotPattern.MatchString(f[0]) {
			continue
		}
		s := Snapshot{Name: f[0], Version: f[1], Datastore: f[2]}
		s.Bytes, _ = strconv.ParseInt(f[3], 10, 64)
		stamp, _, _ := strings.Cut(s.Name, "-")
		if s.Time, err = time.Parse("20060102T150405Z", stamp); err != nil {
			continue
		}
		all = append(all, s)
	}
	return all, nil
}

// PlanSnapshot plans a snapshot of the cluster, on its first server. With SQLite, and without the program sqlite3 on the
// machine, k3s is stopped for the copy; pods run on meanwhile.
func PlanSnapshot(ctx context.Context, machines []*host.Machine, c Config) (*lab.Plan, error) {
	founder, err := c.first(machines)
	if err != nil {
		return nil, err
	}
	n, err := look(ctx, founder, c)
	if err != nil {
		return nil, err
	}
	if n.datadir == "" {
		return nil, n.refuse(lab.ErrNotFound, "", "it has no cluster")
	}
	return lab.NewPlan(c.snapshot(n, "asked for", ""))
}

// snapshot returns the step that makes a snapshot on a server. upgrade is the release that it is upgraded to then, empty
// for none.
func (c Config) snapshot(n *node, cause, upgrade string, after ...string) lab.Step {
	id := "k3s/snapshot/" + n.name
	risk := lab.RiskNone
	if n.datadir == "sqlite" {
		risk = lab.RiskRestart
	}
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Create, Cause: cause, Risk: risk}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			name := time.Now().UTC().Format("20060102T150405Z") + "-" + strings.ReplaceAll(n.version, "+", "-")
			out, err := run(ctx, n.machine, "make a snapshot", shell("snapshot", "dir", snapshots, "name", name,
				"data", c.dataDir(), "version", n.version, "datastore", n.datadir,
				"upgrade", upgrade))
			if err == nil {
				r.Output(id, "kept in "+strings.TrimSpace(out))
			}
			r.Done(id, err)
			return err
		}}
}

// first returns the machine of the first server.
func (c Config) first(machines []*host.Machine) (*host.Machine, error) {
	if err := c.Validate().Err(); err != nil {
		return nil, err
	}
	for _, m := range machines {
		if m.Name() == c.founder() {
			return m, nil
		}
	}
	return nil, lab.Problems{{Path: "servers[0]", Text: c.founder(), Message: "is none of the machines"}}.Err()
}

// find returns the snapshot of the name.
func find(ctx context.Context, m *host.Machine, c Config, name string) (Snapshot, error) {
	all, err := Snapshots(ctx, m, c)
	if err != nil {
		return Snapshot{}, err
	}
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	hint := "there are none: make one"
	if len(names) > 0 {
		hint = "one of " + strings.Join(names, ", ")
	}
	return Snapshot{}, &lab.Error{Op: "find snapshot", Target: m.Name(), Path: name, Hint: hint, Err: fmt.Errorf("%w", lab.ErrNotFound)}
}
