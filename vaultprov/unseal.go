package vaultprov

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// sealStatus is what sys/seal-status and sys/unseal answer.
type sealStatus struct {
	Sealed    bool   `json:"sealed"`
	Threshold int    `json:"t"`
	Progress  int    `json:"progress"`
	Nonce     string `json:"nonce"`
	Type      string `json:"type"`
}

// Unseal plans to unseal servers, in their order: of a cluster with raft storage, the first must be one that holds its
// data; the others join it. What is not sealed needs nothing. A share that is wrong or is given twice does no harm if
// enough of the others are right, and is reported. The servers' tokens are not used.
//
// An [lab.ErrBlocked] means that there are too few shares, or that the first server is not initialised, and an
// [lab.ErrInvalid] that the shares do not open it. A server that is sealed cannot prove which cluster it is: the keys
// go to whoever holds the certificate of the address.
func Unseal(ctx context.Context, keys Keys, servers ...*Server) (*lab.Plan, error) {
	step := lab.Step{Name: "unseal"}
	toDo := map[string]*Server{}
	for n, s := range servers {
		st, err := s.Status(ctx)
		switch {
		case err != nil:
			return nil, err
		case !st.Initialized && n == 0:
			return nil, &lab.Error{Op: "unseal", Target: s.target(),
				Hint: "initialise it, if it is new; otherwise look at its storage",
				Err:  fmt.Errorf("%w: it is not initialised", lab.ErrBlocked)}
		case st.Initialized && !st.Sealed:
			continue
		}
		c := lab.Change{ID: step.Name + "/" + strings.TrimPrefix(s.target(), "vault "), Action: lab.Update,
			Cause: "it is " + st.String()}
		if len(step.Changes) > 0 {
			c.After = []string{step.Changes[0].ID}
		}
		toDo[c.ID] = s
		step.Changes = append(step.Changes, c)
	}
	if len(step.Changes) == 0 {
		return lab.NewPlan()
	}
	step.Run = func(ctx context.Context, r *lab.Recorder) error {
		for n, change := range step.Changes {
			r.Start(change.ID)
			err := toDo[change.ID].unseal(ctx, r, keys, len(servers) > 1)
			r.Done(change.ID, err)
			if err != nil {
				for _, rest := range step.Changes[n+1:] {
					r.Skip(rest.ID, change.ID+" was not done")
				}
				return err
			}
		}
		return nil
	}
	return lab.NewPlan(step)
}

// unseal unseals one server, and waits until it serves.
func (s *Server) unseal(ctx context.Context, r *lab.Recorder, keys Keys, cluster bool) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.joined(ctx, r); err != nil {
		return err
	}
	var st sealStatus
	if err := c.anonymous(ctx, http.MethodGet, "sys/seal-status", nil, &st); err != nil {
		return err
	}
	if st.Sealed {
		if st.Type != "shamir" {
			return &lab.Error{Op: "unseal", Target: s.target(), Hint: "look at its seal: " + st.Type,
				Err: fmt.Errorf("%w: it does not unseal by shares", lab.ErrBlocked)}
		}
		given, err := newShares(keys.Shares, st.Threshold)
		if err != nil {
			return err
		}
		wrong, err := given.open(s.target(), func(set [][]byte) error { return c.giveShares(ctx, set) })
		if err != nil {
			return err
		}
		for _, place := range wrong {
			r.Note(fmt.Sprintf("share %d is none of %s: remove it from the keys", place, s.target()))
		}
	}
	serves := lab.Poll{What: s.target() + " to serve", Timeout: 2 * time.Minute, Report: r.Wait}
	return lab.Wait(ctx, serves, func(ctx context.Context) (bool, error) {
		st, err := c.status(ctx)
		code := st.Code()
		if err == nil && code == http.StatusServiceUnavailable {
			err = &lab.Error{Op: "unseal", Target: s.target(), Hint: "look at its log",
				Err: fmt.Errorf("%w: it was sealed again", lab.ErrDrift)}
		}
		return code == http.StatusOK || cluster && code == http.StatusTooManyRequests, err
	})
}

// joined waits until a server of a cluster knows its seal, which it learns from the first when that is unsealed.
func (c *client) joined(ctx context.Context, r *lab.Recorder) error {
	joins := lab.Poll{What: c.server.target() + " to join the cluster", Timeout: 2 * time.Minute, Report: r.Wait}
	return lab.Wait(ctx, joins, func(ctx context.Context) (bool, error) {
		st, err := c.status(ctx)
		return st.Initialized, err
	})
}

// anonymous sends a request without a token, and reads the answer into out; nil: it is not wanted.
func (c *client) anonymous(ctx context.Context, method, path string, in fields, out any) error {
	a, err := c.send(ctx, lab.Secret{}, method, path, in)
	if err != nil || out == nil {
		return err
	}
	return c.decode(a, path, out)
}

// wrongShares are the words in which Vault says that shares do not open it (1.21, vault/core.go, shamir/shamir.go).
var wrongShares = []string{"failed to decrypt keys from storage", "failed to compute combined key",
	"message authentication failed"}

// wrongSet returns errWrong if the server has said so of the shares, otherwise err.
func wrongSet(err error) error {
	if e, ok := serverError(err); ok {
		for _, words := range wrongShares {
			if e.said(words) {
				return errWrong
			}
		}
	}
	return err
}

// giveShares gives the server as many shares as it needs, from the beginning: what others have given is forgotten.
func (c *client) giveShares(ctx context.Context, set [][]byte) error {
	for try := 1; ; try++ {
		disturbed, err := c.giveOnce(ctx, set)
		if !disturbed {
			return wrongSet(err)
		}
		if try == 5 {
			return &lab.Error{Op: "unseal", Target: c.server.target(), Hint: "let one of you unseal it",
				Err: fmt.Errorf("%w: somebody else gives it shares at the same time", lab.ErrConflict)}
		}
	}
}

// giveOnce reports whether somebody else has given a share or begun anew meanwhile.
func (c *client) giveOnce(ctx context.Context, set [][]byte) (disturbed bool, err error) {
	if err := c.anonymous(ctx, http.MethodPost, "sys/unseal", fields{"reset": true}, nil); err != nil {
		return false, err
	}
	nonce := ""
	for n, share := range set {
		var st sealStatus
		err := c.anonymous(ctx, http.MethodPost, "sys/unseal",
			fields{"key": lab.NewSecret(hex.EncodeToString(share))}, &st)
		switch {
		case err != nil || !st.Sealed:
			return false, err
		case n == len(set)-1 && st.Progress == 0:
			return false, c.copied(ctx)
		case n > 0 && st.Nonce != nonce, st.Progress != n+1:
			return true, nil
		}
		nonce = st.Nonce
	}
	return true, nil // it has all that it needs, and is sealed: they were not all of this attempt
}

// copied waits until a server that joins a cluster has copied its keys: it takes the shares to prove to the first
// server that it may, and unseals itself later. Shares that are given meanwhile end in an error (vault/raft.go, 1.21).
func (c *client) copied(ctx context.Context) error {
	copies := lab.Poll{What: c.server.target() + " to copy the keys of the cluster", Timeout: 2 * time.Minute}
	return lab.Wait(ctx, copies, func(ctx context.Context) (bool, error) {
		st, err := c.status(ctx)
		return err == nil && !st.Sealed, err
	})
}
