package host

import (
	"strings"
	"testing"
	"time"
)

// blank returns the observation of an empty machine.
func blank() *Observation {
	o := newObservationParser(&Query{}).o
	o.pending, o.prints = map[string]bool{}, map[string]string{}
	o.now = time.Unix(1_800_000_000, 0)
	o.Facts = Facts{Hostname: "pi1", Arch: "aarch64", Uptime: time.Hour}
	return o
}

// with returns the observation after a change to it.
func (o *Observation) with(change func(*Observation)) *Observation {
	change(o)
	return o
}

// file returns the observation with a file.
func (o *Observation) file(path, content string) *Observation {
	o.contents[path] = []byte(content)
	o.sums[path] = hexSum([]byte(content))
	o.shown[path] = []byte(content)
	o.paths[path] = Stat{Type: RegularFile, Mode: 0o644, User: "root", Group: "root", Size: int64(len(content))}
	return o
}

// causes returns the names and causes of a resource's ops.
func causes(t *testing.T, r Resource, o *Observation) []string {
	t.Helper()
	ops, err := r.Plan(o)
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	var out []string
	for _, op := range ops {
		out = append(out, strings.TrimSpace(op.Name+" "+string(op.Action)+": "+op.Cause))
	}
	return out
}
