package credential_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
)

// issuer is a server whose tokens are named by numbers, and a sink, one of which fails at a step.
type issuer struct {
	live    []string
	stored  lab.Secret
	created int
	fail    string // the step that fails
	done    bool   // it was done all the same
}

var errBoom = errors.New("boom")

func (i *issuer) step(name string, do func()) error {
	if i.fail != name {
		do()
		return nil
	}
	if i.done {
		do()
	}
	i.fail = ""
	return errBoom
}

func (i *issuer) Prove(context.Context) error { return i.step("prove sink", func() {}) }
func (i *issuer) String() string              { return "the sink" }

func (i *issuer) Get(context.Context, string) (lab.Secret, error) {
	if i.stored.IsZero() {
		return lab.Secret{}, lab.ErrNotFound
	}
	return i.stored, nil
}

func (i *issuer) Put(_ context.Context, _ string, s lab.Secret) error {
	return i.step("put", func() { i.stored = s })
}

func (i *issuer) Replace(_ context.Context, _ string, old, s lab.Secret) error {
	if !old.Equal(i.stored) {
		return lab.ErrConflict
	}
	return i.step("put", func() { i.stored = s })
}

func (i *issuer) issuer() credential.Issuer {
	return credential.Issuer{Sink: i, Name: "token",
		Prove: func(_ context.Context, value lab.Secret) (string, error) {
			id := strings.TrimPrefix(value.Reveal(), "value-")
			if !slices.Contains(i.live, id) {
				return "", lab.ErrUnauthorized
			}
			return id, i.step("prove", func() {})
		},
		Create: func(context.Context) (id string, value lab.Secret, err error) {
			err = i.step("create", func() {
				i.created++
				id = fmt.Sprint(i.created)
				i.live = append(i.live, id)
				value = lab.NewSecret("value-" + id)
			})
			return id, value, err
		},
		Retire: func(_ context.Context, id string) error {
			return i.step("retire", func() { i.live = slices.DeleteFunc(i.live, func(l string) bool { return l == id }) })
		},
	}
}

// run is what a layer does: it looks, issues if that is necessary, and then retires the others.
func (i *issuer) run(t *testing.T) error {
	t.Helper()
	is := i.issuer()
	f, err := is.Look(t.Context(), i.live)
	if err == nil && f.ID == "" {
		_, err = is.Issue(t.Context(), f)
	}
	if err != nil {
		return err
	}
	for _, other := range f.Others {
		if err := is.Retire(t.Context(), other); err != nil {
			return err
		}
	}
	return nil
}

// TestIssue begins from every state, fails at every step, done and not done, and then runs again: in the end
// there is one live token, whose value is stored.
func TestIssue(t *testing.T) {
	for _, state := range []struct {
		name   string
		live   []string
		stored string
	}{
		{"nothing", nil, ""},
		{"good", []string{"a"}, "value-a"},
		{"lost", []string{"a"}, ""},
		{"revoked", nil, "value-a"},
		{"another's", []string{"b"}, "value-a"},
		{"an orphan beside", []string{"a", "b"}, "value-b"},
	} {
		for _, fail := range []string{"", "prove sink", "create", "put", "prove", "retire"} {
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", state.name, fail, done), func(t *testing.T) {
					i := &issuer{live: slices.Clone(state.live), fail: fail, done: done}
					if state.stored != "" {
						i.stored = lab.NewSecret(state.stored)
					}
					err := i.run(t)
					if fail == "put" && !done && err != nil && len(i.live) != len(state.live) {
						t.Errorf("a live token that nobody knows was left: %v", i.live)
					}
					if err := i.run(t); err != nil {
						t.Fatalf("the second run: %v", err)
					}
					if err := i.run(t); err != nil {
						t.Fatalf("the third run: %v", err)
					}
					if len(i.live) != 1 || i.stored.Reveal() != "value-"+i.live[0] {
						t.Errorf("live are %v, and %q is stored", i.live, i.stored.Reveal())
					}
					if state.name == "good" && i.created > 0 {
						t.Error("a good token was made again")
					}
				})
			}
		}
	}
}

// TestUnknown makes nothing where the state of what is stored cannot be known.
func TestUnknown(t *testing.T) {
	i := &issuer{live: []string{"a"}, stored: lab.NewSecret("value-a"), fail: "prove"}
	if err := i.run(t); !errors.Is(err, errBoom) || i.created != 0 {
		t.Errorf("%v, %d created", err, i.created)
	}
}

// TestTwoRuns lets another run store its token first: this one retires its own.
func TestTwoRuns(t *testing.T) {
	i := &issuer{}
	is := i.issuer()
	f, err := is.Look(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	is.Sink = taken{i}
	if _, err := is.Issue(t.Context(), f); !errors.Is(err, lab.ErrConflict) || len(i.live) != 0 {
		t.Errorf("%v, live are %v", err, i.live)
	}
}

type taken struct{ *issuer }

func (taken) Put(context.Context, string, lab.Secret) error { return lab.ErrConflict }
