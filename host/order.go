package host

import (
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// expansion is a state with its sets replaced by their members.
type expansion struct {
	resources []Resource
	members   map[string][]string // ID of a set -> IDs of its members
	after     map[string][]string // ID of a resource -> IDs that it, or a set of it, names to come after
	left      map[string]bool     // IDs that were not selected, and are assumed to be in place
}

// node is a resource in the order of application.
type node struct {
	resource Resource
	after    []string // IDs of resources, sets resolved
}

// expand replaces sets by their members, and merges resources that occur more than once.
func (s State) expand() *expansion {
	x := &expansion{members: map[string][]string{}, after: map[string][]string{}, left: map[string]bool{}}
	index := map[string]int{}
	var add func(r Resource, within, after []string)
	add = func(r Resource, within, after []string) {
		if o, ok := r.(Ordered); ok {
			after = append(slices.Clone(after), o.ComesAfter()...)
		}
		if set, ok := r.(Set); ok {
			within = append(slices.Clone(within), r.ID())
			for _, part := range set.Resources() {
				add(part, within, after)
			}
			return
		}
		if i, ok := index[r.ID()]; !ok || !x.merge(i, r) {
			index[r.ID()] = len(x.resources)
			x.resources = append(x.resources, r)
		}
		x.after[r.ID()] = append(x.after[r.ID()], after...)
		for _, id := range within {
			x.members[id] = append(x.members[id], r.ID())
		}
	}
	for _, r := range s {
		add(r, nil, nil)
	}
	return x
}

// merge merges r into the resource with the same ID at the index, and reports whether it could.
func (x *expansion) merge(i int, r Resource) bool {
	both, ok := merged(x.resources[i], r)
	if ok {
		x.resources[i] = both
	}
	return ok
}

// merged returns the resource that stands for two with the same ID, see [Merger], or false if they contradict
// each other.
func merged(a, b Resource) (Resource, bool) {
	if reflect.DeepEqual(a, b) {
		return a, true
	}
	if m, ok := a.(Merger); ok {
		return m.Merge(b)
	}
	return nil, false
}

// load reads the local files that resources need, and returns all errors.
func (x *expansion) load() error {
	var errs []error
	for i, r := range x.resources {
		if l, ok := r.(Loader); ok {
			loaded, err := l.Load()
			if err != nil {
				errs = append(errs, err)
				continue
			}
			x.resources[i] = loaded
		}
	}
	return errors.Join(errs...)
}

// order returns the resources sorted so that each comes after its dependencies, and otherwise in
// the order of the state. With globs, it returns only those whose ID, or the ID of whose set,
// matches one of them; their other dependencies are assumed to be in place.
func (x *expansion) order(globs []string) ([]node, error) {
	x = x.choose(globs)
	x.bind()
	x.imply()
	edges, ps := x.edges()
	if len(ps) > 0 {
		return nil, ps.Err()
	}
	order, cycle := dag.Sort(len(x.resources), func(i int) []int { return edges[i] })
	if cycle != nil {
		ids := make([]string, 0, len(cycle))
		for _, i := range cycle {
			ids = append(ids, x.resources[i].ID())
		}
		return nil, lab.Problems{{Path: ids[0], Message: "comes after itself: " + strings.Join(ids, ", after ")}}
	}
	nodes := make([]node, 0, len(order))
	for _, i := range order {
		n := node{resource: x.resources[i]}
		for _, j := range edges[i] {
			n.after = append(n.after, x.resources[j].ID())
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// choose returns the expansion with only the resources that a glob selects.
func (x *expansion) choose(globs []string) *expansion {
	chosen := *x
	chosen.resources = slices.Clone(x.resources)
	if len(globs) == 0 {
		return &chosen
	}
	selected := lab.Globs(globs).Match
	inSet := map[string]bool{}
	for set, parts := range x.members {
		for _, id := range parts {
			inSet[id] = inSet[id] || selected(set)
		}
	}
	chosen.left = map[string]bool{}
	chosen.resources = slices.DeleteFunc(chosen.resources, func(r Resource) bool {
		chosen.left[r.ID()] = !selected(r.ID()) && !inSet[r.ID()]
		return chosen.left[r.ID()]
	})
	return &chosen
}

// bind calls the binders with the whole state.
func (x *expansion) bind() {
	w := &Whole{slices.Clone(x.resources), x.members}
	for i, r := range x.resources {
		if b, ok := r.(Binder); ok {
			x.resources[i] = b.Bind(w)
		}
	}
}

// imply inserts implied resources before the first that implies them.
func (x *expansion) imply() {
	own := x.resources
	x.resources = nil
	index := map[string]int{}
	for _, r := range own {
		if i, ok := r.(Implier); ok {
			for _, implied := range i.Implies() {
				if at, ok := index[implied.ID()]; !ok || !x.merge(at, implied) {
					index[implied.ID()] = len(x.resources)
					x.resources = append(x.resources, implied)
				}
			}
		}
		x.resources = append(x.resources, r)
	}
}

// edges returns the indexes of the resources that each comes after, in ascending order.
func (x *expansion) edges() ([][]int, lab.Problems) {
	index, ps := x.index()
	t := x.tokens()
	edges := make([][]int, len(x.resources))
	for i, r := range x.resources {
		named, wrong := x.named(r, index)
		ps = append(ps, wrong...)
		edges[i] = append(append(named, t.needed(i)...), t.removed(i)...)
		slices.Sort(edges[i])
		edges[i] = slices.Compact(edges[i])
	}
	return edges, ps
}

const twoResources = "two resources have this ID"

// index returns the index of each ID.
func (x *expansion) index() (index map[string]int, ps lab.Problems) {
	index = map[string]int{}
	for i, r := range x.resources {
		if _, ok := index[r.ID()]; ok {
			ps = append(ps, lab.Problem{Path: r.ID(), Message: twoResources, Hint: "remove one of them"})
		}
		index[r.ID()] = i
	}
	return index, ps
}

// named returns the indexes of the resources that r names to come after.
func (x *expansion) named(r Resource, index map[string]int) (indexes []int, ps lab.Problems) {
	for _, id := range x.after[r.ID()] {
		targets := x.members[id]
		if _, ok := index[id]; ok {
			targets = []string{id}
		}
		if len(targets) == 0 && !x.left[id] {
			p := lab.Problem{Path: r.ID() + ".after", Text: id, Message: "no resource has this ID"}
			if near := lab.Nearest(id, x.ids()); near != "" {
				p.Hint = "nearest: " + near
			}
			ps = append(ps, p)
		}
		for _, target := range targets {
			j, ok := index[target]
			if !ok {
				continue
			}
			if relations(x.resources[j]).Last {
				ps = append(ps, lab.Problem{Path: r.ID() + ".after", Text: id, Message: "is always applied last",
					Hint: "apply this resource as a separate state"})
			}
			indexes = append(indexes, j)
		}
	}
	return indexes, ps
}

// ids returns the IDs of all resources and sets.
func (x *expansion) ids() (ids []string) {
	for _, r := range x.resources {
		ids = append(ids, r.ID())
	}
	for id := range x.members {
		ids = append(ids, id)
	}
	return ids
}

// tokens indexes what resources provide, need and remove.
type tokens struct {
	provides [][]string        // by resource
	needs    []map[string]bool // by resource; for a path, its parent directories as well
	removes  []string          // by resource: the path that it removes, so that none waits for it
	by       map[string][]int  // token -> indexes of the resources that provide it
}

const pathToken = "path:"

func (x *expansion) tokens() *tokens {
	n := len(x.resources)
	t := &tokens{
		provides: make([][]string, n),
		needs:    make([]map[string]bool, n),
		removes:  make([]string, n),
		by:       map[string][]int{},
	}
	for i, r := range x.resources {
		relations := relations(r)
		t.provides[i], t.removes[i] = relations.Provides, relations.Removes
		for _, token := range relations.Provides {
			t.by[token] = append(t.by[token], i)
		}
		t.needs[i] = map[string]bool{}
		for _, token := range relations.Needs {
			t.needs[i][token] = true
			if file, ok := strings.CutPrefix(token, pathToken); ok {
				for dir := path.Dir(file); dir != "/" && dir != "."; dir = path.Dir(dir) {
					t.needs[i][pathToken+dir] = true
				}
			}
		}
	}
	return t
}

// needed returns the indexes of the resources that provide what the resource at i needs. Of two
// that need each other, such as two edits of one file, the one that the state lists first comes
// first.
func (t *tokens) needed(i int) (indexes []int) {
	for token := range t.needs[i] {
		for _, j := range t.by[token] {
			if j != i && t.removes[j] == "" && (j < i || !t.needsAny(j, t.provides[i])) {
				indexes = append(indexes, j)
			}
		}
	}
	return indexes
}

// needsAny reports whether the resource at i needs one of the tokens.
func (t *tokens) needsAny(i int, tokens []string) bool {
	return slices.ContainsFunc(tokens, func(token string) bool { return t.needs[i][token] })
}

// removed returns the indexes of the resources that provide anything at or below the path that the
// resource at i removes.
func (t *tokens) removed(i int) (indexes []int) {
	if t.removes[i] == "" {
		return nil
	}
	own := pathToken + t.removes[i]
	for token, js := range t.by {
		if token == own || strings.HasPrefix(token, own+"/") {
			indexes = append(indexes, slices.DeleteFunc(slices.Clone(js), func(j int) bool { return j == i })...)
		}
	}
	return indexes
}
