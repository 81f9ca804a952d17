package forge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// ActionsSecrets are the secrets of Actions of an organization or a repository, as a [lab.Sink] that can be written to and not
// read: [ActionsSecrets.Get] only says whether there is one. What they are is known by a fingerprint that is kept in
// the description of each, so that they are compared, and replaced. Names are in capitals, as "CF_TOKEN".
//
// The server cannot put a secret only if it is not there: of two programs that put one name at once, the last wins. One
// program at a time writes to a repository's secrets.
type ActionsSecrets struct {
	Server *Server

	// Of is an organization, as "arcodange-org", or a repository, as "arcodange-org/cms".
	Of string

	// Stack is as [Spec].Stack: a secret of another stack is a conflict. Empty means "lab".
	Stack string

	// Key is what the fingerprints are made with: 32 bytes at least, the same every time.
	Key lab.Secret

	mu sync.Mutex // of those who write
}

// probe begins the names of secrets by which it is proved that secrets can be written. Each is another: two that create one
// name at once are answered with status 500 (a unique index of the table "secret" of Gitea 1.26).
const probe = "LAB_PROBE_"

// delivery is the kind of our marks: secrets that [Spec] names are of another, so that neither prunes the other's.
const delivery = "delivery"

// String says whose secrets they are.
func (a *ActionsSecrets) String() string { return "the Actions secrets of " + a.Of }

// Prove returns nil when a secret could be put now. It puts one, and removes it, and those that were left an hour ago or
// earlier by a proof that was cut off.
func (a *ActionsSecrets) Prove(ctx context.Context) error {
	return a.do(func(r *run, at string) error {
		left, err := list[secret](ctx, r.client, at)
		if err != nil {
			return err
		}
		name := probe + rand.Text()
		remove := []string{name}
		for _, s := range left {
			if strings.HasPrefix(s.Name, probe) && time.Since(s.Created) > time.Hour {
				remove = append(remove, s.Name)
			}
		}
		body := map[string]string{"data": "-", "description": "it may be removed"}
		if err := r.send(ctx, http.MethodPut, at+path(name), body, nil); err != nil {
			return err
		}
		for _, name := range remove {
			if err := r.send(ctx, http.MethodDelete, at+path(name), nil, nil); err != nil && !absent(err) {
				return err
			}
		}
		return nil
	})
}

// Get returns an [errors.ErrUnsupported] for a secret that is there, and a [lab.ErrNotFound] for one that is not.
func (a *ActionsSecrets) Get(ctx context.Context, name string) (s lab.Secret, err error) {
	err = a.do(func(r *run, at string) error {
		if _, err := a.find(ctx, r, at, name); err != nil {
			return err
		}
		return a.fail("get secret", name, "", errors.ErrUnsupported, "the server shows no secrets")
	})
	return lab.Secret{}, err
}

// Put keeps a secret. The error is a [lab.ErrConflict] when the name has another value, or one that is not known.
func (a *ActionsSecrets) Put(ctx context.Context, name string, s lab.Secret) error {
	return a.write(ctx, name, s, func(description string, err error) (bool, error) {
		switch {
		case errors.Is(err, lab.ErrNotFound):
			return true, nil
		case err != nil:
			return false, err
		case description == a.record(name, s):
			return false, nil
		}
		return false, a.fail("put secret", name, "remove it from "+a.String(), lab.ErrConflict, "it has another value, or one that is not known")
	})
}

// Replace keeps s in the place of old. The error is a [lab.ErrConflict] when the name has another value, or one that is
// not known, and a [lab.ErrNotFound] when it has none.
func (a *ActionsSecrets) Replace(ctx context.Context, name string, old, s lab.Secret) error {
	return a.write(ctx, name, s, func(description string, err error) (bool, error) {
		switch {
		case err != nil:
			return false, err
		case description == a.record(name, s):
			return false, nil
		case description == a.record(name, old):
			return true, nil
		}
		return false, a.fail("replace secret", name, "", lab.ErrConflict, "it has another value, or one that is not known")
	})
}

