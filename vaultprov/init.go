package vaultprov

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Init says how a Vault is initialised, and where its keys are kept. They are shown once: without them nobody opens it
// again.
type Init struct {
	// Sink keeps the keys, as one secret, see [Keys.Secret]. It must be set. It must not need the Vault that is
	// initialised.
	Sink lab.Sink

	// Fallback keeps the keys where Sink does not take them; nil: there is none.
	Fallback lab.Sink

	// Name is that of the secret; empty means "vault-init". A second secret, with ".begun" behind the name, tells
	// that an init was begun, and stays.
	Name string

	Shares    int // into which the key is split; 0 means 5
	Threshold int // how many of them open it; 0 means 3, or all if there are fewer

	// PGPKeys are public keys, in base64, with which the server encrypts the shares: as many as there are shares, in
	// their order. Empty: they are not encrypted by the server.
	PGPKeys []string

	// Encrypt encrypts what is kept, for instance to the recipients of age. Nil: it is kept as it is.
	Encrypt func(lab.Secret) (lab.Secret, error)

	// Patience is how long the keys are held in memory and offered to the sinks again where neither takes them; 0
	// means 10 minutes.
	Patience time.Duration
}

func (i Init) name() string   { return cmp.Or(i.Name, "vault-init") }
func (i Init) shares() int    { return cmp.Or(i.Shares, 5) }
func (i Init) threshold() int { return cmp.Or(i.Threshold, min(3, i.shares())) }

// Validate reports everything that is wrong with it.
func (i Init) Validate() lab.Problems {
	var ps lab.Problems
	if i.Sink == nil {
		ps = append(ps, lab.Problem{Path: "sink", Message: "empty: the keys would be lost",
			Hint: "say where secrets are kept",
			Set:  lab.Setting{Name: lab.SettingSink}})
	}
	shares, threshold := i.shares(), i.threshold()
	switch {
	case shares < 1 || shares > 255:
		ps.Add("shares", "%d: there must be 1 to 255", shares)
	case threshold < 1 || threshold > shares:
		ps.Add("threshold", "%d of %d shares", threshold, shares)
	case threshold == 1 && shares > 1:
		ps.Add("threshold", "1 of %d shares: Vault takes that of a single one only", shares)
	}
	if len(i.PGPKeys) > 0 && len(i.PGPKeys) != shares {
		ps.Add("pgp_keys", "%d keys for %d shares", len(i.PGPKeys), shares)
	}
	return ps
}

// Init plans to initialise the server. The plan is empty if that was done and a sink has the keys. It is refused where
// a sink has keys and the server is not initialised: then it has lost its storage, or is another server, and an init
// would hide that.
//
// Before the init is sent, the sinks prove that they can be written to, and a secret says that it was begun: should the
// run end before the keys are kept, the next plan's error, an [lab.ErrConflict], says so. What was sent is not given
// up when the context ends.
func (s *Server) Init(ctx context.Context, i Init) (*lab.Plan, error) {
	if err := s.invalid("initialise", i.Validate()); err != nil {
		return nil, err
	}
	st, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	at, err := i.recorded(ctx)
	if err != nil {
		return nil, err
	}
	if st.Initialized {
		if at == nil {
			return nil, s.keysAreNowhere(ctx, i)
		}
		return lab.NewPlan()
	}
	if at != nil {
		return nil, s.lostStorage(i, at)
	}
	c := lab.Change{ID: "vault/init", Action: lab.Create, Cause: "it is not initialised",
		Diff: fmt.Sprintf("+ %d shares, of which %d unseal it\n+ kept in %s, as %s\n", i.shares(), i.threshold(),
			i.Sink, i.name())}
	return lab.NewPlan(lab.Step{Name: "vault", Changes: []lab.Change{c},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(c.ID)
			err := s.initialize(ctx, r, i)
			r.Done(c.ID, err)
			return err
		}})
}

// recorded returns the sink that has the keys, nil if none has.
func (i Init) recorded(ctx context.Context) (lab.Sink, error) {
	for _, sink := range i.sinks() {
		has, err := holds(ctx, sink, i.name())
		if has || err != nil {
			return sink, err
		}
	}
	return nil, nil
}

func (i Init) sinks() []lab.Sink {
	if i.Fallback == nil {
		return []lab.Sink{i.Sink}
	}
	return []lab.Sink{i.Sink, i.Fallback}
}

// holds reports whether a sink has a secret, which it may not be able to show.
func holds(ctx context.Context, sink lab.Sink, name string) (bool, error) {
	_, err := sink.Get(ctx, name)
	switch {
	case err == nil, errors.Is(err, errors.ErrUnsupported):
		return true, nil
	case errors.Is(err, lab.ErrNotFound):
		return false, nil
	}
	return false, err
}

func (i Init) begun() string { return i.name() + ".begun" }

