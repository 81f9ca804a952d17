package vaulttest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var jwtFields = []field{
	{"bound_issuer", text, ""}, {"default_role", text, ""}, {"jwks_ca_pem", text, ""},
	{"jwks_pairs", list, []string{}}, {"jwks_url", text, ""},
	{"jwt_supported_algs", commas, []string{}}, {"jwt_validation_pubkeys", commas, []string{}},
	{"namespace_in_state", truth, true},
	{"oidc_client_id", text, ""}, {"oidc_client_secret", text, ""}, {"oidc_discovery_ca_pem", text, ""},
	{"oidc_discovery_url", text, ""},
	{"oidc_response_mode", text, ""}, {"oidc_response_types", commas, []string{}},
	{"provider_config", mapping, map[string]any{}},
	{"unsupported_critical_cert_extensions", commas, []string{}},
}

var jwtRoleFields = slices.Concat(tokenFields, []field{
	{"allowed_redirect_uris", commas, nil}, {"bound_audiences", commas, nil}, {"bound_claims", mapping, nil},
	{"bound_claims_type", text, "string"},
	{"bound_subject", text, ""}, {"claim_mappings", mapping, nil}, {"clock_skew_leeway", seconds, int64(0)},
	{"expiration_leeway", seconds, int64(0)},
	{"groups_claim", text, ""}, {"max_age", seconds, int64(0)}, {"not_before_leeway", seconds, int64(0)},
	{"oidc_scopes", commas, nil},
	{"role_type", text, "oidc"}, {"user_claim", text, ""}, {"user_claim_json_pointer", truth, false},
	{"verbose_oidc_logging", truth, false},
})

func (s *Server) jwt(m *mount, r *request, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	switch {
	case rest == "login" && r.method == "POST":
		return s.jwtLogin(m, r)
	case rest == "config" && r.method == "GET":
		config := m.objects[rest]
		if config == nil {
			return notFound()
		}
		out := clone(config)
		delete(out, "oidc_client_secret")
		return ok(out)
	case rest == "config" && r.method == "POST":
		return m.configureJWT(r)
	case kind != "role":
		return unsupported()
	case name == "":
		return m.names("role/")
	}
	if r.method == "POST" && r.body["role_type"] == nil {
		r.body["role_type"] = "oidc" // it is not remembered
	}
	return m.role(r, rest, jwtRoleFields, checkJWTRole)
}

func checkJWTRole(role map[string]any) (string, []string) {
	claims, _ := role["bound_claims"].(map[string]any)
	bound := len(claims) > 0 || role["bound_subject"] != ""
	for _, name := range []string{"bound_audiences", "token_bound_cidrs"} {
		if texts, _ := role[name].([]string); len(texts) > 0 {
			bound = true
		}
	}
	redirects, _ := role["allowed_redirect_uris"].([]string)
	kind := role["bound_claims_type"]
	switch {
	case role["user_claim"] == "":
		return "a user claim must be defined on the role", nil
	case role["role_type"] == "oidc" && len(redirects) == 0:
		return "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.", nil
	case kind != "string" && kind != "glob":
		return fmt.Sprintf("invalid 'bound_claims_type': %s", kind), nil
	case role["role_type"] == "jwt" && !bound:
		return "must have at least one bound constraint when creating/updating a role", nil
	}
	return "", nil
}

// configureJWT asks for the keys at once, as Vault does.
func (m *mount) configureJWT(r *request) reply {
	config := map[string]any{} // it is written whole
	if err := merge(config, jwtFields, r.body); err != nil {
		return fail(400, err.Error())
	}
	sources := 0
	for _, name := range []string{"oidc_discovery_url", "jwks_url"} {
		if config[name] != "" {
			sources++
		}
	}
	keys := config["jwt_validation_pubkeys"].([]string)
	if len(keys) > 0 {
		sources++
	}
	if sources != 1 {
		return fail(400, "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs' or 'oidc_discovery_url' "+
			"must be set")
	}
	for n := range keys {
		keys[n] = strings.TrimSpace(keys[n])
	}
	if _, err := keySet(config); err != nil {
		switch {
		case config["oidc_discovery_url"] != "":
			return fail(400, "error checking oidc discovery URL")
		case config["jwks_url"] != "":
			return fail(400, "error checking jwks URL "+config["jwks_url"].(string))
		}
		return fail(400, "error parsing public key: "+err.Error())
	}
	m.objects["config"] = config
	return reply{}
}

// keySet returns the keys that sign tokens.
func keySet(config map[string]any) (*jose.JSONWebKeySet, error) {
	set := &jose.JSONWebKeySet{}
	for _, text := range config["jwt_validation_pubkeys"].([]string) {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, fmt.Errorf("data does not contain any valid public keys")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key})
	}
	url, ca := config["jwks_url"].(string), config["jwks_ca_pem"].(string)
	if issuer := config["oidc_discovery_url"].(string); issuer != "" {
		ca = config["oidc_discovery_ca_pem"].(string)
		var found struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		if err := fetch(strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", ca, &found); err != nil {
			return nil, err
		}
		if found.Issuer != issuer {
			return nil, fmt.Errorf("issuer did not match the issuer returned by provider")
		}
		url = found.Keys
	}
	if url == "" {
		return set, nil
	}
	return set, fetch(url, ca, set)
}

// fetch reads JSON from a server on loopback.
func fetch(url, ca string, out any) error {
	client := (*lab.Boundary)(nil).HTTPClient()
	client.Timeout = 10 * time.Second
	defer client.CloseIdleConnections()
	if ca != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(ca))
		client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// algorithms are those that Vault takes; without a setting, only the first.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.EdDSA}

