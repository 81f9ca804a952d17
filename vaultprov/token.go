package vaultprov

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TokenSource is where the tokens of requests come from: [StaticToken], [TokenFile], or the [Session] of a
// [Server.Login]. It is safe for concurrent use.
type TokenSource interface {
	// Token returns a token. refused is one that the server does not take any more, because it has expired
	// or was revoked; it is empty at first. A source that has no other returns an [lab.ErrUnauthorized].
	Token(ctx context.Context, refused lab.Secret) (lab.Secret, error)
}

// StaticToken returns a source of one token.
func StaticToken(token lab.Secret) TokenSource { return staticToken{token} }

type staticToken struct{ token lab.Secret }

func (s staticToken) Token(_ context.Context, refused lab.Secret) (lab.Secret, error) {
	if s.token.IsZero() {
		return lab.Secret{}, noToken("it is empty")
	}
	if s.token.Equal(refused) {
		return lab.Secret{}, noToken("it has expired, or was revoked")
	}
	return s.token, nil
}

func noToken(why string) error {
	return &lab.Error{Op: "get token", Hint: "log in again", Set: lab.Setting{Name: SettingToken},
		Err: fmt.Errorf("%w: %s", lab.ErrUnauthorized, why)}
}

// TokenFile is a source that reads a file, as Vault Agent writes one, again whenever the token that it held is
// refused.
type TokenFile string

// maxToken is more than any token or id token has, in bytes.
const maxToken = 64 << 10

// Token reads the file, without the space around its content.
func (f TokenFile) Token(_ context.Context, refused lab.Secret) (lab.Secret, error) {
	s, err := readToken(string(f))
	if err == nil && s.Equal(refused) {
		err = noToken("the one in " + string(f) + " has expired, or was revoked")
	}
	if err != nil {
		return lab.Secret{}, err
	}
	return s, nil
}

// readToken reads a token from a file.
func readToken(path string) (lab.Secret, error) {
	fail := func(err error) (lab.Secret, error) {
		return lab.Secret{}, &lab.Error{Op: "read token", Path: path, Hint: "see who writes it, and who may read it",
			Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close() // it is only read
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return fail(err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" || len(b) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fail(fmt.Errorf("%w: it holds no token", lab.ErrInvalid))
	}
	return lab.NewSecret(text), nil
}
