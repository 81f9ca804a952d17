package stack

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// postgresGuard refuses to start a server on data that is not its own: of another major version, in
// the place of another, or none where some was.
type postgresGuard struct {
	name, data string
	major      int
}

// ID implements [host.Resource].
func (g postgresGuard) ID() string { return "guard:" + g.name + ":data" }

// Validate implements [host.Resource].
func (g postgresGuard) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (g postgresGuard) Observe(q *host.Query) {
	ranBefore{g.name}.observe(q)
	q.Probe(g.ID(), script.Join(scripts, script.Variables{"data": g.data}, "clusters.sh"))
}

// clusterFacts is what is known of a directory for a cluster.
type clusterFacts struct {
	versions map[string]string // what PG_VERSION files hold, by their path in the directory
	empty    bool
	ran      bool // the stack was healthy before
}

// Plan implements [host.Resource].
func (g postgresGuard) Plan(o *host.Observation) ([]host.Op, error) {
	f := clusterFacts{versions: map[string]string{}, empty: true}
	for line := range strings.Lines(string(o.Probe(g.ID()).Output)) {
		w := strings.Fields(line)
		switch {
		case len(w) == 3 && w[0] == "version":
			f.versions[w[2]] = w[1]
		case len(w) > 0 && w[0] == "holds":
			f.empty = false
		}
	}
	var err error
	if f.ran, err = (ranBefore{g.name}).healthy(o); err != nil {
		return nil, err
	}
	if err := g.judge(f); err != nil {
		return nil, err
	}
	e, err := compose.ReadEngine(o)
	if err != nil {
		return nil, err
	}
	return nil, g.alone(e.Containers)
}

// alone refuses to start a second server on the directory: each would be process 1 of its container
// and take the other's lock file for its own.
func (g postgresGuard) alone(containers []compose.Container) error {
	for _, c := range containers {
		if c.Project() == g.name || c.Status == "exited" {
			continue
		}
		for _, m := range c.Mounts {
			isData := strings.HasPrefix(m.Destination, "/var/lib/postgresql")
			if !within(m.Source, g.data) && !(within(g.data, m.Source) && isData) {
				continue
			}
			return &lab.Error{Op: "check data", Path: g.data,
				Hint: fmt.Sprintf("if it is the same stack under its former name: docker compose -p %s down; "+
					"otherwise give this one a directory of its own", c.Project()),
				Err: fmt.Errorf("%w: the container %s of the stack %s has it too, and two servers on one directory "+
					"destroy it", lab.ErrRefused, c.Name, c.Project())}
		}
	}
	return nil
}

// within reports whether a path is in a directory, or is the directory.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// judge decides whether a server of the major version may be started on the directory.
func (g postgresGuard) judge(f clusterFacts) error {
	refuse := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "check data", Path: g.data, Hint: hint,
			Err: fmt.Errorf("%w: "+format, append([]any{lab.ErrRefused}, args...)...)}
	}
	place := "PG_VERSION"
	if g.major >= 18 {
		place = fmt.Sprintf("%d/docker/PG_VERSION", g.major)
	}
	found := slices.Sorted(maps.Keys(f.versions))
	switch {
	case len(found) > 1:
		return refuse("look at each, move the one that is not meant out of "+g.data, "it holds %d clusters: %s",
			len(found), strings.Join(found, ", "))
	case len(found) == 1 && f.versions[found[0]] != strconv.Itoa(g.major):
		old := f.versions[found[0]]
		return refuse(g.upgrade(old), "the data is of PostgreSQL %s, the image of %d", lab.Printable(old), g.major)
	case len(found) == 1 && found[0] != place:
		is, wanted := path.Join(g.data, path.Dir(found[0])), path.Join(g.data, path.Dir(place))
		return refuse(fmt.Sprintf("stop the stack, then: mkdir -p %[2]s && mv %[1]s/* %[2]s", is, wanted),
			"the data is at %s, where the image of PostgreSQL %d does not look for it: it looks at %s",
			is, g.major, wanted)
	case len(found) == 1:
		return nil
	case !f.empty:
		return refuse("look at what is there: ls -la "+g.data, "it holds something, but no cluster")
	case f.ran:
		return refuse(fmt.Sprintf("is its disk mounted? findmnt --target %s. Or, if the data is lost and a backup is to be "+
			"restored: docker compose -p %s down && rm -r %s/.prev, then apply, then restore", g.data, g.name,
			dirOf(g.name)),
			"it is empty, and the stack ran before: a new, empty cluster would be made in the place of the data")
	}
	return nil
}

// upgrade returns the steps from one major version to another.
func (g postgresGuard) upgrade(old string) string {
	return fmt.Sprintf("keep the image of PostgreSQL %[1]s, and: "+
		"docker exec -u postgres %[2]s-postgres-1 pg_dumpall >/mnt/backups/%[2]s-%[1]s.sql; "+
		"docker compose -p %[2]s down; mv %[3]s %[3]s.%[1]s; rm -r %[5]s/.prev; "+
		"set the image of PostgreSQL %[4]d and apply; "+
		"docker exec -i -u postgres %[2]s-postgres-1 psql -d postgres </mnt/backups/%[2]s-%[1]s.sql; "+
		"compare, and remove %[3]s.%[1]s",
		old, g.name, g.data, g.major, dirOf(g.name))
}
