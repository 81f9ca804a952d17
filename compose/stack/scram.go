package stack

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const scramIterations = 4096 // PostgreSQL's default, scram_iterations

// verifier returns what the server stores of a password (RFC 5803). Its salt is derived, so that
// the same password gives the same.
func verifier(role string, password lab.Secret) string {
	h := hmac.New(sha256.New, []byte(password.Reveal()))
	h.Write([]byte("lab scram salt " + role))
	return scram(h.Sum(nil)[:16], scramIterations, password)
}

func scram(salt []byte, iterations int, password lab.Secret) string {
	salted, err := pbkdf2.Key(sha256.New, password.Reveal(), salt, iterations, sha256.Size)
	if err != nil {
		return "" // a salt or a number that the FIPS mode of Go refuses: the server then refuses the empty password
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key")))
}

// verifies reports whether what the server stores is of the password.
func verifies(stored string, password lab.Secret) bool {
	rest, ok := strings.CutPrefix(stored, "SCRAM-SHA-256$")
	head, _, _ := strings.Cut(rest, "$")
	n, salt64, _ := strings.Cut(head, ":")
	iterations, err := strconv.Atoi(n)
	salt, err2 := base64.StdEncoding.DecodeString(salt64)
	if !ok || err != nil || err2 != nil || iterations < 1 || iterations > 1e7 {
		return false
	}
	return hmac.Equal([]byte(stored), []byte(scram(salt, iterations, password)))
}
