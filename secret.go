package lab

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// hidden is what a secret shows of itself, whoever asks.
const hidden = "(secret)"

// Secret is a value that must not be shown. Formatting, logging or marshalling one in any way yields "(secret)", and "" when it is empty.
//
// The value lies behind a pointer, so that fmt cannot reach it from an unexported field of another struct, where it calls no methods:
// it prints an address there. The zero Secret is empty. Compare with [Secret.Equal]: == compares identities.
type Secret struct{ p *string }

// NewSecret hides value. NewSecret("") is the empty Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// Reveal returns the value. It is the only way out: grep for it to find every place where a secret leaves.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal reports whether both hold the same value, in a time that does not depend on where they differ.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// String returns "(secret)", or "" for the empty Secret.
func (s Secret) String() string {
	if s.p == nil {
		return ""
	}
	return hidden
}

// GoString returns what String returns.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, for every verb and flag: %x and %q of a secret tell nothing either.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue returns what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns: JSON, YAML and XML show no value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText refuses: a secret in a document would be a secret in plain text. Documents hold a [SecretRef].
func (s *Secret) UnmarshalText([]byte) error {
	return &Error{Op: "read secret", Hint: `write a reference instead, "file:PATH" or "env:NAME"`,
		Err: fmt.Errorf("%w: a secret in plain text in a document", ErrRefused)}
}

// minMasked is the length in bytes below which a part of a secret is not masked in foreign text: shorter strings occur by chance, and
// masking them would say more of the secret than it hides.
const minMasked = 4

// Mask returns text with every occurrence of every secret replaced by "(secret)". It knows the forms in which programs repeat a secret:
// as it is, each of its lines, without the space around them too, escaped for JSON, for a Go string and for a URL, in base64 (standard and URL
// alphabets) by itself and within something longer, such as the "user:password" of an HTTP header, and quoted for a shell, SQL and YAML.
// Secrets, or lines of one, of fewer than 4 bytes are left alone.
func Mask(text string, secrets ...Secret) string {
	if text == "" || len(secrets) == 0 {
		return text
	}
	return NewMasker(secrets...).Mask(text)
}

// Masker is [Mask] prepared for many texts. The zero Masker masks nothing. It is safe for concurrent use.
type Masker struct{ r *strings.Replacer }

// NewMasker returns a Masker of the secrets.
func NewMasker(secrets ...Secret) *Masker {
	seen := map[string]bool{}
	var forms []string
	add := func(s string) {
		if len(s) >= minMasked && !seen[s] {
			seen[s] = true
			forms = append(forms, s)
		}
	}
	for _, s := range secrets {
		v := s.Reveal()
		if v == "" {
			continue
		}
		parts := []string{v}
		if lines := strings.Split(strings.TrimRight(v, "\r\n"), "\n"); len(lines) > 1 || lines[0] != v {
			parts = append(parts, lines...)
		}
		for _, p := range parts {
			p = strings.TrimSuffix(p, "\r")
			if len(strings.TrimSpace(p)) < minMasked {
				continue
			}
			add(p)
			add(strings.TrimSpace(p))
			if j, err := json.Marshal(p); err == nil {
				inside := string(j[1 : len(j)-1])
				add(inside)
				add(unescapeHTML.Replace(inside))
			}
			q := strconv.Quote(p)
			add(q[1 : len(q)-1])
			add(url.QueryEscape(p))
			add(url.PathEscape(p))
			add(strings.ReplaceAll(p, `'`, `'\''`))
			add(strings.ReplaceAll(p, `'`, `'"'"'`))
			add(strings.ReplaceAll(p, `'`, `''`))
		}
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			add(e.EncodeToString([]byte(v)))
		}
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for before := range 3 {
				if within := base64Within(e, v, before); len(within) >= minMaskedWithin {
					add(within)
				}
			}
		}
	}
	if len(forms) == 0 {
		return &Masker{}
	}
	// The longest first: a secret that contains another is masked whole.
	sort.SliceStable(forms, func(i, j int) bool { return len(forms[i]) > len(forms[j]) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, hidden)
	}
	return &Masker{strings.NewReplacer(pairs...)}
}

