package vaultprov

import (
	"cmp"
	"context"
	"net/http"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Login says how to log in with an identity token, as a CI job does.
type Login struct {
	Mount   string // of the jwt method; empty means "gitea_jwt"
	Role    string // empty means the mount's default role
	IDToken IDTokenSource
}

// Login logs in, and returns a session. Close it: that revokes its token.
//
// An identity token without exp, or with one that is over, is not sent: Vault takes one that was issued a moment ago,
// and has no end, for as long as its clock tolerates, whoever has it.
func (s *Server) Login(ctx context.Context, l Login) (*Session, error) {
	session := &Session{server: s.without()}
	session.again = func(ctx context.Context, c *client, _ lab.Secret) (login, error) {
		if l.IDToken == nil {
			return login{}, noToken("nothing says where the identity token comes from")
		}
		token, err := l.IDToken.IDToken(ctx)
		if err == nil {
			err = checkIDToken(token)
		}
		if err != nil {
			return login{}, err
		}
		in := fields{"jwt": token}
		if l.Role != "" {
			in["role"] = l.Role
		}
		a, err := c.send(ctx, lab.Secret{}, http.MethodPost, "auth/"+cmp.Or(l.Mount, "gitea_jwt")+"/login", in)
		if err != nil {
			return login{}, err
		}
		return a.login(), nil
	}
	return session, session.begin(ctx)
}
