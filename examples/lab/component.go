package main

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// component is what one part of the config asks of machines. Its functions are pure, so that what a run
// plans and what validation looks at are built by the same code.
type component struct {
	place string // of that part in the document: "stacks.gitea"

	on         string // the pattern of its machines, written in the document as its key "on"
	one        bool   // the pattern must select one machine
	everywhere bool   // it is on all machines, and has no pattern

	// validate returns what is wrong with that part, whatever the machine is. Paths name its fields.
	validate func() lab.Problems

	// pieces returns what a machine has of it. It is also called when validate finds something.
	pieces func(ctx context.Context, h *inventory.Host, from sources) ([]piece, error)
}

// uniform returns the component of a config that gives all of its machines the same.
func uniform(place, on string, c interface {
	Validate() lab.Problems
	State() host.State
}) component {
	return component{place: place, on: on, validate: c.Validate,
		pieces: func(context.Context, *inventory.Host, sources) ([]piece, error) {
			return piecesAt(place, c.State()), nil
		}}
}

// piece is a resource of a machine, and the place in the document that asks for it.
type piece struct {
	host.Resource
	place  string
	itself bool // the place holds the resource itself, so that its fields are below it
}

// sources are what states are made of beside the config.
type sources struct {
	secrets *lab.Keyring // those that are made once, by their names
	lock    compose.Lock // pins the images

	initiators map[string]string // names of iSCSI initiators by machine, as they are; empty when not known
}

// dummies returns sources to validate with: secrets that are kept nowhere, and a lock that pins all images.
func (l *Lab) dummies() sources {
	from := sources{secrets: &lab.Keyring{Sink: nowhere{}}, lock: compose.Lock{}}
	for _, image := range l.images() {
		from.lock[image] = compose.Pin{Digest: "sha256:" + strings.Repeat("0", 64)}
	}
	return from
}

// nowhere is a [lab.Sink] that has nothing and takes nothing.
type nowhere struct{}

func (nowhere) Prove(context.Context) error { return lab.ErrRefused }

func (nowhere) Get(context.Context, string) (lab.Secret, error) { return lab.Secret{}, lab.ErrNotFound }

func (nowhere) Put(context.Context, string, lab.Secret) error { return lab.ErrRefused }

func (nowhere) String() string { return "nowhere" }

// pieces are what a machine has of several components.
type pieces []piece

// all returns what a machine has of the components that are on it. What two of them ask for at the same
// place, as the engine of their stacks, is there once.
func (l *Lab) all(ctx context.Context, components []component, h *inventory.Host, from sources) (all pieces, err error) {
	var errs []error
	for _, c := range components {
		if !slices.Contains(l.hosts(c), h) {
			continue
		}
		some, err := c.pieces(ctx, h, from)
		if err = at(c.place, err); err != nil &&
			!slices.ContainsFunc(errs, func(o error) bool { return o.Error() == err.Error() }) {
			errs = append(errs, err)
		}
		for _, p := range some {
			if p.Resource != nil && !slices.ContainsFunc(all, p.same) {
				all = append(all, p)
			}
		}
	}
	return all, errors.Join(errs...)
}

// same reports whether the other is the same resource, asked for at the same place.
func (p piece) same(o piece) bool { return o.place == p.place && reflect.DeepEqual(o, p) }

// hosts returns the machines of a component: of those that are reached over SSH, those that its pattern
// selects, none when the pattern is wrong.
func (l *Lab) hosts(c component) []*inventory.Host {
	if c.everywhere {
		return l.Hosts
	}
	if l.inventory == nil {
		return nil
	}
	hosts, err := l.inventory.Select(c.on)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(hosts, func(h *inventory.Host) bool { return h.Local })
}

// state returns the pieces as a state.
func (ps pieces) state() (s host.State) {
	for _, p := range ps {
		s = append(s, p.Resource)
	}
	return s
}

// sameAs begins what [host.State.Validate] says of a resource that is there twice.
const sameAs = "the same as "

var (
	resourceIndex = regexp.MustCompile(`^\[([0-9]+)\](.*)$`)
	sameIndex     = regexp.MustCompile(`^` + sameAs + `\[([0-9]+)\]$`)
)

// placed returns problems of the state, whose paths begin with the index of a resource, with places in the
// document instead.
func (ps pieces) placed(problems lab.Problems) (out lab.Problems) {
	for _, p := range problems {
		if n, rest, ok := indexOf(resourceIndex, p.Path); ok && n < len(ps) {
			if p.Path = ps[n].place; ps[n].itself {
				p.Path += rest
			}
		}
		if n, _, ok := indexOf(sameIndex, p.Message); ok && n < len(ps) {
			p.Message = sameAs + ps[n].place
		}
		out = append(out, p)
	}
	return out
}

// indexOf returns the index that a text has, and what follows it.
func indexOf(pattern *regexp.Regexp, text string) (n int, rest string, ok bool) {
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		return 0, "", false
	}
	if len(m) > 2 {
		rest = m[2]
	}
	n, err := strconv.Atoi(m[1])
	return n, rest, err == nil
}

// at returns problems at their place in the document, and any other error as it is.
func at(place string, err error) error {
	var ps lab.Problems
	if !errors.As(err, &ps) {
		return err
	}
	out := ps.Under(place)
	for i := range out {
		out[i].File, out[i].Line, out[i].Column = "", 0, 0 // of a document that the component made
	}
	return out
}
