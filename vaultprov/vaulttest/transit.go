package vaulttest

import (
	"maps"
	"slices"
	"strings"
)

var transitFields = []field{
	{"type", text, "aes256-gcm96"}, {"derived", truth, false}, {"exportable", truth, false},
	{"allow_plaintext_backup", truth, false},
	{"convergent_encryption", truth, false}, {"auto_rotate_period", seconds, int64(0)},
}

var transitConfigFields = []field{
	{"deletion_allowed", truth, false}, {"exportable", truth, false}, {"allow_plaintext_backup", truth, false},
	{"min_decryption_version", count, 1}, {"min_encryption_version", count, 0},
	{"auto_rotate_period", seconds, int64(0)},
}

var transitTypes = []string{"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "ed25519", "ecdsa-p256",
	"ecdsa-p384", "ecdsa-p521", "rsa-2048",
	"rsa-3072", "rsa-4096", "hmac"}

func (s *Server) transit(m *mount, r *request, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	if kind != "keys" {
		return unsupported()
	}
	if r.method == "LIST" {
		return m.names("keys/")
	}
	name, configures := strings.CutSuffix(name, "/config")
	key := m.objects["keys/"+name]
	switch {
	case configures && r.method == "POST":
		if key == nil {
			return fail(400, "no existing key named "+name+" could be found")
		}
		if err := merge(key, transitConfigFields, r.body); err != nil {
			return fail(400, err.Error())
		}
	case r.method == "GET" && key == nil:
		return notFound()
	case r.method == "DELETE" && key == nil:
		return fail(400, "error deleting policy "+name+": could not delete key; not found")
	case r.method == "DELETE" && key["deletion_allowed"] != true:
		return fail(400, "error deleting policy "+name+": deletion is not allowed for this key")
	case r.method == "DELETE":
		delete(m.objects, "keys/"+name)
		return reply{}
	case r.method == "POST" && key == nil:
		key = map[string]any{"name": name, "deletion_allowed": false, "imported_key": false,
			"keys":           map[string]any{"1": s.now().Unix()},
			"latest_version": 1, "min_available_version": 0, "min_decryption_version": 1, "min_encryption_version": 0}
		if err := merge(key, transitFields, r.body); err != nil {
			return fail(400, err.Error())
		}
		if !slices.Contains(transitTypes, key["type"].(string)) {
			return fail(400, "unknown key type "+key["type"].(string))
		}
		signs := !strings.HasPrefix(key["type"].(string), "aes") && !strings.HasPrefix(key["type"].(string), "chacha")
		key["supports_signing"], key["supports_encryption"], key["supports_decryption"] = signs, !signs, !signs
		key["supports_derivation"] = !signs
		m.objects["keys/"+name] = key
	}
	out := maps.Clone(key)
	if out["derived"] == false {
		delete(out, "convergent_encryption")
	} else {
		out["kdf"] = "hkdf_sha256"
	}
	return ok(out)
}
