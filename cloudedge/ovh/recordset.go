package ovh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// wantedRecord is a record of a wanted zone.
type wantedRecord struct {
	Record
	rrset
	zone string
}

// recordKey is the key of records, "arcodange.fr/CNAME/www", with which the IDs of their changes end.
func recordKey(zone string, s rrset) string {
	return strings.TrimPrefix(RecordID(zone, s.Type, s.Name), step+"/record:")
}

func splitKey(key string) (zone string, s rrset) {
	parts := strings.SplitN(key, "/", 3)
	return parts[0], setOf(parts[1], parts[2])
}

// content returns what is wanted of a record, in one form. ttl is the zone's own.
func (w *wantedRecord) content(ttl int) (content, error) {
	c := content{ttl: w.TTL}
	if c.ttl == 0 {
		c.ttl = ttl
	}
	for _, t := range w.Targets {
		t, err := canonical(w.rrset.Type, t, "")
		if err != nil {
			return c, err
		}
		c.targets = append(c.targets, t)
	}
	slices.Sort(c.targets)
	return c, nil
}

// wantedRecords are the wanted records by their keys.
func (r *run) wantedRecords() map[string]wantedRecord {
	r.readSpec.Do(func() {
		r.want = map[string]wantedRecord{}
		for _, z := range r.spec.Zones {
			for _, rec := range z.Records {
				s := setOf(rec.Type, rec.Name)
				r.want[recordKey(z.Name, s)] = wantedRecord{rec, s, z.Name}
			}
		}
	})
	return r.want
}

// recordSets are the records of the wanted zones. Those of one zone are changed together.
func (r *run) recordSets() reconcile.Kind {
	return reconcile.Collection[wantedRecord, content]{
		Name: "record", Want: r.wantedRecords(),
		List: func(ctx context.Context) (map[string]content, error) {
			zones, err := r.zones(ctx)
			r.states = zones
			has := map[string]content{}
			for name, h := range zones {
				for s, c := range h.sets {
					has[recordKey(name, s)] = c
				}
			}
			return has, err
		},
		Diff: r.diffRecord,
		Owned: func(key string, _ content) bool {
			zone, s := splitKey(key)
			return r.goes(zone, s)
		},
		Loss: lab.RiskDisrupt,
		Group: func(key string) string {
			zone, _ := splitKey(key)
			return zone
		},
		Batch: r.putRecords,
	}
}

func (r *run) diffRecord(key string, w wantedRecord, h *content) reconcile.Delta {
	state := r.states[w.zone]
	if state == nil {
		return reconcile.Delta{Err: r.noZone("plan record", key)}
	}
	want, _ := w.content(state.ttl) // [Spec.Validate] says what is wrong with it
	if h == nil && w.Absent || h != nil && !w.Absent && want.equal(*h) {
		return reconcile.Delta{}
	}
	if h != nil && !r.spec.Adopt && !r.owned(w.zone, w.rrset) {
		return reconcile.Delta{Err: r.foreign("plan record", key, "it exists, differs, and is not known to be ours")}
	}
	if state.urn == "" {
		return reconcile.Delta{Err: r.fail("plan record", key, "plan again later", lab.ErrConflict, "IAM does not know the zone")}
	}
	d := reconcile.Delta{Action: lab.Create, Cause: "not found"}
	switch {
	case w.Absent:
		d = reconcile.Delta{Action: lab.Delete, Cause: "there shall be none", Risk: lab.RiskDisrupt}
	case h != nil && h.ttl != want.ttl && slices.Equal(h.targets, want.targets):
		d = reconcile.Delta{Action: lab.Update, Cause: "ttl differs"}
	case h != nil:
		d = reconcile.Delta{Action: lab.Update, Cause: "targets differ", Risk: lab.RiskDisrupt}
	}
	before, after := "", want.lines()
	if h != nil {
		before = h.lines()
	}
	if !w.Absent {
		for _, other := range besides(state, w.rrset) {
			if !r.goes(w.zone, other) || !r.spec.Adopt && !r.owned(w.zone, other) {
				return reconcile.Delta{Err: r.fail("plan record", key, "say that it shall be absent, or use another name", lab.ErrConflict,
					"it cannot be beside "+other.String()+", which exists")}
			}
			d.Risk, d.Cause = lab.RiskDisrupt, d.Cause+"; it takes the place of "+other.String()
		}
	}
	d.Diff = lab.Diff(key, []byte(before), []byte(after))
	return d
}

// lines are the records, each in a line.
func (c content) lines() string {
	var b strings.Builder
	for _, t := range c.targets {
		fmt.Fprintf(&b, "%d %s\n", c.ttl, lab.Printable(t))
	}
	return b.String()
}
