// Package credential makes credentials that a server shows once, such as an API token or the key of a service
// account, so that none is ever lost or left behind: a value is stored before anybody uses it, where storing
// was proved possible before it was made, and one that could not be stored is retired at once. A run
// that is cut off between the two leaves something of ours on the server whose value is nowhere: the next run
// finds it by what bears our name there and is not what the stored value belongs to.
package credential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Issuer is how the credential of one name is made, proved and retired.
type Issuer struct {
	Sink lab.Sink
	Name string // in the sink

	// Prove uses the stored value, and returns the server's ID of what it is the value of. An error that
	// wraps [lab.ErrUnauthorized] or [lab.ErrNotFound] means that it is of no use any more; any other means
	// that it is not known.
	Prove func(ctx context.Context, value lab.Secret) (id string, err error)

	// Create makes a new one, with all that it shall be allowed. It is never repeated by itself. Its context does not end: it must
	// give up by itself.
	Create func(context.Context) (id string, value lab.Secret, err error)

	// Retire makes what has this ID useless. One that is gone already is no error.
	Retire func(ctx context.Context, id string) error
}

// Finding is how a credential was found.
type Finding struct {
	// ID is what the stored value belongs to, which is one of those on the server; empty: it must be made.
	ID     string
	Cause  string   // why it must be made
	Others []string // IDs of those on the server that are ours, and not what the stored value belongs to
	stored lab.Secret
}

// Look compares what the server has under our name, by ID, with what is stored. It makes nothing. An error
// means that the state is not known.
func (i Issuer) Look(ctx context.Context, ours []string) (Finding, error) {
	stored, err := i.Sink.Get(ctx, i.Name)
	missing := errors.Is(err, lab.ErrNotFound)
	if err != nil && !missing {
		return Finding{}, err
	}
	f := Finding{Others: slices.Clone(ours), stored: stored}
	if missing {
		f.Cause = "not found"
		if len(ours) > 0 {
			f.Cause = "its value is not in " + i.Sink.String()
		}
		return f, nil
	}
	id, err := i.Prove(ctx, stored)
	switch {
	case errors.Is(err, lab.ErrUnauthorized), errors.Is(err, lab.ErrNotFound):
		f.Cause = "the value in " + i.Sink.String() + " is of no use any more"
	case err != nil:
		return Finding{}, err
	case !slices.Contains(ours, id):
		f.Cause = "the value in " + i.Sink.String() + " is that of another"
	default:
		f.ID = id
		f.Others = slices.DeleteFunc(f.Others, func(other string) bool { return other == id })
	}
	return f, nil
}

// Issue makes the credential, stores its value, reads it back and proves it, and returns its ID. A value that
// could not be stored is retired. What the server had under our name before stays: the layer retires
// it afterwards, when those who use it have had time to follow.
func (i Issuer) Issue(ctx context.Context, f Finding) (id string, err error) {
	replacer, replaces := i.Sink.(lab.Replacer)
	if !f.stored.IsZero() && !replaces {
		return "", i.fail("a value is stored that is of no use, and nothing can be replaced there", lab.ErrConflict,
			"remove it from "+i.Sink.String())
	}
	if err := i.Sink.Prove(ctx); err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	// A request that is under way would be done all the same: its answer is waited for, or its value would be known to nobody.
	id, value, err := i.Create(context.WithoutCancel(ctx))
	if err != nil {
		return "", err
	}
	if f.stored.IsZero() {
		err = i.Sink.Put(ctx, i.Name, value)
	} else {
		err = replacer.Replace(ctx, i.Name, f.stored, value)
	}
	if err != nil {
		return "", i.compensate(ctx, id, value, err)
	}
	back, err := i.Sink.Get(ctx, i.Name)
	if err != nil {
		return id, err // it is stored: the next run proves it
	}
	if !back.Equal(value) {
		return id, i.fail("another value is read back than was stored", lab.ErrDrift, "plan again")
	}
	proved, err := i.Prove(ctx, back)
	if err == nil && proved != id {
		err = i.fail(fmt.Sprintf("the value belongs to %q, not to %q, which was made", proved, id), lab.ErrConflict, "")
	}
	return id, err
}

// compensate retires what was made, unless its value is in the sink after all: the answer to storing it may
// have been lost.
func (i Issuer) compensate(ctx context.Context, id string, value lab.Secret, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	back, err := i.Sink.Get(ctx, i.Name)
	if err == nil && back.Equal(value) {
		return cause // the next run finds it whole
	}
	if err != nil && !errors.Is(err, lab.ErrNotFound) {
		// Whether it is stored is not known: retiring it could kill a value that others find there. As it is ours and
		// proves nothing stored, the next run decides.
		return errors.Join(cause, err)
	}
	if err := i.Retire(ctx, id); err != nil {
		return errors.Join(cause, fmt.Errorf("retire %s, whose value is stored nowhere: %w", id, err))
	}
	return cause
}

func (i Issuer) fail(what string, kind error, hint string) error {
	return &lab.Error{Op: "issue credential", Target: i.Sink.String(), Path: i.Name, Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
}
