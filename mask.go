package lab

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// minMasked is the length in bytes below which a part of a secret is not masked: shorter strings
// occur by chance, and masking them would reveal more of the secret than it hides.
const minMasked = 4

// Mask returns text with every occurrence of every secret replaced by "(secret)". It finds the
// forms in which programs repeat a secret: unchanged; each of its lines, with and without
// surrounding space; quoted for a shell, SQL and YAML; escaped with backslashes (a shell's double
// quotes, printf %q, JSON, Go, C), for a URL, or for HTML; and in base64 (standard and URL
// alphabets) or hexadecimal, alone, within something longer such as the "user:password" of an HTTP
// header, and wrapped to lines. Of base64 and hexadecimal it finds parts too. Secrets, or lines of
// one, with fewer than 4 bytes are not masked.
//
// Mask before text is cut: of a secret that was cut in two, neither part is found. For text that
// arrives in pieces see [Masker.Split].
func Mask(text string, secrets ...Secret) string {
	if text == "" || len(secrets) == 0 {
		return text
	}
	return NewMasker(secrets...).Mask(text)
}

// Masker does the same as [Mask] for many texts. The zero Masker masks nothing. It is safe for
// concurrent use.
type Masker struct {
	forms   *strings.Replacer // what is found as it stands
	parts   []string          // the secrets and their lines, the longest first
	encoded encodedParts
	longest int // of an occurrence, in bytes
}

// NewMasker returns a Masker for the secrets.
func NewMasker(secrets ...Secret) *Masker {
	m := &Masker{encoded: encodedParts{base64: map[window]bool{}, hex: map[window]bool{}}}
	parts, forms := &longestFirst{}, &longestFirst{}
	for _, s := range secrets {
		v := s.Reveal()
		if v == "" {
			continue
		}
		for _, p := range maskedParts(v) {
			parts.add(p)
			forms.add(quotedForms(p)...)
		}
		forms.add(encodedForms(v)...)
		m.encoded.add(v)
	}
	if m.parts = parts.sorted(); len(m.parts) == 0 {
		return &Masker{}
	}
	// An occurrence is longest if each byte is escaped as \u0022.
	m.longest = 6 * len(m.parts[0])
	pairs := make([]string, 0, 2*len(forms.list))
	for _, f := range forms.sorted() {
		pairs = append(pairs, f, hidden)
	}
	m.forms = strings.NewReplacer(pairs...)
	return m
}

// Mask returns text with every occurrence of the secrets replaced by "(secret)".
func (m *Masker) Mask(text string) string {
	if m == nil || m.forms == nil {
		return text
	}
	text = m.forms.Replace(text)
	found := m.encoded.find(text)
	for _, n := range notations {
		if strings.IndexByte(text, n.sign) >= 0 {
			found = append(found, n.decode(text).find(m.parts)...)
		}
	}
	return hide(text, found)
}

// Split masks the beginning of a text that has not arrived completely. rest is its end, not
// masked, in which a secret may have begun: put it before what arrives next.
func (m *Masker) Split(text string) (masked, rest string) {
	if m == nil || m.forms == nil {
		return text, ""
	}
	whole := m.Mask(text)
	for at := len(text) - m.longest; at > 0; at-- {
		// no secret lies across at
		if masked = m.Mask(text[:at]); masked+m.Mask(text[at:]) == whole {
			return masked, text[at:]
		}
	}
	return "", text
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
			Hint: m.Mask(e.Hint), Set: Setting{e.Set.Name, m.Mask(e.Set.Value)}, Err: m.Err(e.Err)}
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
