package k3s

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// The names of the secrets that the sink keeps.
const (
	ServerToken = "k3s-token"       // joins servers, and decrypts what a new server gets from the datastore
	AgentToken  = "k3s-agent-token" // joins agents, and nothing else
)

// password returns the part of a token that is secret: of "K10HASH::server:PASSWORD" the last, of anything else the
// whole, as k3s reads it (pkg/clientaccess/token.go).
func password(token string) string {
	token = strings.TrimSpace(token)
	rest, full := strings.CutPrefix(token, "K10")
	if !full {
		return token
	}
	_, creds, ok := strings.Cut(rest, "::")
	if !ok {
		return token
	}
	if _, p, ok := strings.Cut(creds, ":"); ok {
		return p
	}
	return creds
}

// pinned returns the token with the hash of the cluster's CA, by which who joins knows the server. Without a hash it is
// the password alone.
func pinned(caHash, user string, secret lab.Secret) lab.Secret {
	p := password(secret.Reveal())
	if caHash == "" || p == "" {
		return lab.NewSecret(p)
	}
	return lab.NewSecret("K10" + caHash + "::" + user + ":" + p)
}

// checkToken returns what is wrong with a secret as a token.
func checkToken(name string, s lab.Secret) error {
	p := password(s.Reveal())
	if p == "" || strings.ContainsAny(p, " \t\r\n\x00:") {
		return &lab.Error{Op: "read token", Path: name, Hint: "give it at least 32 letters and digits",
			Err: fmt.Errorf("%w: it is empty, or has a colon or white space in it", lab.ErrInvalid)}
	}
	return nil
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
