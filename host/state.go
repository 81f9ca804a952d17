package host

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Resource is one thing that a machine should have, or should not have. The kinds of this package are plain structs; a package of your own
// adds a kind by implementing the four methods, and can be told from ours by nobody.
type Resource interface {
	// ID is the resource's address on the machine, unique in a [State]: the kind, a colon and a name, "file:/etc/hosts".
	ID() string

	// Validate returns everything that is wrong with the resource itself. Paths name its fields.
	Validate() lab.Problems

	// Observe asks for what Plan must know. It has no other effect and depends on the resource alone.
	Observe(*Query)

	// Plan returns what must be done so that the machine has the resource, nothing when it has it. It is pure: it depends on the resource
	// and the observation alone. An error means that the resource cannot be had from where the machine is, and stops the machine's plan.
	Plan(*Observation) ([]Op, error)
}

// Set is a resource that is made of others, as a timer is of two files and a unit. Its ID stands for all of them in an [Order].
type Set interface {
	Resource
	Resources() []Resource
}

// Order is embedded in every kind of resource.
type Order struct {
	// After are the IDs of resources that must be right before this one is changed. What follows from the resources themselves needs no
	// word: a file comes after the directories above it and after its owner, an edit after other edits of the file before it, a package
	// after the sources, a unit after its files. Otherwise changes are made in the order of the State.
	After []string `yaml:"after"`
}

func (o Order) after() []string { return o.After }

// Op is one change that a resource needs.
type Op struct {
	Name   string // tells the ops of one resource apart; empty for the first
	Action lab.Action
	Cause  string
	Diff   string // secrets masked, with [lab.Mask]
	Risk   lab.Risk

	// Script makes the change: POSIX sh, run as root with set -e in a shell of its own, its working directory /, its umask 077, its standard
	// input empty. It may call put, see Payload.
	Script string

	// Payload is content that is sent with the script. It is stored in Payload.Temp, mode 0600, before Script runs; nil means none. Script
	// moves it into place by: put TEMP PATH MODE OWNER:GROUP SHA256 ['VALIDATION'], which does so only if it arrived whole, fsyncs it before and
	// the directory after, and removes it when anything fails.
	Payload *Payload

	// Reboot asks for a reboot after all other changes. Ops of several resources that ask for one make one reboot.
	Reboot bool

	// Late means that what must be done is known only when the other changes are made, a file to be edited will come with a package. The
	// resource's Plan is called again then, and Script of this Op is not run.
	Deferred bool

	batch string // ops of the same batch are made by one command; see batchCommands
	item  string // what this op adds to the command
}

// State is what a machine should be: resources, in the order in which they are to be made. The zero State wants nothing.
type State []Resource

// flatten returns the resources that do something, sets replaced by what they are made of, and for each the IDs of the sets it is of.
func (s State) flatten() (flat []Resource, sets map[string][]string, order map[string][]string) {
	sets, order = map[string][]string{}, map[string][]string{}
	index := map[string]int{}
	var add func(r Resource, within []string, after []string)
	add = func(r Resource, within, after []string) {
		if o, ok := r.(interface{ after() []string }); ok {
			after = append(slices.Clone(after), o.after()...)
		}
		set, ok := r.(Set)
		if !ok {
			i, there := index[r.ID()]
			switch {
			case !there || !same(flat[i], r) && !implies(flat[i], r) && !implies(r, flat[i]):
				index[r.ID()] = len(flat)
				flat = append(flat, r)
			case implies(r, flat[i]):
				flat[i] = r
			}
			order[r.ID()] = append(order[r.ID()], after...)
			for _, id := range within {
				sets[id] = append(sets[id], r.ID())
			}
			return
		}
		within = append(slices.Clone(within), r.ID())
		for _, part := range set.Resources() {
			add(part, within, after)
		}
	}
	for _, r := range s {
		add(r, nil, nil)
	}
	return flat, sets, order
}

// same reports whether two resources are one: sets share parts, as two drop-ins of a unit share its folder.
func same(a, b Resource) bool { return reflect.DeepEqual(a, b) }

// implies reports whether b only says that a directory must be there, as sets do of the folders that they write to, and a says more of it.
func implies(a, b Resource) bool {
	x, isDir := a.(Directory)
	y, isToo := b.(Directory)
	return isDir && isToo && !x.Absent && same(y, Directory{Path: x.Path})
}

// Validate returns everything that is wrong with the state, as [lab.Problems]: with its resources, IDs that occur twice, an order that names
// what is not there, and cycles. Paths begin with the resource's index, "[3].path".
func (s State) Validate() error {
	var ps lab.Problems
	seen := map[string]int{}
	for i, r := range s {
		path := fmt.Sprintf("[%d]", i)
		if r == nil {
			ps.Add(path, "is nil")
			continue
		}
		bad := r.Validate()
		ps = append(ps, bad.Under(path)...)
		if set, ok := r.(Set); ok && len(bad) == 0 {
			for _, part := range set.Resources() {
				ps = append(ps, part.Validate().Under(path)...)
			}
		}
		if first, ok := seen[r.ID()]; ok {
			ps = append(ps, lab.Problem{Path: path, Text: r.ID(), Message: fmt.Sprintf("the same as [%d]", first), Hint: "remove one of them"})
		}
		seen[r.ID()] = i
	}
	ps = append(ps, s.contested()...)
	if len(ps) > 0 {
		return ps.Err()
	}
	_, err := s.sort(nil)
	return err
}

