package vaulttest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/internal/shamir"
)

// seal is what opens the server.
type seal struct {
	initialized bool
	sealed      bool
	key         []byte
	shares      [][]byte
	threshold   int
	root        string // the root token that was made last
	progress    [][]byte
	nonce       string
	electing    int // how often sys/health is asked until the server is active
	attempt     attempt
}

// attempt is a root token in the making.
type attempt struct {
	nonce, otp string
	progress   [][]byte
}

func (l *seal) initialize(shares, threshold int) {
	l.initialized, l.sealed, l.threshold = true, true, threshold
	l.key = make([]byte, 32)
	_, _ = rand.Read(l.key)
	points := [][]byte{append(slices.Clone(l.key), 0)} // through which the polynomials go
	for n := 1; n < threshold; n++ {
		point := make([]byte, 33)
		_, _ = rand.Read(point)
		point[32] = byte(n)
		points = append(points, point)
	}
	for n := 1; n <= shares; n++ {
		l.shares = append(l.shares, shamir.At(points, byte(n)))
	}
	if shares == 1 {
		l.shares[0] = l.key // it has no place
	}
	l.root = newToken()
}

func (l *seal) close() { l.sealed, l.progress, l.nonce = true, nil, "" }

// active reports whether requests are answered.
func (l *seal) active() bool { return l.electing == 0 }

const wrongKey = "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: error decrypting " +
	"seal " +
	"wrapped value\nerror decrypting using seal shamir: cipher: message authentication failed"

// combine says why shares do not open the server; empty: they do.
func (l *seal) combine(shares [][]byte) string {
	if len(l.shares) > 1 {
		for n, share := range shares {
			if len(share) != len(shares[0]) {
				return "invalid key: failed to compute combined key: all parts must be the same length"
			}
			for _, other := range shares[:n] {
				if share[len(share)-1] == other[len(other)-1] {
					return "invalid key: failed to compute combined key: duplicate part detected"
				}
			}
		}
	}
	key := shares[0]
	if len(l.shares) > 1 {
		key = shamir.At(shares, 0)
		key = key[:len(key)-1]
	}
	if !bytes.Equal(key, l.key) {
		return wrongKey
	}
	return ""
}

// beforeUnseal answers what needs no unsealed server, and everything while it is sealed.
func (s *Server) beforeUnseal(r *request) (answer reply, done bool) {
	switch r.method + " " + r.path {
	case "GET sys/health":
		return s.health(r), true
	case "GET sys/init":
		return reply{status: 200, plain: map[string]any{"initialized": s.seal.initialized}}, true
	case "POST sys/init":
		return s.init(r), true
	case "GET sys/seal-status":
		return reply{status: 200, plain: s.sealStatus()}, true
	case "POST sys/unseal":
		return s.unseal(r), true
	}
	if !s.seal.initialized || s.seal.sealed {
		return fail(503, "Vault is sealed"), true
	}
	if strings.HasPrefix(r.path, "sys/generate-root/") && s.seal.active() {
		return s.generateRoot(r), true
	}
	return reply{}, false
}

func (s *Server) health(r *request) reply {
	standby := s.seal.sealed || !s.seal.initialized || !s.seal.active()
	s.seal.electing = max(0, s.seal.electing-1)
	body := map[string]any{"initialized": s.seal.initialized, "sealed": s.seal.sealed ||
		!s.seal.initialized, "standby": standby,
		"performance_standby": false, "replication_performance_mode": "unknown", "replication_dr_mode": "unknown",
		"server_time_utc": s.now().Unix(), "version": version, "enterprise": false, "echo_duration_ms": 0,
		"clock_skew_ms":                     0,
		"replication_primary_canary_age_ms": 0}
	status, asked := http.StatusOK, ""
	switch {
	case !s.seal.initialized:
		status, asked = 501, "uninitcode"
	case s.seal.sealed:
		status, asked = 503, "sealedcode"
	case standby && r.query["standbyok"] == nil:
		status, asked = 429, "standbycode"
	}
	if s.seal.initialized && !s.seal.sealed {
		body["replication_performance_mode"], body["replication_dr_mode"] = "disabled", "disabled"
		body["cluster_name"], body["cluster_id"] = "vault-cluster-"+s.cluster[:8], s.cluster
	}
	if code := r.query[asked]; len(code) > 0 {
		_, _ = fmt.Sscan(code[0], &status)
	}
	return reply{status: status, plain: body}
}

const version = "1.21.1"

func (s *Server) sealStatus() map[string]any {
	st := map[string]any{"type": "shamir", "initialized": s.seal.initialized, "sealed": s.seal.sealed ||
		!s.seal.initialized,
		"t": s.seal.threshold, "n": len(s.seal.shares), "progress": len(s.seal.progress), "nonce": s.seal.nonce,
		"version":    version,
		"build_date": "2025-11-30T22:30:12Z", "migration": false, "recovery_seal": false, "storage_type": "raft"}
	if s.seal.initialized && !s.seal.sealed {
		st["cluster_name"], st["cluster_id"] = "vault-cluster-"+s.cluster[:8], s.cluster
	}
	return st
}

