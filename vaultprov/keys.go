package vaultprov

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Keys open a Vault. They are what its init returned, once.
type Keys struct {
	Shares    []lab.Secret // of the key that unseals it, in hex or base64
	Threshold int          // how many of the shares are needed; 0 means that the server is asked
	Root      lab.Secret   // the root token, which may be revoked since; empty if it is not known
}

// keyFile is what "vault operator init -format=json" prints, which is how keys are kept, and what the API answers.
type keyFile struct {
	Base64    []string `json:"unseal_keys_b64"`
	Hex       []string `json:"unseal_keys_hex"`
	Shares    int      `json:"unseal_shares"`
	Threshold int      `json:"unseal_threshold"`
	Root      string   `json:"root_token"`

	APIHex    []string `json:"keys,omitempty"`
	APIBase64 []string `json:"keys_base64,omitempty"`
}

// Secret returns the keys as "vault operator init -format=json" prints them, for a sink.
func (k Keys) Secret() lab.Secret {
	f := keyFile{Base64: []string{}, Hex: []string{}, Shares: len(k.Shares), Threshold: k.Threshold,
		Root: k.Root.Reveal()}
	for _, share := range k.Shares {
		b, _ := decodeShare(share)
		f.Base64 = append(f.Base64, base64.StdEncoding.EncodeToString(b))
		f.Hex = append(f.Hex, hex.EncodeToString(b))
	}
	b, _ := json.MarshalIndent(f, "", "  ") // it cannot fail: these are texts and numbers
	return lab.NewSecret(string(b) + "\n")
}

// ParseKeys reads what "vault operator init -format=json" prints, or what the API answers. The error does not
// repeat the text.
func ParseKeys(text lab.Secret) (Keys, error) {
	fail := func(what, hint string) (Keys, error) {
		return Keys{}, &lab.Error{Op: "read unseal keys", Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrInvalid, what)}
	}
	plain := text.Reveal()
	if strings.HasPrefix(plain, "-----BEGIN AGE ENCRYPTED FILE-----") ||
		strings.HasPrefix(plain, "age-encryption.org/") {
		return fail("they are encrypted", "decrypt them first: age -d -i IDENTITY FILE")
	}
	var f keyFile
	if err := json.Unmarshal([]byte(plain), &f); err != nil {
		return fail("it is not JSON", "give what vault operator init -format=json has printed")
	}
	k := Keys{Threshold: f.Threshold, Root: lab.NewSecret(f.Root)}
	for _, list := range [][]string{f.Base64, f.Hex, f.APIBase64, f.APIHex} {
		if len(list) == 0 || len(k.Shares) > 0 {
			continue
		}
		for n, share := range list {
			s := lab.NewSecret(share)
			b, err := decodeShare(s)
			switch {
			case err != nil:
				return fail(fmt.Sprintf("share %d is neither hex nor base64", n+1), "look at the file")
			case len(b) > longestShare:
				return fail(fmt.Sprintf("share %d is encrypted", n+1),
					"let who holds the PGP key decrypt it, and unseal with that")
			}
			k.Shares = append(k.Shares, s)
		}
	}
	if len(k.Shares) == 0 {
		return fail("there are no unseal keys", "give what vault operator init -format=json has printed")
	}
	if k.Threshold < 0 || k.Threshold > len(k.Shares) && f.Shares == len(k.Shares) {
		return fail(fmt.Sprintf("%d of %d shares are needed", k.Threshold, len(k.Shares)), "look at the file")
	}
	return k, nil
}

// longestShare is the length of a share in bytes: 32 of the key, and its place if there are others.
const longestShare = 33

// decodeShare returns the bytes of a share. Vault takes hex for hex first.
func decodeShare(s lab.Secret) ([]byte, error) {
	text := strings.TrimSpace(s.Reveal())
	b, err := hex.DecodeString(text)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%w: neither hex nor base64", lab.ErrInvalid)
	}
	return b, nil
}