// unescapeHTML undoes what encoding/json escapes and other writers of JSON do not.
var unescapeHTML = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// minMaskedWithin is the length in characters below which a secret's part of a longer base64 is not masked: it occurs by chance.
const minMaskedWithin = 8

// base64Within returns the characters of a longer text's base64 that v alone decides, when it stands behind so many bytes, modulo 3.
func base64Within(e *base64.Encoding, v string, before int) string {
	text := e.EncodeToString(append(make([]byte, before), v...))
	return text[(before*8+5)/6 : (before+len(v))*8/6]
}

// Mask returns text with every occurrence of the secrets replaced by "(secret)".
func (m *Masker) Mask(text string) string {
	if m == nil || m.r == nil {
		return text
	}
	return m.r.Replace(text)
}

// SecretRef says where a secret is, so that documents need not hold it: "env:NAME", an environment variable, or "file:PATH", a file whose
// content, less one final newline, is the secret. The zero SecretRef refers to nothing.
type SecretRef struct {
	Scheme string // "env" or "file"; empty means that there is no reference
	Name   string // the variable's name, or the file's path
}

// ParseSecretRef reads "env:NAME" or "file:PATH"; "" is the zero SecretRef. Anything else is an error that does not repeat the text,
// since it may be the secret itself.
func ParseSecretRef(text string) (SecretRef, error) {
	if text == "" {
		return SecretRef{}, nil
	}
	scheme, name, ok := strings.Cut(text, ":")
	if !ok || name == "" || (scheme != "env" && scheme != "file") {
		return SecretRef{}, &Error{Op: "read secret reference", Hint: `write "file:PATH" or "env:NAME"`,
			Err: fmt.Errorf("%w: not a reference; a secret in plain text is not accepted here", ErrRefused)}
	}
	return SecretRef{scheme, name}, nil
}

// UnmarshalText is [ParseSecretRef].
func (r *SecretRef) UnmarshalText(text []byte) (err error) {
	*r, err = ParseSecretRef(string(text))
	return err
}

// String returns the reference as it is written; "" for the zero SecretRef.
func (r SecretRef) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Scheme + ":" + r.Name
}

// MarshalText returns what String returns.
func (r SecretRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// IsZero reports whether the reference is to nothing.
func (r SecretRef) IsZero() bool { return r == SecretRef{} }

// Resolve reads the secret. The caller passes the two places that a reference can name, os.LookupEnv and os.ReadFile in a program; a nil
// place is refused. A secret that is missing or empty is an [ErrNotFound]; the zero SecretRef resolves to the empty Secret.
func (r SecretRef) Resolve(env func(string) (string, bool), file func(string) ([]byte, error)) (Secret, error) {
	fail := func(hint string, err error) (Secret, error) {
		return Secret{}, &Error{Op: "read secret", Target: r.String(), Hint: hint, Err: err}
	}
	var v string
	switch {
	case r.IsZero():
		return Secret{}, nil
	case r.Scheme == "env" && env != nil:
		s, ok := env(r.Name)
		if !ok {
			return fail("export "+r.Name, fmt.Errorf("%w: the environment variable is not set", ErrNotFound))
		}
		v = s
	case r.Scheme == "file" && file != nil:
		b, err := file(r.Name)
		if err != nil {
			return fail("create the file with mode 0600", err)
		}
		v = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	default:
		return fail(`write "file:PATH" or "env:NAME"`, fmt.Errorf("%w: no such place here", ErrRefused))
	}
	if v == "" {
		return fail("give it a value", fmt.Errorf("%w: it is empty", ErrNotFound))
	}
	return NewSecret(v), nil
}