func (s *Server) init(r *request) reply {
	shares, threshold := number(r.body["secret_shares"]), number(r.body["secret_threshold"])
	switch {
	case s.seal.initialized:
		return fail(400, "Vault is already initialized")
	case shares < 1:
		return fail(400, "invalid seal configuration: shares must be at least one")
	case threshold < 1:
		return fail(400, "invalid seal configuration: threshold must be at least one")
	case shares > 1 && threshold == 1:
		return fail(400, "invalid seal configuration: threshold must be greater than one for multiple shares")
	case threshold > shares:
		return fail(400, "invalid seal configuration: threshold cannot be larger than shares")
	case shares > 255:
		return fail(400, "invalid seal configuration: shares must be less than 256")
	case r.body["pgp_keys"] != nil, r.body["root_token_pgp_key"] != nil:
		return fail(501, "vaulttest: it does not know PGP")
	}
	s.seal.initialize(shares, threshold)
	s.tokens[s.seal.root] = &token{policies: []string{"root"}, orphan: true, path: "auth/token/root", display: "root"}
	keys, encoded := []string{}, []string{}
	for _, share := range s.seal.shares {
		keys, encoded = append(keys, hex.EncodeToString(share)),
			append(encoded, base64.StdEncoding.EncodeToString(share))
	}
	return reply{status: 200, plain: map[string]any{"keys": keys, "keys_base64": encoded, "root_token": s.seal.root}}
}

// share reads a key.
func share(v any) ([]byte, *reply) {
	text, _ := v.(string)
	if text == "" {
		e := fail(400, "'key' must be specified in request body as JSON, or 'reset' set to true")
		return nil, &e
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	var e reply
	switch {
	case err != nil || len(b) < 16:
		e = fail(400, "'key' must be a valid hex or base64 string")
	case len(b) > 33:
		e = fail(400, "invalid key: key is longer than maximum 33 bytes")
	default:
		return b, nil
	}
	return nil, &e
}

func (s *Server) unseal(r *request) reply {
	l := &s.seal
	if !l.initialized {
		return fail(400, "Vault is not initialized")
	}
	if reset, _ := r.body["reset"].(bool); reset {
		l.progress, l.nonce = nil, ""
		return reply{status: 200, plain: s.sealStatus()}
	}
	key, wrong := share(r.body["key"])
	if wrong != nil {
		return *wrong
	}
	if !l.sealed {
		return reply{status: 200, plain: s.sealStatus()}
	}
	if l.nonce == "" {
		l.nonce = uuid()
	}
	if !slices.ContainsFunc(l.progress, func(k []byte) bool { return bytes.Equal(k, key) }) {
		l.progress = append(l.progress, key)
	}
	if len(l.progress) == l.threshold {
		given := l.progress
		l.progress, l.nonce = nil, ""
		if why := l.combine(given); why != "" {
			return fail(400, why)
		}
		l.sealed, l.electing = false, 1
	}
	return reply{status: 200, plain: s.sealStatus()}
}

func (s *Server) generateRoot(r *request) reply {
	l := &s.seal
	status := func(otp, encoded string, complete bool) reply {
		return reply{status: 200, plain: map[string]any{"nonce": l.attempt.nonce, "started": l.attempt.nonce != "",
			"progress": len(l.attempt.progress),
			"required": l.threshold, "complete": complete, "encoded_token": encoded, "encoded_root_token": encoded,
			"pgp_fingerprint": "",
			"otp":             otp, "otp_length": len(l.root)}}
	}
	switch r.method + " " + r.path {
	case "GET sys/generate-root/attempt":
		return status("", "", false)
	case "DELETE sys/generate-root/attempt":
		l.attempt = attempt{}
		return reply{}
	case "POST sys/generate-root/attempt":
		if l.attempt.nonce != "" {
			return fail(400, "root generation already in progress")
		}
		l.attempt = attempt{nonce: uuid(), otp: randomHex(len(l.root))[:len(l.root)]}
		return status(l.attempt.otp, "", false)
	case "POST sys/generate-root/update":
		return s.giveRootShare(r, status)
	}
	return unsupported()
}

func (s *Server) giveRootShare(r *request, status func(otp, encoded string, complete bool) reply) reply {
	l := &s.seal
	key, wrong := share(r.body["key"])
	switch {
	case wrong != nil:
		return *wrong
	case l.attempt.nonce == "":
		return fail(400, "no root generation in progress")
	case r.body["nonce"] != l.attempt.nonce:
		return fail(400, "incorrect nonce supplied; nonce for this root generation operation is "+
			""+quote(l.attempt.nonce))
	case slices.ContainsFunc(l.attempt.progress, func(k []byte) bool { return bytes.Equal(k, key) }):
		return fail(400, "given key has already been provided during this generation operation")
	}
	l.attempt.progress = append(l.attempt.progress, key)
	if len(l.attempt.progress) < l.threshold {
		return status("", "", false)
	}
	given := l.attempt.progress
	l.attempt.progress = nil
	if why := l.combine(given); why != "" {
		return fail(400, "root generation aborted: unable to authenticate: "+why)
	}
	l.attempt.progress = given
	l.root = newToken()
	s.tokens[l.root] = &token{policies: []string{"root"}, orphan: true, path: "auth/token/root", display: "root"}
	encoded := []byte(l.root)
	for n := range encoded {
		encoded[n] ^= l.attempt.otp[n]
	}
	answer := status("", base64.RawStdEncoding.EncodeToString(encoded), true)
	l.attempt = attempt{}
	return answer
}
