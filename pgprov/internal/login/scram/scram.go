// Package scram is SCRAM-SHA-256 as PostgreSQL speaks it (RFC 5802, RFC 7677): stored verifiers,
// and both ends of the exchange.
//
// Passwords are printable ASCII: of anything else clients prepare different bytes (SASLprep,
// PRECIS, or none at all).
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Iterations is what PostgreSQL uses when nothing else is configured (scram_iterations).
const Iterations = 4096

// maxIterations bounds the work that a server or a stored verifier can ask of us.
const maxIterations = 1_000_000

// The names of the mechanisms.
const (
	Mechanism     = "SCRAM-SHA-256"
	MechanismPlus = "SCRAM-SHA-256-PLUS"
)

// Verifier is what a server stores of a password: it proves a password right and does not reveal it.
type Verifier struct {
	Iterations int
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

// NewVerifier makes the verifier of a password with a fresh salt.
func NewVerifier(password string) Verifier {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	return verifier(password, salt, Iterations)
}

func verifier(password string, salt []byte, iterations int) Verifier {
	k := derive(password, salt, iterations)
	stored := sha256.Sum256(k.client)
	return Verifier{iterations, salt, stored[:], k.server}
}

// ParseVerifier reads a verifier as pg_authid.rolpassword holds it. ok is false for anything else,
// such as an MD5 hash.
func ParseVerifier(s string) (v Verifier, ok bool) {
	rest, ok := strings.CutPrefix(s, Mechanism+"$")
	if !ok {
		return v, false
	}
	head, keys, ok1 := strings.Cut(rest, "$")
	iterations, salt, ok2 := strings.Cut(head, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	n, err0 := strconv.Atoi(iterations)
	saltBytes, err1 := base64.StdEncoding.DecodeString(salt)
	storedKey, err2 := base64.StdEncoding.DecodeString(stored)
	serverKey, err3 := base64.StdEncoding.DecodeString(server)
	if !ok1 || !ok2 || !ok3 || errors.Join(err0, err1, err2, err3) != nil || n < 1 || n > maxIterations ||
		len(saltBytes) == 0 || len(storedKey) != sha256.Size || len(serverKey) != sha256.Size {
		return v, false
	}
	return Verifier{n, saltBytes, storedKey, serverKey}, true
}

// String returns the verifier as PASSWORD takes it and pg_authid.rolpassword holds it.
func (v Verifier) String() string {
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", Mechanism, v.Iterations, b(v.Salt), b(v.StoredKey), b(v.ServerKey))
}

// Matches reports whether the verifier is of this password.
func (v Verifier) Matches(password string) bool {
	w := verifier(password, v.Salt, v.Iterations)
	return subtle.ConstantTimeCompare(v.StoredKey, w.StoredKey)&
		subtle.ConstantTimeCompare(v.ServerKey, w.ServerKey) == 1
}

// keys are what a password is stretched into.
type keys struct{ client, server []byte }

func derive(password string, salt []byte, iterations int) keys {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic(err) // only for a key length that FIPS forbids
	}
	return keys{mac(salted, "Client Key"), mac(salted, "Server Key")}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Password is a client's password. It remembers the keys it was last stretched into: that is most
// of what a login costs, and a server asks for the same salt every time. It is safe for concurrent
// use.
type Password struct {
	text string

	mu    sync.Mutex
	salt  string
	count int
	keys  keys
}

// NewPassword returns the password.
func NewPassword(text string) *Password { return &Password{text: text} }

func (p *Password) stretch(salt []byte, iterations int) keys {
	p.mu.Lock() // held while stretching: eight logins at once wait for one computation
	defer p.mu.Unlock()
	if p.count != iterations || p.salt != string(salt) {
		p.salt, p.count, p.keys = string(salt), iterations, derive(p.text, salt, iterations)
	}
	return p.keys
}

// Client is the client's end of one exchange.
type Client struct {
	password *Password
	// GS2: "n,," no channel binding, "y,," the client could but the server did not offer, "p=..."
	// bound
	header    string
	binding   []byte
	first     string
	nonce     string
	signature []byte
}

// NewClient begins an exchange. binding is the hash of the server's certificate
// (tls-server-end-point) for [MechanismPlus], otherwise empty; tls says that the connection has one, so
// that a downgrade is noticed.
func NewClient(p *Password, binding []byte, tls bool) *Client {
	raw := make([]byte, 18)
	_, _ = rand.Read(raw)
	c := &Client{password: p, nonce: base64.StdEncoding.EncodeToString(raw), binding: binding, header: "n,,"}
	switch {
	case len(binding) > 0:
		c.header = "p=tls-server-end-point,,"
	case tls:
		c.header = "y,,"
	}
	return c
}

// First returns the client's first message.
func (c *Client) First() []byte {
	c.first = "n=,r=" + c.nonce
	return []byte(c.header + c.first)
}

// Final returns the client's answer to the server's first message.
func (c *Client) Final(serverFirst []byte) ([]byte, error) {
	a, err := attributes(string(serverFirst), "r", "s", "i")
	if err != nil {
		return nil, err
	}
	salt, err := base64.StdEncoding.DecodeString(a[1])
	if err != nil || len(salt) == 0 {
		return nil, errors.New("the server's salt is not base64")
	}
	n, err := strconv.Atoi(a[2])
	if err != nil || n < 1 || n > maxIterations {
		return nil, fmt.Errorf("the server asks for %q iterations", a[2])
	}
	if !strings.HasPrefix(a[0], c.nonce) || len(a[0]) == len(c.nonce) {
		return nil, errors.New("the server's nonce does not continue ours")
	}
	k := c.password.stretch(salt, n)
	bound := base64.StdEncoding.EncodeToString(append([]byte(c.header), c.binding...))
	bare := "c=" + bound + ",r=" + a[0]
	auth := c.first + "," + string(serverFirst) + "," + bare
	stored := sha256.Sum256(k.client)
	proof := mac(stored[:], auth)
	subtle.XORBytes(proof, proof, k.client)
	c.signature = mac(k.server, auth)
	return []byte(bare + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// Check verifies the server's final message: only who holds the verifier can have made it.
func (c *Client) Check(serverFinal []byte) error {
	v, ok := strings.CutPrefix(string(serverFinal), "v=")
	signature, err := base64.StdEncoding.DecodeString(v)
	if !ok || err != nil || len(c.signature) == 0 || !hmac.Equal(signature, c.signature) {
		return errors.New("the server did not prove that it knows the password")
	}
	return nil
}

// attributes reads "a=...,b=..." in this very order; extensions may follow.
func attributes(message string, names ...string) ([]string, error) {
	parts := strings.Split(message, ",")
	var out []string
	for i, n := range names {
		if i >= len(parts) {
			return nil, fmt.Errorf("the SCRAM message lacks %q", n)
		}
		v, ok := strings.CutPrefix(parts[i], n+"=")
		if !ok {
			return nil, fmt.Errorf("the SCRAM message lacks %q", n)
		}
		out = append(out, v)
	}
	return out, nil
}

// Server is the server's end of one exchange, without channel binding.
type Server struct {
	verifier Verifier
	first    string // the client's, bare
	header   string
	reply    string
	nonce    string
}

// NewServer begins an exchange against a stored verifier.
func NewServer(v Verifier) *Server { return &Server{verifier: v} }

// First returns the answer to the client's first message.
func (s *Server) First(clientFirst []byte) ([]byte, error) {
	header, bare, ok := cutGS2(string(clientFirst))
	if !ok {
		return nil, errors.New("malformed SCRAM message")
	}
	a, err := attributes(bare, "n", "r")
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 18)
	_, _ = rand.Read(raw)
	s.first, s.header, s.nonce = bare, header, a[1]+base64.StdEncoding.EncodeToString(raw)
	salt := base64.StdEncoding.EncodeToString(s.verifier.Salt)
	s.reply = fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, salt, s.verifier.Iterations)
	return []byte(s.reply), nil
}

func cutGS2(message string) (header, bare string, ok bool) {
	parts := strings.SplitN(message, ",", 3)
	if len(parts) != 3 || (parts[0] != "n" && parts[0] != "y") {
		return "", "", false
	}
	return parts[0] + "," + parts[1] + ",", parts[2], true
}

// ErrPassword says that the client does not know the password.
var ErrPassword = errors.New("wrong password")

// Final verifies the client's final message and returns the server's.
func (s *Server) Final(clientFinal []byte) ([]byte, error) {
	a, err := attributes(string(clientFinal), "c", "r", "p")
	if err != nil {
		return nil, err
	}
	proof, err := base64.StdEncoding.DecodeString(a[2])
	header := base64.StdEncoding.EncodeToString([]byte(s.header))
	if err != nil || len(proof) != sha256.Size || a[1] != s.nonce || a[0] != header {
		return nil, ErrPassword
	}
	auth := s.first + "," + s.reply + ",c=" + a[0] + ",r=" + a[1]
	subtle.XORBytes(proof, proof, mac(s.verifier.StoredKey, auth))
	stored := sha256.Sum256(proof)
	if !hmac.Equal(stored[:], s.verifier.StoredKey) {
		return nil, ErrPassword
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(s.verifier.ServerKey, auth))), nil
}