// lostStorage is the error of a server that must be initialised and is not.
func (s *Server) lostStorage(i Init, at lab.Sink) error {
	return &lab.Error{Op: "initialise", Target: s.target(),
		Hint: "look at its volume, and at the address; restore a snapshot; only if the old Vault is given up, put its " +
			"" +
			"keys away",
		Err: fmt.Errorf("%w: %s has keys, as %s, so it was initialised before: its storage is empty now, or it is "+
			"another server",
			lab.ErrRefused, at, i.name())}
}

// keysAreNowhere is the error of a server that is initialised, with keys that no sink has.
func (s *Server) keysAreNowhere(ctx context.Context, i Init) error {
	e := &lab.Error{Op: "initialise", Target: s.target(), Hint: "put its keys into " + i.Sink.String() + ", as " +
		i.name(),
		Err: fmt.Errorf("%w: it was initialised by somebody else: %s has no keys", lab.ErrConflict, i.Sink)}
	begun, err := holds(ctx, i.Sink, i.begun())
	if err != nil {
		return err
	}
	if begun {
		e.Hint = "look whether another sink of that run has them; if nobody has, nobody can open it: empty its " +
			"storage, and " +
			"initialise it again"
		e.Err = fmt.Errorf("%w: a run that initialised it was cut off before it could keep the keys", lab.ErrConflict)
	}
	return e
}

// initialize sends the init and keeps the keys.
func (s *Server) initialize(ctx context.Context, r *lab.Recorder, i Init) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.close()
	for _, sink := range i.sinks() {
		if err := sink.Prove(ctx); err != nil {
			return err
		}
	}
	if i.Encrypt != nil {
		if _, err := i.Encrypt(lab.NewSecret("proof")); err != nil {
			return &lab.Error{Op: "encrypt unseal keys", Target: s.target(), Hint: "look at the recipients", Err: err}
		}
	}
	if at, err := i.recorded(ctx); err != nil || at != nil {
		if err == nil {
			err = s.lostStorage(i, at)
		}
		return err
	}
	if err := i.Sink.Put(ctx, i.begun(), lab.NewSecret("an init was begun\n")); err != nil {
		return err
	}
	in := fields{"secret_shares": i.shares(), "secret_threshold": i.threshold()}
	if len(i.PGPKeys) > 0 {
		in["pgp_keys"] = i.PGPKeys
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	sent, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	var out keyFile
	if err := c.anonymous(sent, http.MethodPost, "sys/init", in, &out); err != nil {
		if e, ok := serverError(err); !ok || e.Status >= http.StatusInternalServerError {
			err = &lab.Error{Op: "initialise", Target: s.target(),
				Hint: "plan again: that says whether it was initialised", Err: err}
		}
		return err
	}
	keys := Keys{Threshold: i.threshold(), Root: lab.NewSecret(out.Root)}
	for _, share := range out.APIBase64 {
		keys.Shares = append(keys.Shares, lab.NewSecret(share))
	}
	if len(keys.Shares) == 0 || keys.Root.IsZero() {
		return c.garbled("sys/init")
	}
	return s.keep(ctx, r, i, keys)
}

// keep puts the keys into a sink and reads them back. Where none takes them, they are offered again while there is
// patience, whatever becomes of the context: they are nowhere else.
func (s *Server) keep(ctx context.Context, r *lab.Recorder, i Init, keys Keys) error {
	kept := keys.Secret()
	if i.Encrypt != nil {
		encrypted, err := i.Encrypt(kept)
		if err != nil { // better kept as it is than lost
			r.Note("the keys cannot be encrypted, and are kept as they are: " + lab.Mask(err.Error(), kept))
		} else {
			kept = encrypted
		}
	}
	var last error
	takes := lab.Poll{What: "a sink to take the keys: make it writable, and do not stop this run",
		First: time.Second, Report: r.Wait,
		Timeout: cmp.Or(i.Patience, 10*time.Minute)}
	err := lab.Wait(context.WithoutCancel(ctx), takes, func(ctx context.Context) (bool, error) {
		last = nil
		for n, sink := range i.sinks() {
			err := put(ctx, sink, i.name(), kept)
			if err == nil {
				if n > 0 {
					r.Note(fmt.Sprintf("%s has not taken the keys: they are in %s, as %s", i.Sink, sink, i.name()))
				}
				return true, nil
			}
			last = errors.Join(last, err)
		}
		return false, nil
	})
	if err != nil {
		return &lab.Error{Op: "keep unseal keys", Target: s.target(),
			Hint: "empty its storage, and initialise it again with a sink that can be written to",
			Err: fmt.Errorf("%w: no sink has taken them, and they are lost: %w", lab.ErrBlocked,
				errors.Join(err, last))}
	}
	return nil
}

// put puts a secret into a sink and reads it back, where the sink can be read.
func put(ctx context.Context, sink lab.Sink, name string, s lab.Secret) error {
	if err := sink.Put(ctx, name, s); err != nil {
		return err
	}
	back, err := sink.Get(ctx, name)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return err
	case !back.Equal(s):
		return &lab.Error{Op: "keep secret", Target: sink.String(), Path: name,
			Err: fmt.Errorf("%w: another value is read back", lab.ErrDrift)}
	}
	return nil
}
