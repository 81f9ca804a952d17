// Package fingerprint tells whether a secret on a server that never shows it is the one that was sent.
package fingerprint

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Of returns a fingerprint of a secret value: the first 128 bits of HMAC-SHA-256 (RFC 2104) of the name and
// the value under the key, in hex. It may be stored beside the value and shown: without the key, not even a
// short value can be guessed from it. The name is that of the object whose value it is, so that two objects
// with one value do not show it. The key is a secret of at least 32 bytes that is made once, see
// [lab.Keyring].
func Of(key lab.Secret, name string, value lab.Secret) string {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(value.Reveal()))
	return hex.EncodeToString(h.Sum(nil)[:16])
}
