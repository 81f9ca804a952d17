package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// GiteaKeys are the secrets that Gitea's data is bound to: with others, two-factor logins, OAuth2
// clients and credentials of mirrors are lost. Make them with [NewGiteaKeys].
type GiteaKeys struct{ SecretKey, InternalToken, JWTSecret lab.Secret }

// NewGiteaKeys returns the keys that the keyring has, and new ones the first time. Errors are those
// of [lab.Keyring.Secret].
func NewGiteaKeys(ctx context.Context, keyring *lab.Keyring) (k GiteaKeys, err error) {
	// The JWT secret must be 32 bytes in the URL alphabet of base64, without padding, as the
	// keyring makes them.
	for name, key := range map[string]*lab.Secret{
		"gitea-secret-key": &k.SecretKey, "gitea-internal-token": &k.InternalToken, "gitea-jwt-secret": &k.JWTSecret,
	} {
		if *key, err = keyring.Secret(ctx, name, nil); err != nil {
			return GiteaKeys{}, err
		}
	}
	return k, nil
}

// keyGuard refuses to replace a secret that data is bound to.
type keyGuard struct {
	stack string
	keys  map[string]lab.Secret // by file
}

// ID implements [host.Resource].
func (g keyGuard) ID() string { return "guard:" + g.stack + ":keys" }

// Validate implements [host.Resource].
func (g keyGuard) Validate() lab.Problems { return nil }

// Secrets returns the keys.
func (g keyGuard) Secrets() (out []lab.Secret) {
	for _, s := range g.keys {
		out = append(out, s)
	}
	return out
}

// Observe implements [host.Resource].
func (g keyGuard) Observe(q *host.Query) {
	for file := range g.keys {
		q.Content(file)
	}
}

// Plan implements [host.Resource].
func (g keyGuard) Plan(o *host.Observation) ([]host.Op, error) {
	for _, file := range slices.Sorted(maps.Keys(g.keys)) {
		if have, ok := o.Content(file); ok && !lab.NewSecret(string(have)).Equal(g.keys[file]) {
			return nil, &lab.Error{Op: "check key", Path: file,
				Hint: "pass the key that is there; remove the file only together with all of Gitea's data",
				Err: fmt.Errorf("%w: another key would lose two-factor logins, OAuth2 clients and the credentials of mirrors",
					lab.ErrRefused)}
		}
	}
	return nil, nil
}
