package fingerprint_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
)

func TestOf(t *testing.T) {
	key, value := lab.NewSecret("0123456789abcdef0123456789abcdef"), lab.NewSecret("hidden")
	f := fingerprint.Of(key, "a", value)
	// printf 'a\0hidden' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
	if want := "3e95ee5f018ede487e315c4cb89c37e1"; f != want {
		t.Errorf("%s, want %s", f, want)
	}
	for _, other := range []string{
		fingerprint.Of(lab.NewSecret("another key"), "a", value),
		fingerprint.Of(key, "b", value),
		fingerprint.Of(key, "a", lab.NewSecret("hidden2")),
	} {
		if other == f {
			t.Error("another key, name or value has the same fingerprint")
		}
	}
}