// contested reports what two resources would make different things of, at every run: a path that two of them say all of, and a file that one
// writes whole and another edits.
func (s State) contested() (ps lab.Problems) {
	claims := map[string]string{}
	add := func(i int, path, message, hint string) {
		ps = append(ps, lab.Problem{Path: fmt.Sprintf("[%d]", i), Text: path, Message: message, Hint: hint})
	}
	parts := make([][]Resource, len(s))
	for i, r := range s {
		if _, isSet := r.(Set); r != nil && !(isSet && len(r.Validate()) > 0) { // a set that is wrong is reported already, and cannot say its parts
			parts[i], _, _ = State{r}.flatten()
		}
	}
	for i := range s {
		for _, r := range parts[i] {
			p := ""
			switch r := r.(type) {
			case File:
				if !r.IfAbsent {
					p = r.Path
				}
			case Download:
				p = r.Path
			case Link:
				p = r.Path
			case Directory:
				p = r.Path
			case Hostname:
				p = "/etc/hostname"
			}
			switch id := claims[p]; {
			case p == "" || id == r.ID():
			case id == "":
				claims[p] = r.ID()
			default:
				add(i, p, "is what "+id+" is about too", "keep one of them")
			}
		}
	}
	for i := range s {
		for _, r := range parts[i] {
			p := ""
			switch r := r.(type) {
			case Line:
				p = r.Path
			case Block:
				p = r.Path
			case Sysctl:
				p = r.file()
			case Mount, NoSwap:
				p = "/etc/fstab"
			case Hostname:
				p = "/etc/hosts"
			}
			if id := claims[p]; p != "" && id != "" {
				add(i, p, "is written whole by "+id, "write it in one of the two ways")
			}
		}
	}
	return ps
}

// node is a resource in its place.
type node struct {
	Resource
	after []string // IDs of resources, sets resolved
}

// provider is what a kind tells of what others may depend on: paths as "path:/etc/x", accounts as "user:x" and "group:x", and the marks
// "apt" and "units".
type provider interface{ provides() []string }

// needer is what a kind depends on, in the words of provider. A path stands for itself and for every directory above it.
type needer interface{ needs() []string }

