package forge

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// step is the name of the plan's only step, with which the IDs of its changes begin.
const step = "forge"

// oldest is the oldest Gitea whose secrets and variables have descriptions, 1.oldest.
const oldest = 24

// Plan compares the server with the spec and returns what must be done. It changes nothing. What cannot be planned is in
// the error, and the plan for the rest is returned beside it.
//
// Applying the plan reads the server again, makes what is both planned and still to be done, and notes what has become
// necessary meanwhile. An apply that was cut off is continued by the next plan.
func (s *Server) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	if err := append(s.Validate(), spec.Validate()...).Err(); err != nil {
		return nil, err
	}
	r := &run{client: s.client(spec.secrets()...), spec: spec.expanded(), reads: &reconcile.Reads{}}
	defer r.close()
	if err := r.prove(ctx); err != nil {
		return nil, err
	}
	return reconcile.Plan(ctx, reconcile.Options{Name: step, Parallel: s.parallel(), Prune: spec.Prune, MaxDeletes: spec.MaxDeletes,
		Before: func(ctx context.Context) (func(context.Context) error, error) {
			r.reads.Forget()
			return func(context.Context) error { r.close(); return nil }, r.prove(ctx)
		}}, r.kinds()...)
}

// run is one plan and its apply.
type run struct {
	*client
	spec   Spec
	reads  *reconcile.Reads
	topics sync.Mutex // held while topics are set: two repositories that get one new topic at once fail (seen with 1.26.0)
	// held while teams and collaborators are changed: the server computes from both who may do what in a repository, and two
	// changes at once lose one of them (seen with 1.26.0)
	access sync.Mutex
	me     string // who we are on the server

	named sync.Once
	names map[string]string // of what is wanted, see after
}

// kinds are the collections, of which those that are named last are emptied first. Those of which nothing is wanted are
// left out.
func (r *run) kinds() []reconcile.Kind {
	var all []reconcile.Kind
	if len(r.spec.Organizations) > 0 {
		all = append(all, r.organizations(), r.teams())
	}
	if len(r.spec.Users) > 0 {
		all = append(all, r.users(), r.userKeys(), r.applications(), r.tokens())
	}
	if len(r.spec.Runners) > 0 {
		all = append(all, r.runners(), r.registrations())
	}
	if len(r.spec.JobIdentities) > 0 {
		all = append(all, r.jobIdentities())
	}
	if len(r.spec.Repositories) > 0 {
		all = append(all, r.repositories(), r.collaborators(), r.protections(), r.deployKeys(), r.webhooks(), r.pushMirrors())
	}
	return append(all, r.variables(), r.secrets())
}

// IDs returns the IDs of all changes that a plan may have to make what is wanted, each also without "forge/".
func (s *Spec) IDs() []string {
	return reconcile.IDs(step, (&run{client: (&Server{}).client(), spec: *s, reads: &reconcile.Reads{}}).kinds()...)
}

// prove makes sure that the server is the one that is meant, that it is new enough, and that we may do everything.
func (r *run) prove(ctx context.Context) error {
	if r.server.Identity != "" {
		ids, err := r.identities(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(ids, r.server.Identity) {
			return r.fail("prove identity", "", "see whether the address is that of the server that is meant", lab.ErrRefused,
				fmt.Sprintf("it signs with %s, and not with %s", strings.Join(ids, ", "), r.server.Identity))
		}
	}
	var server struct {
		Version string `json:"version"`
	}
	if err := r.get(ctx, "/version", &server); err != nil {
		return err
	}
	if err := r.newEnough(server.Version); err != nil {
		return err
	}
	var me struct {
		Login string `json:"login"`
		Admin bool   `json:"is_admin"`
	}
	if err := r.get(ctx, "/user", &me); err != nil {
		return err
	}
	if !me.Admin {
		return r.fail("log in", me.Login, "give a token of a site administrator", lab.ErrUnauthorized, "the user is no site administrator")
	}
	r.me = me.Login
	return nil
}

// newEnough returns an error for a server of a version that cannot do what is needed.
func (r *run) newEnough(version string) error {
	number, _, _ := strings.Cut(version, "+")
	parts := strings.Split(strings.TrimPrefix(number, "v"), ".")
	if strings.Contains(version, "+gitea-") || len(parts) < 2 {
		return r.fail("read version", "", "this package knows Gitea 1.24 and later", lab.ErrRefused,
			lab.Printable(version)+" is not a version of Gitea")
	}
	major, err := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(strings.SplitN(parts[1], "-", 2)[0])
	if err != nil || err2 != nil || major < 1 || major == 1 && minor < oldest {
		return r.fail("read version", "", fmt.Sprintf("upgrade it to 1.%d or later", oldest), lab.ErrRefused,
			"Gitea "+lab.Printable(version)+" keeps no descriptions of secrets, by which they are known")
	}
	return nil
}

// identities returns the IDs of the keys that the server signs with.
func (c *client) identities(ctx context.Context) (ids []string, err error) {
	_, answer, err := c.do(ctx, shortly, "GET", "/login/oauth/keys", "", nil)
	if err != nil {
		return nil, err
	}
	return keyIDs(answer)
}

// after returns the references, each as kind:key, in the letters of the spec: Gitea has one object of a name in whatever
// letters it is written, and what is to be made first is found by its name here.
func (r *run) after(references ...string) []string {
	r.named.Do(func() {
		r.names = map[string]string{}
		add := func(reference string) { r.names[strings.ToLower(reference)] = reference }
		for _, o := range r.spec.Organizations {
			add("organization:" + o.Name)
			for _, t := range o.Teams {
				add("team:" + o.Name + "/" + t.Name)
			}
		}
		for _, u := range r.spec.Users {
			add("user:" + u.Name)
		}
		for _, x := range r.spec.Repositories {
			add("repository:" + x.key())
			add("collaborators:" + x.key())
		}
	})
	var known []string
	for _, reference := range references {
		if name, ok := r.names[strings.ToLower(reference)]; ok {
			known = append(known, name)
		}
	}
	return known
}

// mark returns the mark of an object of ours.
func (r *run) mark(kind, key string) mark.Mark {
	return mark.Mark{Stack: r.spec.stack(), Kind: kind, Name: key}
}

// marked reads a mark in a text, and reports whose it is: ours of this kind and key, another stack's (a conflict),
// or neither.
func (r *run) marked(text, kind, key string) (ours bool, err error) {
	m, ok := mark.Parse(text)
	if ok && m.Stack != r.spec.stack() {
		return false, r.fail("plan "+kind, key, "remove it from the other stack, or from this one", lab.ErrConflict,
			"it belongs to the stack "+lab.Printable(m.Stack))
	}
	return ok && m == r.mark(kind, key), nil
}
