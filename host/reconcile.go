package host

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// change is an Op in the order of the plan.
type change struct {
	id       string // of the lab.Change
	resource Resource
	op       Op
	after    []int // indexes of changes that must be done first

	// deferred means that the change is planned again once others have been made, because its Op is
	// deferred or it comes after one that is.
	deferred bool
}

// reboots reports whether the change consists of the reboot at the end.
func (c change) reboots() bool { return c.op.Reboot && c.op.Script == "" }

// wanted is the desired state of a machine, sorted and loaded.
type wanted struct {
	nodes   []node
	setsOf  map[string][]string // ID of a resource -> IDs of the sets that it belongs to
	prints  map[string]string   // fingerprints by ID of resources and sets, including those not selected
	secrets []lab.Secret        // of all resources
}

// newWanted prepares a state for comparison: all of it, or what the globs select. It reads the local
// files that resources need.
func newWanted(want State, globs []string) (*wanted, error) {
	x := want.expand()
	if err := x.load(); err != nil {
		return nil, err
	}
	nodes, err := x.order(globs)
	if err != nil {
		return nil, err
	}
	w := &wanted{nodes: nodes, setsOf: map[string][]string{}, prints: map[string]string{}}
	for _, r := range x.resources {
		if s, ok := r.(SecretHolder); ok {
			w.secrets = append(w.secrets, s.Secrets()...)
		}
		if f, ok := r.(Fingerprinter); ok {
			w.prints[r.ID()] = f.Fingerprint()
		}
	}
	for set, parts := range x.members {
		var prints strings.Builder
		for _, id := range slices.Sorted(slices.Values(parts)) {
			w.setsOf[id] = append(w.setsOf[id], set)
			prints.WriteString(w.prints[id])
		}
		w.prints[set] = prints.String()
	}
	return w, nil
}

// query returns the questions of all resources.
func (w *wanted) query() *Query {
	q := &Query{}
	for _, n := range w.nodes {
		n.resource.Observe(q)
	}
	return q
}

// diff returns the changes that the resources need and, by ID, the errors of those that could not
// be planned. It is pure. After some of the changes have been made it is called again with final
// set, which means that nothing new is deferred.
func (w *wanted) diff(seen *Observation, final bool) (changes []change, faults map[string]error) {
	o := *seen
	o.outlook = newOutlook(w.prints, final)
	faults = map[string]error{}
	lastOf := map[string]int{} // ID of a resource -> index of its last change
	for _, n := range w.nodes {
		id := n.resource.ID()
		ops, err := n.resource.Plan(&o)
		if err != nil {
			faults[id] = err
			continue
		}
		for _, op := range ops {
			c := change{id: id, resource: n.resource, op: op, deferred: op.Deferred}
			if op.Name != "" {
				c.id += "/" + op.Name
			}
			for _, before := range append(slices.Clone(n.after), id) {
				if d, ok := lastOf[before]; ok {
					c.after = append(c.after, d)
					c.deferred = c.deferred || changes[d].deferred
				}
			}
			c.deferred = c.deferred && !c.reboots()
			lastOf[id] = len(changes)
			changes = append(changes, c)
		}
		if len(ops) > 0 {
			w.expect(&o, n.resource, ops)
		}
	}
	return changes, faults
}

// expect adds the expected effect of the resource's ops to the outlook.
func (w *wanted) expect(o *Observation, r Resource, ops []Op) {
	for _, op := range ops {
		for _, f := range op.Expected.Files {
			o.files[f.Path] = f
		}
		if op.Expected.Hostname != "" {
			o.Facts.Hostname = op.Expected.Hostname
		}
	}
	o.pending[r.ID()] = true
	for _, set := range w.setsOf[r.ID()] {
		o.pending[set] = true
	}
	for _, token := range relations(r).Provides {
		if o.tokens[token] == "" {
			o.tokens[token] = r.ID()
		}
	}
}
