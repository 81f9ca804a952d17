package gcstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// loginRoutes are the exchange of a signed assertion for a token (RFC 7523).
func (s *Server) loginRoutes(mux *http.ServeMux) {
	s.open(mux, "POST /token", func(c *call) answer {
		form, err := url.ParseQuery(string(c.body))
		if err != nil || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || !c.signed(form.Get("assertion")) {
			return answer{status: http.StatusBadRequest, body: map[string]string{"error": "invalid_grant",
				"error_description": "Invalid JWT Signature."}}
		}
		token := "ya29." + rand.Text()
		c.tokens[token] = true
		return ok(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3599})
	})
}

// signed reports whether an assertion is that of the administrator, for this server.
func (c *call) signed(assertion string) bool {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	signature, broken := base64.RawURLEncoding.DecodeString(parts[2])
	var said struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		Scope    string `json:"scope"`
		Expires  int64  `json:"exp"`
	}
	if err != nil || broken != nil || json.Unmarshal(claims, &said) != nil {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(&c.key.PublicKey, crypto.SHA256, sum[:], signature) == nil && said.Issuer == admin &&
		said.Audience == c.URL()+"/token" && said.Scope == "https://www.googleapis.com/auth/cloud-platform" &&
		said.Expires > time.Now().Unix()
}