// Holds reports whether the name has this secret. The error is a [lab.ErrNotFound] when it has none.
func (a *ActionsSecrets) Holds(ctx context.Context, name string, s lab.Secret) (holds bool, err error) {
	err = a.do(func(r *run, at string) error {
		description, err := a.find(ctx, r, at, name)
		holds = err == nil && description == a.record(name, s)
		return err
	})
	return holds, err
}

// Copy keeps a secret in the place of whatever the name has, unless that is marked as another stack's.
func (a *ActionsSecrets) Copy(ctx context.Context, name string, s lab.Secret) error {
	return a.write(ctx, name, s, func(description string, err error) (bool, error) {
		if errors.Is(err, lab.ErrNotFound) {
			return true, nil
		}
		switch m, ok := mark.Parse(description); {
		case err != nil || !ok:
		case m.Stack != a.stack():
			err = a.fail("copy secret", name, "remove it from the other stack, or from this one", lab.ErrConflict,
				"it belongs to the stack "+lab.Printable(m.Stack))
		case m.Kind != delivery:
			err = a.fail("copy secret", name, "remove it from the spec, or do not deliver it", lab.ErrConflict, "a spec names it too")
		}
		return err == nil && description != a.record(name, s), err
	})
}

func (a *ActionsSecrets) stack() string { return (&Spec{Stack: a.Stack}).stack() }

// record is the description of a secret: whose it is, and what.
func (a *ActionsSecrets) record(name string, s lab.Secret) string {
	m := mark.Mark{Stack: a.stack(), Kind: delivery, Name: a.Of + "/" + name}
	return m.String() + ";hmac=" + fingerprint.Of(a.Key, delivery+":"+a.Of+"/"+name, s)
}

// do calls f with the path of the secrets.
func (a *ActionsSecrets) do(f func(r *run, at string) error) error {
	var ps lab.Problems
	if a.Server == nil {
		ps.Add("server", "empty")
	}
	v := &validation{}
	owner, name, ofRepository := strings.Cut(a.Of, "/")
	if v.owner("of", owner); ofRepository && !repositoryName.MatchString(name) {
		v.bad("of", a.Of, "is neither an organization nor a repository", "write OWNER/NAME")
	}
	if ps = append(ps, v.ps...); len(a.Key.Reveal()) < 32 {
		ps.Add("key", "shorter than 32 bytes")
	}
	if err := ps.Err(); err != nil {
		return err
	}
	if err := a.Server.Validate().Err(); err != nil {
		return err
	}
	s := scope{kind: "organization", name: a.Of}
	if ofRepository {
		s.kind = "repository"
	}
	r := &run{client: a.Server.client(a.Key), reads: &reconcile.Reads{}}
	defer r.close()
	_, at := r.actions(s, "secrets")
	return f(r, at)
}

// find returns the description of a secret. The error wraps [lab.ErrNotFound] when there is none.
func (a *ActionsSecrets) find(ctx context.Context, r *run, at, name string) (description string, err error) {
	if v := (&validation{names: map[string]string{}, spec: &Spec{}}); !actionsName.MatchString(name) {
		v.bad("name", name, "is not a name that Actions take", "write capitals, digits and underscores")
		return "", v.ps.Err()
	}
	all, err := list[secret](ctx, r.client, at)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if s.Name == name {
			return s.Description, nil
		}
	}
	return "", a.fail("get secret", name, "", lab.ErrNotFound, "there is none")
}

// write puts a secret if what is there says so.
func (a *ActionsSecrets) write(ctx context.Context, name string, s lab.Secret, may func(string, error) (bool, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.do(func(r *run, at string) error {
		if s.IsZero() {
			return a.fail("put secret", name, "", lab.ErrInvalid, "it is empty")
		}
		put, err := may(a.find(ctx, r, at, name))
		if err != nil || !put {
			return err
		}
		r.mask = lab.NewMasker(s, a.Key, a.Server.Token, a.Server.Password)
		return r.send(ctx, http.MethodPut, at+path(name), map[string]string{"data": s.Reveal(), "description": a.record(name, s)}, nil)
	})
}

func (a *ActionsSecrets) fail(op, name, hint string, kind error, what string) error {
	return &lab.Error{Op: op, Target: a.String(), Path: name, Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
}
