package compose

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Stack is a compose project that a machine should run: a [host.Set] of its directory, its files
// and what Docker runs of them. It is made by [Load]; the fields may be changed afterwards.
//
// With After, as that of another resource, Docker itself may be among what comes first: the stack
// is then planned for an empty engine.
type Stack struct {
	host.Order

	Name  string // the project's name, which no other directory of the machine may use
	Dir   string // its directory on the machine
	Files []File

	// Format names the format of the stack's data and its version, "postgres 17". When it changes,
	// a stack that does not get healthy is not rolled back, since the former version might not read
	// the data any more. Empty means that any version reads any other's.
	Format string

	// Timeout is how long each service may take to get healthy; 0 means 3 minutes.
	Timeout time.Duration

	// Before come before the stack: guards of its data, whose error stops the machine's plan, and
	// directories that services expect.
	Before []host.Resource

	// Parts come after the services: what is set up in what runs. Their own After should name
	// [Stack.Running], so that they are left alone when a service did not get healthy.
	Parts []host.Resource

	// Warnings are what [Load] took as docker compose takes it and may not have been meant: variables
	// that are not set, and what has no effect here.
	Warnings lab.Problems

	named    map[string]bool // words by which the compose.yaml names what it has
	salt     string          // that a machine gets which has none
	plain    []string        // see [Source.PlainEnvironment]
	doc      map[string]any  // the compose.yaml, without our labels
	services []service       // each after those it depends on
	networks []network
	volumes  []volume
}

type network struct {
	key, name, config string
	external          bool
	fixed             bool // it asks for a subnet or for options, which only one network may have
	subnets           []netip.Prefix
}

type volume struct {
	key, name, driver string
	external          bool
	options           map[string]string
}

// ID returns "stack:NAME".
func (s Stack) ID() string { return "stack:" + s.Name }

// Running returns the ID of the part of the stack that is planned as its containers.
func (s Stack) Running() string { return "compose:" + s.Name }

func (s Stack) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 3 * time.Minute
	}
	return s.Timeout
}

// Validate implements [host.Resource].
func (s Stack) Validate() (ps lab.Problems) {
	ps = validateProject(s.Name)
	if !path.IsAbs(s.Dir) || path.Clean(s.Dir) != s.Dir || s.Dir == "/" {
		ps = append(ps, lab.Problem{Path: "dir", Text: s.Dir, Message: "is not an absolute path in its shortest form"})
	}
	if s.doc == nil {
		ps = append(ps, lab.Problem{Path: "services", Message: "there are none",
			Hint: "make the stack with compose.Load"})
	}
	if strings.ContainsAny(s.Format, "\n\"") {
		ps.Add("format", "holds a quote or a newline")
	}
	seen := map[string]bool{}
	for i, f := range s.Files {
		bad := f.validate()
		if seen[f.Path] {
			bad.Add("path", "%s is named twice", f.Path)
		}
		seen[f.Path] = true
		ps = append(ps, bad.Under(fmt.Sprintf("files[%d]", i))...)
	}
	return append(ps, s.exposed()...)
}

// Observe implements [host.Resource]: the parts ask.
func (s Stack) Observe(*host.Query) {}

// Plan implements [host.Resource]: the parts are planned.
func (s Stack) Plan(*host.Observation) ([]host.Op, error) { return nil, nil }

// Resources implements [host.Set].
func (s Stack) Resources() []host.Resource {
	var out []host.Resource
	out = append(out, s.Before...)
	dirs := map[string]bool{s.Dir: true}
	out = append(out, host.Directory{Path: s.Dir, Mode: 0o750})
	p := project{stack: s, Order: host.Order{After: []string{"directory:" + s.Dir}}}
	for _, f := range s.Files {
		for dir := path.Dir(path.Join(s.Dir, f.Path)); !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	var sorted []string
	for d := range dirs {
		if d != s.Dir {
			sorted = append(sorted, d)
		}
	}
	slices.Sort(sorted)
	for _, d := range sorted {
		if dir := (host.Directory{Path: d, Mode: 0o755}); s.written(d) {
			out = append(out, givenDir{dir})
		} else {
			out = append(out, dir)
		}
	}
	for _, f := range s.Files {
		r := f.resource(s.Dir, host.Order{})
		if p.After = append(p.After, r.ID()); f.Owner+f.Group == "" && !f.IfAbsent && s.written(r.Path) {
			out = append(out, givenFile{managedFile{r}})
		} else {
			out = append(out, r)
		}
	}
	model, former, salt := s.modelFile(), formerFiles{stack: s}, s.saltKeeper()
	p.After = append(p.After, former.ID(), salt.ID(), model.ID())
	out = append(out, former, salt, model, p)
	return append(out, s.Parts...)
}

// Image returns the pinned image of a service, "" when there is no such service.
func (s Stack) Image(service string) string {
	for _, sv := range s.services {
		if sv.name == service {
			return sv.image
		}
	}
	return ""
}
