package vaultprov

import (
	"bytes"
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/internal/shamir"
)

// shares are those that were given, each once.
type shares struct {
	bytes     [][]byte
	place     []int // among those that were given, from 1
	threshold int
}

func newShares(given []lab.Secret, threshold int) (shares, error) {
	s := shares{threshold: threshold}
	for n, share := range given {
		b, err := decodeShare(share)
		if err != nil {
			return s, &lab.Error{Op: "read share", Path: fmt.Sprint(n + 1), Hint: "look at how it was copied", Err: err}
		}
		if !slices.ContainsFunc(s.bytes, func(o []byte) bool { return bytes.Equal(o, b) }) {
			s.bytes, s.place = append(s.bytes, b), append(s.place, n+1)
		}
	}
	return s, nil
}

// of returns the shares at the indexes.
func (s shares) of(set []int) (out [][]byte) {
	for _, n := range set {
		out = append(out, s.bytes[n])
	}
	return out
}

// possible reports whether the shares of a set can belong together.
func (s shares) possible(set []int) bool {
	if s.threshold == 1 {
		return true
	}
	of := s.of(set)
	for n, a := range of {
		for _, b := range of[:n] {
			if len(a) < 2 || len(a) != len(b) || a[len(a)-1] == b[len(b)-1] {
				return false
			}
		}
	}
	return true
}

// strangers returns the indexes of the shares that do not belong to those of a set. The server cannot tell: it only
// says that it could not be opened.
func (s shares) strangers(set []int) (out []int) {
	of := s.of(set)
	for n, share := range s.bytes {
		if slices.Contains(set, n) {
			continue
		}
		last := len(share) - 1
		if s.threshold == 1 || len(share) != len(of[0]) || !bytes.Equal(shamir.At(of, share[last]), share) {
			out = append(out, n)
		}
	}
	return out
}

// mostSets is how many sets are looked at, and mostTries how many are given to a server.
const (
	mostSets  = 5000
	mostTries = 60
)

// sets returns sets of as many shares as are needed, those first to which the most others belong. sure says that others
// belong to the first set: if that does not open the server, none does.
func (s shares) sets() (sets [][]int, sure bool) {
	set := make([]int, s.threshold)
	var choose func(at, from int)
	choose = func(at, from int) {
		if at == len(set) {
			if s.possible(set) {
				sets = append(sets, slices.Clone(set))
			}
			return
		}
		for n := from; n < len(s.bytes) && len(sets) < mostSets; n++ {
			set[at] = n
			choose(at+1, n+1)
		}
	}
	choose(0, 0)
	if s.threshold == 1 {
		return sets, false
	}
	slices.SortStableFunc(sets, func(a, b []int) int { return len(s.strangers(a)) - len(s.strangers(b)) })
	return sets, len(sets) > 0 && len(s.strangers(sets[0])) < len(s.bytes)-s.threshold
}

// errWrong says that shares do not open the server.
var errWrong = fmt.Errorf("%w: it cannot be opened with them", lab.ErrInvalid)

// open gives sets of shares to a server, one after the other, until one opens it. try returns errWrong for a set that
// does not. wrong are the places of those that were given and are none of this Vault.
func (s shares) open(target string, try func(set [][]byte) error) (wrong []int, err error) {
	fail := func(what, hint string, kind error) ([]int, error) {
		return nil, &lab.Error{Op: "open", Target: target, Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
	}
	if len(s.bytes) < s.threshold {
		return fail(fmt.Sprintf("%d different shares are given, and %d are needed", len(s.bytes), s.threshold),
			"give the others too", lab.ErrBlocked)
	}
	sets, sure := s.sets()
	for n, set := range sets {
		if n == mostTries {
			break
		}
		err := try(s.of(set))
		if err == nil {
			for _, stranger := range s.strangers(set) {
				wrong = append(wrong, s.place[stranger])
			}
			return wrong, nil
		}
		if err != errWrong {
			return nil, err
		}
		if sure {
			return fail("the shares belong together, and are those of another Vault, or of one before its keys were "+
				"changed",
				"look at the address, and at which keys these are", lab.ErrInvalid)
		}
	}
	what := "at least one of the shares is wrong, and it cannot be told which"
	if s.threshold == 1 {
		what = "it is not the key of this Vault"
	}
	return fail(what, "look at how they were copied; a share more tells which one it is", lab.ErrInvalid)
}