// jwtLogin does what Vault's method does (vault-plugin-auth-jwt, path_login.go; hashicorp/cap, jwt.go), with its words.
func (s *Server) jwtLogin(m *mount, r *request) reply {
	config := m.objects["config"]
	if config == nil {
		return fail(400, "could not load configuration")
	}
	name, _ := r.body["role"].(string)
	if name == "" {
		name = config["default_role"].(string)
	}
	role, raw := m.objects["role/"+name], r.body["jwt"]
	switch {
	case name == "":
		return fail(400, "missing role")
	case role == nil:
		return fail(400, "role "+quote(name)+" could not be found")
	case raw == nil || raw == "":
		return fail(400, "missing token")
	case role["role_type"] == "oidc":
		return fail(400, "role with oidc role_type is not allowed")
	}
	all, wrong := s.verifyJWT(config, role, fmt.Sprint(raw))
	if wrong != "" {
		return fail(400, wrong)
	}
	user, has := all[role["user_claim"].(string)]
	display, isText := user.(string)
	switch {
	case !has:
		return fail(400, "claim "+quote(role["user_claim"].(string))+" not found in token")
	case !isText:
		return fail(400, "claim "+quote(role["user_claim"].(string))+" could not be converted to string")
	}
	if groups := role["groups_claim"].(string); groups != "" && all[groups] == nil {
		return fail(400, "failed to fetch groups: "+quote(groups)+" claim not found in token")
	}
	bound, _ := role["bound_claims"].(map[string]any)
	for claim, want := range bound {
		if have, has := all[claim]; !has {
			return fail(400, "error validating claims: claim "+quote(claim)+" is missing")
		} else if !matches(have, want, role["bound_claims_type"] == "glob") {
			return fail(400, "error validating claims: claim "+quote(claim)+" does not match any associated bound "+
				"claim values")
		}
	}
	return s.issue(m.grantOf(role, r.path, strings.TrimSuffix(strings.TrimPrefix(r.path, "auth/"),
		"/login")+"-"+display, map[string]any{"role": name}))
}

// verifyJWT returns the claims of a token, or what is wrong with it.
func (s *Server) verifyJWT(config, role map[string]any, raw string) (all map[string]any, wrong string) {
	const invalid = "error validating token: "
	allowed := []jose.SignatureAlgorithm{}
	for _, name := range config["jwt_supported_algs"].([]string) {
		allowed = append(allowed, jose.SignatureAlgorithm(name))
	}
	if len(allowed) == 0 {
		allowed = algorithms[:1]
	}
	set, err := keySet(config)
	if err != nil {
		return nil, invalid + "error verifying token signature: fetching keys " + err.Error()
	}
	parsed, err := josejwt.ParseSigned(raw, algorithms)
	if err != nil {
		return nil, invalid + "error verifying token signature: " + err.Error()
	}
	var claims josejwt.Claims
	verified := false
	for _, key := range set.Keys {
		if parsed.Claims(key.Key, &claims, &all) == nil {
			verified = true
			break
		}
	}
	audience, _ := role["bound_audiences"].([]string)
	issuer, subject := config["bound_issuer"], role["bound_subject"]
	switch {
	case !verified:
		return nil, invalid + "error verifying token signature: no known key successfully validated the token signature"
	case !slices.Contains(allowed, jose.SignatureAlgorithm(parsed.Headers[0].Algorithm)):
		return nil, invalid + "invalid algorithm (alg) header parameter: token signed with unexpected algorithm"
	case issuer != "" && claims.Issuer != issuer:
		return nil, invalid + "invalid issuer (iss) claim"
	case subject != "" && claims.Subject != subject:
		return nil, invalid + "invalid subject (sub) claim"
	case len(audience) > 0 && !slices.ContainsFunc(claims.Audience,
		func(a string) bool { return slices.Contains(audience, a) }):
		return nil, invalid + "invalid audience (aud) claim: audience claim does not match any expected audience"
	}
	if why := s.checkTimes(claims); why != "" {
		return nil, invalid + why
	}
	if len(audience) == 0 && len(claims.Audience) > 0 {
		return nil, "audience claim found in JWT but no audiences bound to the role"
	}
	return all, ""
}

// checkTimes says what is wrong with the times of a token. One without exp ends 150 s after it was issued or became
// valid.
func (s *Server) checkTimes(c josejwt.Claims) string {
	const leeway, skew = 150, 60
	at := func(d *josejwt.NumericDate) int64 {
		if d == nil {
			return 0
		}
		return int64(*d)
	}
	iat, nbf, exp, now := at(c.IssuedAt), at(c.NotBefore), at(c.Expiry), s.now().Unix()
	if iat == 0 && nbf == 0 && exp == 0 {
		return "no issued at (iat), not before (nbf), or expiration time (exp) claims in token"
	}
	if exp == 0 {
		exp = max(iat, nbf) + leeway
	}
	if nbf == 0 {
		if nbf = iat; nbf == 0 {
			nbf = exp - leeway
		}
	}
	switch {
	case now+skew < nbf:
		return "invalid not before (nbf) claim: token not yet valid"
	case now-skew > exp:
		return "invalid expiration time (exp) claim: token is expired"
	case now+skew < iat:
		return "invalid issued at (iat) claim: token issued in the future"
	}
	return ""
}

// matches reports whether one of the values of a claim is one of those that are bound.
func matches(have, want any, glob bool) bool {
	many := func(v any) []any {
		if l, isList := v.([]any); isList {
			return l
		}
		return []any{v}
	}
	for _, h := range many(have) {
		for _, w := range many(want) {
			pattern, text := fmt.Sprint(w), fmt.Sprint(h)
			prefix, open := strings.CutSuffix(pattern, "*")
			if pattern == text || glob && open && strings.HasPrefix(text, prefix) {
				return true
			}
		}
	}
	return false
}
