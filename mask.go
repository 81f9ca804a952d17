package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// minMasked is the length in bytes below which a part of a secret is not masked: shorter strings
// occur by chance, and masking them would reveal more of the secret than it hides.
const minMasked = 4

// Mask returns text with every occurrence of every secret replaced by "(secret)". It finds the
// forms in which programs repeat a secret: unchanged; each of its lines, with and without
// surrounding space; escaped for JSON, a Go string or a URL; in base64 (standard and URL
// alphabets), alone and within something longer, such as the "user:password" of an HTTP header; and
// quoted for a shell, SQL and YAML. Secrets, or lines of one, with fewer than 4 bytes are not
// masked.
func Mask(text string, secrets ...Secret) string {
	if text == "" || len(secrets) == 0 {
		return text
	}
	return NewMasker(secrets...).Mask(text)
}

// Masker does the same as [Mask] for many texts. The zero Masker masks nothing. It is safe for
// concurrent use.
type Masker struct{ r *strings.Replacer }

// NewMasker returns a Masker for the secrets.
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
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding,
			base64.URLEncoding, base64.RawURLEncoding} {
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
	// The longest first, so that a secret that contains another is masked as a whole.
	sort.SliceStable(forms, func(i, j int) bool { return len(forms[i]) > len(forms[j]) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, hidden)
	}
	return &Masker{strings.NewReplacer(pairs...)}
}

// unescapeHTML reverts the escapes that encoding/json uses and other JSON encoders do not.
var unescapeHTML = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// minMaskedWithin is the length in characters below which the part of a secret within a longer
// base64 text is not masked: shorter ones occur by chance.
const minMaskedWithin = 8

// base64Within returns those characters of a longer text's base64 that depend on v only, if v is
// preceded by that many bytes, modulo 3.
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

// Err returns err with every occurrence of the secrets in its text and its hints replaced by
// "(secret)"; err itself if there is none. The result keeps the kinds of the error and the end of a
// context for [errors.Is], the fields of every [*Error], the parts of a joined error, and
// [SafeToRetry]. It does not wrap anything else, which might show the secret.
func (m *Masker) Err(err error) error {
	if err == nil {
		return nil
	}
	text := m.Mask(err.Error())
	if text == err.Error() && !slices.ContainsFunc(Hints(err), func(h string) bool { return m.Mask(h) != h }) {
		return err
	}
	switch e := err.(type) {
	case *Error:
		return &Error{Op: m.Mask(e.Op), Target: m.Mask(e.Target), Path: m.Mask(e.Path),
			Hint: m.Mask(e.Hint), Err: m.Err(e.Err)}
	case *notSent:
		return NotSent(m.Err(e.err))
	case interface{ Unwrap() []error }:
		var parts []error
		for _, part := range e.Unwrap() {
			parts = append(parts, m.Err(part))
		}
		if joined := errors.Join(parts...); joined != nil && joined.Error() == text {
			return joined
		}
	}
	masked := &maskedError{text: text, safe: SafeToRetry(err)}
	for _, kind := range append([]error{context.Canceled, context.DeadlineExceeded}, kinds...) {
		if errors.Is(err, kind) {
			masked.kinds = append(masked.kinds, kind)
		}
	}
	for _, hint := range Hints(err) {
		masked.hints = append(masked.hints, m.Mask(hint))
	}
	return masked
}

// maskedError replaces an error that repeats a secret: it keeps the properties of that error, and
// does not wrap it.
type maskedError struct {
	text  string
	kinds []error
	hints []string
	safe  bool
}

func (e *maskedError) Error() string        { return e.text }
func (e *maskedError) Is(target error) bool { return slices.Contains(e.kinds, target) }
func (e *maskedError) SafeToRetry() bool    { return e.safe }
