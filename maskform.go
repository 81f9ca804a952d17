package lab

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// maskedParts returns what is masked of a secret: the secret and each of its lines, with and without
// the space around them.
func maskedParts(v string) []string {
	parts := []string{v}
	if lines := strings.Split(strings.TrimRight(v, "\r\n"), "\n"); len(lines) > 1 || lines[0] != v {
		parts = append(parts, lines...)
	}
	var out []string
	for _, p := range parts {
		p = strings.TrimSuffix(p, "\r")
		if trimmed := strings.TrimSpace(p); len(trimmed) >= minMasked {
			out = append(out, p, trimmed)
		}
	}
	return out
}

// quotedForms returns what programs write for p when they quote it.
func quotedForms(p string) []string {
	forms := []string{p, url.QueryEscape(p), url.PathEscape(p),
		strings.ReplaceAll(p, `'`, `'\''`), strings.ReplaceAll(p, `'`, `'"'"'`), strings.ReplaceAll(p, `'`, `''`)}
	q := strconv.Quote(p)
	forms = append(forms, q[1:len(q)-1])
	if j, err := json.Marshal(p); err == nil {
		inside := string(j[1 : len(j)-1])
		forms = append(forms, inside, unescapeHTML.Replace(inside))
	}
	return forms
}

// unescapeHTML reverts the escapes that encoding/json uses and other JSON encoders do not.
var unescapeHTML = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// minMaskedWithin is the length in characters below which the part of a secret within a longer
// base64 text is not masked: shorter ones occur by chance.
const minMaskedWithin = 8

// encodedForms returns v in base64, alone and within something longer.
func encodedForms(v string) (forms []string) {
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding,
		base64.URLEncoding, base64.RawURLEncoding} {
		forms = append(forms, e.EncodeToString([]byte(v)))
	}
	return append(forms, base64Within(v)...)
}

// base64Within returns those characters of a longer text's base64 that depend on v only: for v
// preceded by 0, 1 and 2 bytes, modulo 3.
func base64Within(v string) (forms []string) {
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := e.EncodeToString(append(make([]byte, before), v...))
			if text = text[(before*8+5)/6 : (before+len(v))*8/6]; len(text) >= minMaskedWithin {
				forms = append(forms, text)
			}
		}
	}
	return forms
}

// longestFirst collects different strings that are long enough to be masked.
type longestFirst struct {
	list []string
	has  map[string]bool
}

func (l *longestFirst) add(all ...string) {
	if l.has == nil {
		l.has = map[string]bool{}
	}
	for _, s := range all {
		if len(s) >= minMasked && !l.has[s] {
			l.has[s] = true
			l.list = append(l.list, s)
		}
	}
}

// sorted returns the strings, the longest first: a secret that contains another is masked as a whole.
func (l *longestFirst) sorted() []string {
	sort.SliceStable(l.list, func(i, j int) bool { return len(l.list[i]) > len(l.list[j]) })
	return l.list
}
