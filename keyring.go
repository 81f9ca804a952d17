package lab

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Keyring gives a plan the secrets that are made once and must stay, such as the password of a
// database server: those that a sink keeps, and new ones for those that it does not. A plan writes
// nothing, so a new secret is in memory only until the plan is applied. [Keyring.Plan] has the
// change that keeps it, before everything that uses it:
//
//	k := &lab.Keyring{Sink: lab.SecretDir{Path: dir}}
//	password, err := k.Secret(ctx, "postgres-superuser", nil)
//	plan, err := machine.Plan(ctx, host.State{postgres(password)})
//	plan, err = k.Plan(plan)
//
// So nothing ever holds a secret that is not kept, and a run that is cut off between the two is
// continued by the next, which finds the secret. A Keyring is for one plan: within it, one name is
// one secret, whatever another run keeps meanwhile. It is safe for concurrent use.
type Keyring struct {
	Sink Sink // it must be set

	mu    sync.Mutex
	known map[string]Secret // that were given to anybody, by name
	made  map[string]bool   // those of them that the sink has not
}

// secretsStep is the name of the step that keeps secrets; the IDs of its changes are this, a slash
// and the secret's name.
const secretsStep = "secrets"

// Secret returns the secret of this name: the one that the sink keeps, or a new one of create; nil
// means 256 random bits, as 43 letters, digits, hyphens and underscores. It writes nothing. A sink
// that cannot be read, or that only takes secrets, is an error; that it has no such secret is none.
func (k *Keyring) Secret(ctx context.Context, name string, create func() (Secret, error)) (Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.known[name]; ok {
		return s, nil
	}
	if k.Sink == nil {
		return Secret{}, &Error{Op: "get secret", Path: name, Hint: "say where secrets are kept",
			Set: Setting{Name: SettingSink},
			Err: fmt.Errorf("%w: the keyring has no sink", ErrInvalid)}
	}
	s, err := k.Sink.Get(ctx, name)
	made := errors.Is(err, ErrNotFound)
	if made {
		if create == nil {
			create = randomSecret
		}
		if s, err = create(); err == nil && s.IsZero() {
			err = &Error{Op: "create secret", Path: name, Err: fmt.Errorf("%w: it is empty", ErrInvalid)}
		}
	}
	if err != nil {
		return Secret{}, err
	}
	if k.known == nil {
		k.known, k.made = map[string]Secret{}, map[string]bool{}
	}
	k.known[name] = s
	if made {
		k.made[name] = true
	}
	return s, nil
}

// IDs returns the IDs of the changes that Plan may have: one for each secret that was asked for,
// kept already or new.
func (k *Keyring) IDs() (ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(k.known)) {
		ids = append(ids, secretsStep+"/"+name)
	}
	return ids
}

// randomSecret returns 256 random bits, in the URL alphabet of base64.
func randomSecret() (Secret, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return NewSecret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}

// Plan returns the plan with one step more, before all of its changes, that keeps the secrets that
// were made. Without any, it returns the plan as it is. A nil plan is an empty one.
//
// The step proves that the sink can be written to before it puts the first secret. When another run
// has kept another value since the secret was made, the change fails with an [ErrDrift], and
// nothing that comes after it is done: plan again.
func (k *Keyring) Plan(then *Plan) (*Plan, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.made) == 0 {
		return Join(then)
	}
	keep := Step{Name: secretsStep}
	secrets := map[string]Secret{} // by the ID of the change
	for _, name := range slices.Sorted(maps.Keys(k.made)) {
		c := Change{ID: secretsStep + "/" + name, Action: Create, Cause: "not found in " + k.Sink.String()}
		keep.Changes = append(keep.Changes, c)
		secrets[c.ID] = k.known[name]
	}
	keep.Run = func(ctx context.Context, r *Recorder) error {
		if err := k.Sink.Prove(ctx); err != nil {
			return err
		}
		for _, c := range keep.Changes {
			r.Start(c.ID)
			err := k.keep(ctx, c.ID[len(secretsStep)+1:], secrets[c.ID])
			r.Done(c.ID, err)
			if err != nil {
				return err
			}
		}
		return nil
	}
	steps := []Step{keep}
	for _, s := range then.Steps() {
		if len(s.Changes) > 0 { // a gate runs after changes that it comes after, and these are none of its own
			s.After = append(slices.Clone(s.After), secretsStep)
		}
		steps = append(steps, s)
	}
	return NewPlan(steps...)
}

// keep puts a secret and reads it back.
func (k *Keyring) keep(ctx context.Context, name string, s Secret) error {
	drift := func(what string) error {
		return &Error{Op: "keep secret", Target: k.Sink.String(), Path: name, Hint: "plan again",
			Err: fmt.Errorf("%w: %s", ErrDrift, what)}
	}
	switch err := k.Sink.Put(ctx, name, s); {
	case errors.Is(err, ErrConflict):
		return drift("another value was kept since the plan was made")
	case err != nil:
		return err
	}
	have, err := k.Sink.Get(ctx, name)
	if err == nil && !have.Equal(s) {
		err = drift("another value is read back than was put")
	}
	return err
}
