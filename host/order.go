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

// expansion is a state with its sets replaced by what they are made of.
type expansion struct {
	resources []Resource
	members   map[string][]string // ID of a set -> IDs of what it is made of
	after     map[string][]string // ID of a resource -> IDs that it is said to come after, itself or through its sets
	left      map[string]bool     // IDs that were not chosen: what comes after them takes them to be right
}

// node is a resource in its place.
type node struct {
	resource Resource
	after    []string // IDs of resources, sets resolved
}

// expand replaces sets by what they are made of, and merges what is stated more than once.
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

// merge lets the resource at the index stand for another of the same ID as well, and reports whether it can.
func (x *expansion) merge(i int, r Resource) bool {
	if reflect.DeepEqual(x.resources[i], r) {
		return true
	}
	if m, ok := x.resources[i].(Merger); ok {
		if both, ok := m.Merge(r); ok {
			x.resources[i] = both
			return true
		}
	}
	return false
}

// load lets resources read what they need here, and returns the errors of all.
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

// order returns the resources so that each comes after what it depends on, and otherwise in the order of the state. With globs, only those
// whose ID, or whose set's ID, matches one of them; what they come after is taken to be right.
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

// choose returns the expansion with only those resources that a glob selects.
func (x *expansion) choose(globs []string) *expansion {
	chosen := *x
	chosen.resources = slices.Clone(x.resources)
	if len(globs) == 0 {
		return &chosen
	}
	selected := func(id string) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return matchID(g, id) })
	}
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

// bind lets resources look at each other.
func (x *expansion) bind() {
	w := &Whole{slices.Clone(x.resources), x.members}
	for i, r := range x.resources {
		if b, ok := r.(Binder); ok {
			x.resources[i] = b.Bind(w)
		}
	}
}

// imply adds what resources bring with them, before the first that does.
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

// edges returns for each resource the indexes of those that it comes after, in ascending order.
func (x *expansion) edges() ([][]int, lab.Problems) {
	index, ps := x.index()
	t := x.tokens()
	edges := make([][]int, len(x.resources))
	for i, r := range x.resources {
		named, wrong := x.named(r, index)
		ps = append(ps, wrong...)
		edges[i] = append(append(named, t.needed(i)...), t.removed(i, r)...)
		slices.Sort(edges[i])
		edges[i] = slices.Compact(edges[i])
	}
	return edges, ps
}

// index returns the place of each ID.
func (x *expansion) index() (index map[string]int, ps lab.Problems) {
	index = map[string]int{}
	for i, r := range x.resources {
		if _, ok := index[r.ID()]; ok {
			ps = append(ps, lab.Problem{Path: r.ID(), Message: "two resources have this ID", Hint: "remove one of them"})
		}
		index[r.ID()] = i
	}
	return index, ps
}

// named returns the places of what a resource is said to come after.
func (x *expansion) named(r Resource, index map[string]int) (places []int, ps lab.Problems) {
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
			if f, ok := x.resources[j].(Final); ok && f.Final() {
				ps = append(ps, lab.Problem{Path: r.ID() + ".after", Text: id, Message: "the reboot comes after everything else",
					Hint: "apply what is to come after it as a state of its own"})
			}
			places = append(places, j)
		}
	}
	return places, ps
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

// tokens are who provides what, and who needs what.
type tokens struct {
	provides [][]string        // by place
	needs    []map[string]bool // by place; of a path, the directories above it as well
	removes  []bool            // by place: whether it removes what it provides, so that nothing waits for it
	by       map[string][]int  // token -> places of those that provide it
}

const pathToken = "path:"

func (x *expansion) tokens() *tokens {
	t := &tokens{by: map[string][]int{}, provides: make([][]string, len(x.resources)), needs: make([]map[string]bool, len(x.resources)),
		removes: make([]bool, len(x.resources))}
	for i, r := range x.resources {
		if p, ok := r.(Provider); ok {
			t.provides[i] = p.Provides()
		}
		for _, token := range t.provides[i] {
			t.by[token] = append(t.by[token], i)
		}
		if gone, ok := r.(Remover); ok {
			t.removes[i] = gone.Removes() != ""
		}
		n, ok := r.(Needer)
		if !ok {
			continue
		}
		t.needs[i] = map[string]bool{}
		for _, token := range n.Needs() {
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

// needed returns the places of those that provide what the resource at i needs. Of two that need each other, as two edits of one file do,
// the one that the state names first comes first.
func (t *tokens) needed(i int) (places []int) {
	for token := range t.needs[i] {
		for _, j := range t.by[token] {
			if j != i && !t.removes[j] && (j < i || !t.needsAny(j, t.provides[i])) {
				places = append(places, j)
			}
		}
	}
	return places
}

// needsAny reports whether the resource at i needs one of the tokens.
func (t *tokens) needsAny(i int, tokens []string) bool {
	return slices.ContainsFunc(tokens, func(token string) bool { return t.needs[i][token] })
}

// removed returns the places of those that provide what is at, or below, the path that the resource at i removes.
func (t *tokens) removed(i int, r Resource) (places []int) {
	if !t.removes[i] {
		return nil
	}
	own := pathToken + r.(Remover).Removes()
	for token, js := range t.by {
		if token == own || strings.HasPrefix(token, own+"/") {
			places = append(places, slices.DeleteFunc(slices.Clone(js), func(j int) bool { return j == i })...)
		}
	}
	return places
}
