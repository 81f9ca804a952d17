package credential_test

import (
	"context"
	"errors"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
)

func TestField(t *testing.T) {
	for entry, want := range map[string]string{"cms/ovh": "cms/ovh#id", "cms": "cms-id"} {
		if got := credential.Field(entry, "id"); got != want {
			t.Errorf("%s: %s", entry, got)
		}
	}
}

func TestKeep(t *testing.T) {
	dir := lab.SecretDir{Path: t.TempDir() + "/secrets"}
	for _, value := range []string{"one", "one", "two"} {
		if err := credential.Keep(t.Context(), dir, "id", lab.NewSecret(value)); err != nil {
			t.Fatal(err)
		}
		if s, err := dir.Get(t.Context(), "id"); err != nil || s.Reveal() != value {
			t.Errorf("%v, %v", s.Reveal(), err)
		}
	}
	fixed := struct{ lab.Sink }{dir} // which replaces nothing
	if err := credential.Keep(t.Context(), fixed, "id", lab.NewSecret("three")); !errors.Is(err, lab.ErrConflict) {
		t.Error(err)
	}
}

// TestCreateIsAwaited: a run that is ended while a credential is made waits for it, and leaves none that nobody knows.
func TestCreateIsAwaited(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	live := map[string]bool{}
	i := credential.Issuer{Sink: ended{lab.SecretDir{Path: t.TempDir() + "/secrets"}}, Name: "token",
		Create: func(ctx context.Context) (string, lab.Secret, error) {
			end()
			live["1"] = ctx.Err() == nil
			return "1", lab.NewSecret("value"), ctx.Err()
		},
		Retire: func(_ context.Context, id string) error { delete(live, id); return nil },
		Prove:  func(context.Context, lab.Secret) (string, error) { return "1", nil },
	}
	if _, err := i.Issue(ctx, credential.Finding{}); !errors.Is(err, context.Canceled) || len(live) != 0 {
		t.Errorf("%v, %v", err, live)
	}
	live["0"] = true
	if _, err := i.Issue(ctx, credential.Finding{}); !errors.Is(err, context.Canceled) || len(live) != 1 {
		t.Errorf("it was begun after the end: %v, %v", err, live)
	}
}

// ended is a sink that honours its context.
type ended struct{ lab.SecretDir }

func (e ended) Put(ctx context.Context, name string, s lab.Secret) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return e.SecretDir.Put(ctx, name, s)
}
