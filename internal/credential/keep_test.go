package credential_test

import (
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