// sort returns the resources, sets flattened, in an order that keeps their dependencies and otherwise that of the state. With globs, only those
// resources whose ID, or whose set's ID, matches one of them; what they come after is taken to be right.
func (s State) sort(globs []string) ([]node, error) {
	flat, sets, order := s.flatten()
	left := map[string]bool{}
	if len(globs) > 0 {
		chosen := func(id string) bool {
			return slices.ContainsFunc(globs, func(g string) bool { return lab.MatchID(g, id) })
		}
		var kept []Resource
		for _, r := range flat {
			keep := chosen(r.ID())
			for set, parts := range sets {
				keep = keep || slices.Contains(parts, r.ID()) && chosen(set)
			}
			if keep {
				kept = append(kept, r)
			} else {
				left[r.ID()] = true
			}
		}
		flat = kept
	}
	flat = addImplied(unitsGone(inHomes(flat)))
	var ps lab.Problems
	index := map[string]int{}
	var ids []string
	for i, r := range flat {
		if _, ok := index[r.ID()]; ok {
			ps = append(ps, lab.Problem{Path: r.ID(), Message: "two resources have this ID", Hint: "remove one of them"})
		}
		index[r.ID()] = i
		ids = append(ids, r.ID())
	}
	for id := range sets {
		ids = append(ids, id)
	}
	provided := map[string][]int{}
	needed := make([]map[string]bool, len(flat))
	for i, r := range flat {
		if p, ok := r.(provider); ok {
			for _, token := range p.provides() {
				provided[token] = append(provided[token], i)
			}
		}
		needed[i] = map[string]bool{}
		if n, ok := r.(needer); ok {
			for _, token := range n.needs() {
				needed[i][token] = true
				if file, ok := strings.CutPrefix(token, "path:"); ok {
					for dir := path.Dir(file); dir != "/" && dir != "."; dir = path.Dir(dir) {
						needed[i]["path:"+dir] = true
					}
				}
			}
		}
	}
	mutual := func(i, j int) bool { // does j need what i provides too
		if p, ok := flat[i].(provider); ok {
			for _, token := range p.provides() {
				if needed[j][token] {
					return true
				}
			}
		}
		return false
	}
	edges := make([][]int, len(flat))
	for i, r := range flat {
		for _, id := range order[r.ID()] {
			targets := sets[id]
			if _, ok := index[id]; ok {
				targets = []string{id}
			}
			if len(targets) == 0 && !left[id] {
				p := lab.Problem{Path: r.ID() + ".after", Text: id, Message: "no resource has this ID"}
				if near := lab.Nearest(id, ids); near != "" {
					p.Hint = "nearest: " + near
				}
				ps = append(ps, p)
			}
			for _, t := range targets {
				if j, ok := index[t]; ok {
					if _, last := flat[j].(Reboot); last {
						ps = append(ps, lab.Problem{Path: r.ID() + ".after", Text: id, Message: "the reboot comes after all else", Hint: "apply what is to come after it as a state of its own"})
					}
					edges[i] = append(edges[i], j)
				}
			}
		}
		for token := range needed[i] {
			for _, j := range provided[token] {
				if j != i && !goes(flat[j]) && (j < i || !mutual(i, j)) {
					edges[i] = append(edges[i], j)
				}
			}
		}
		if goes(r) {
			own := "path:" + r.(Directory).Path
			for token, js := range provided {
				if token == own || strings.HasPrefix(token, own+"/") {
					edges[i] = append(edges[i], slices.DeleteFunc(slices.Clone(js), func(j int) bool { return j == i })...)
				}
			}
		}
		slices.Sort(edges[i])
		edges[i] = slices.Compact(edges[i])
	}
	if len(ps) > 0 {
		return nil, ps.Err()
	}
	var sorted []node
	state := make([]int, len(flat))
	var stack []string
	var place func(i int) bool
	place = func(i int) bool {
		stack = append(stack, flat[i].ID())
		defer func() { stack = stack[:len(stack)-1] }()
		switch state[i] {
		case 1:
			from := slices.Index(stack, flat[i].ID())
			ps = append(ps, lab.Problem{Path: flat[i].ID(), Message: "comes after itself: " + strings.Join(stack[from:], ", after ")})
			return false
		case 2:
			return true
		}
		state[i] = 1
		n := node{Resource: flat[i]}
		for _, j := range edges[i] {
			if !place(j) {
				return false
			}
			n.after = append(n.after, flat[j].ID())
		}
		state[i] = 2
		sorted = append(sorted, n)
		return true
	}
	for i := range flat {
		if !place(i) {
			return nil, ps.Err()
		}
	}
	return sorted, nil
}

// goes reports whether the resource is a directory that must not be there: it goes after all that is in it, and nothing waits for it.
func goes(r Resource) bool {
	d, ok := r.(Directory)
	return ok && d.Absent
}

// unitsGone returns the resources with each file of a unit that must not be there knowing whether the unit is put down by the same state: it is stopped
// and disabled first then, since systemctl disables no unit without a file.
func unitsGone(flat []Resource) []Resource {
	down := map[string]bool{}
	for _, r := range flat {
		if u, ok := r.(Unit); ok && (u.State == Stopped || u.Enabled != nil && !*u.Enabled) && len(u.after()) == 0 {
			down[u.Name] = true
			if prefix, rest, ok := strings.Cut(u.Name, "@"); ok {
				down[prefix+"@"+path.Ext(rest)] = true
			}
		}
	}
	out := slices.Clone(flat)
	for i, r := range out {
		if f, ok := r.(File); ok && f.Absent && isUnitPath(f.Path) {
			if u := unitOf(f.Path); down[u] {
				f.unitDown = u
				out[i] = f
			}
		}
	}
	return out
}

// unitOf returns the unit whose file, or whose drop-in, is at the path.
func unitOf(file string) string {
	if u, ok := strings.CutSuffix(path.Base(path.Dir(file)), ".d"); ok && unitPattern.MatchString(u) {
		return u
	}
	return path.Base(file)
}

// addImplied adds what the resources imply: package lists are fetched before packages, and systemd reads its files before units.
func addImplied(flat []Resource) []Resource {
	var out []Resource
	hasApt, hasUnits, gone := false, false, false
	for _, r := range flat {
		if f, ok := r.(File); ok && f.unitDown != "" {
			gone = true
		}
		switch r.(type) {
		case Package:
			if !hasApt {
				hasApt = true
				out = append(out, aptUpdate{flat})
			}
		case Unit:
			if !hasUnits {
				hasUnits = true
				out = append(out, daemonReload{all: flat})
			}
		}
		out = append(out, r)
	}
	if gone {
		out = append(out, daemonReload{all: flat, gone: true})
	}
	return out
}

// Unmatched is the error of each glob that would select nothing of any of the states: a word that is misspelt, and of which a plan says that nothing
// is to be done. It is nil when all select something, and an [lab.ErrNotFound] otherwise.
func Unmatched(globs []string, states ...State) error {
	var ids []string
	for _, s := range states {
		flat, sets, _ := s.flatten()
		for _, r := range flat {
			ids = append(ids, r.ID())
		}
		for id := range sets {
			ids = append(ids, id)
		}
	}
	return lab.Unmatched(globs, ids)
}
