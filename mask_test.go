package lab_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// wrapped returns text in lines of width characters, each with the indentation.
func wrapped(text string, width int, indent string) string {
	var b strings.Builder
	for len(text) > width {
		b.WriteString(indent + text[:width] + "\n")
		text = text[width:]
	}
	return b.String() + indent + text + "\n"
}

// notations are the ways in which programs repeat a secret that they were given.
var notations = map[string]func(string) string{
	"as it is":            func(s string) string { return s },
	"double quotes of sh": func(s string) string { return regexp.MustCompile("[\"$`\\\\]").ReplaceAllString(s, `\$0`) },
	"printf %q of bash":   func(s string) string { return regexp.MustCompile(`[^\w/.,:=+@%-]`).ReplaceAllString(s, `\$0`) },
	"single quotes":       func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) },
	"Go":                  func(s string) string { return fmt.Sprintf("%q", s) },
	"Go, twice":           func(s string) string { return fmt.Sprintf("%q", fmt.Sprintf("%q", s)) },
	"C, octal": func(s string) string {
		return regexp.MustCompile(`[^\w]`).ReplaceAllStringFunc(s, func(c string) string {
			var out string
			for i := range len(c) {
				out += fmt.Sprintf(`\%03o`, c[i])
			}
			return out
		})
	},
	"systemd": func(s string) string {
		return regexp.MustCompile(`[^\w]`).ReplaceAllStringFunc(s, func(c string) string {
			var out string
			for i := range len(c) {
				out += fmt.Sprintf(`\x%02x`, c[i])
			}
			return out
		})
	},
	"query": url.QueryEscape,
	"path":  url.PathEscape,
	"percent": func(s string) string {
		return regexp.MustCompile(`%..`).ReplaceAllStringFunc(url.PathEscape(s), strings.ToLower)
	},
	"HTML":             html.EscapeString,
	"XML":              strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace,
	"XML, hexadecimal": strings.NewReplacer("&", "&#x26;", "<", "&#x3C;", ">", "&#x3E;", `"`, "&#x22;", "'", "&#x27;").Replace,
	"hex":              func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HEX":              func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"xxd -p":           func(s string) string { return wrapped(hex.EncodeToString([]byte(s)), 60, "") },
	"base64":           func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s)), 76, "") },
	"base64 of a PEM file": func(s string) string {
		return wrapped(base64.StdEncoding.EncodeToString([]byte("user:"+s+"@host")), 64, "")
	},
	"base64 in YAML": func(s string) string {
		return wrapped(base64.URLEncoding.EncodeToString([]byte("u:"+s+"\n")), 20, "    ")
	},
}

// left returns the longest run of value in text, whatever notation text has: the number of
// characters of its encodings that are left.
func left(text, value string) int {
	longest := 0
	compact := strings.NewReplacer("\n", "", " ", "").Replace(text)
	for _, form := range []string{value, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
		base64.RawStdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte("12" + value))} {
		for from := range len(form) {
			for to := from + longest + 1; to <= len(form); to++ {
				if !strings.Contains(text, form[from:to]) && !strings.Contains(compact, form[from:to]) {
					break
				}
				longest = to - from
			}
		}
	}
	return longest
}

// secretValues returns passwords with every printable character, a key of several lines, and others
// that are drawn at random.
func secretValues() []string {
	values := []string{`pa"ss$wo'rd\n<&>%+/ é`, "-----BEGIN KEY-----\n" +
		"q1W2e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0x1C2v3B4n5M6q7W8e9R0t1Y2\nzz/+\n-----END KEY-----\n",
		"correct horse battery staple"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		var b strings.Builder
		for range 8 + r.IntN(60) {
			b.WriteByte(byte('!' + r.IntN('~'-'!'+1)))
		}
		values = append(values, b.String())
	}
	return values
}

// TestMaskKnowsNotations: of a secret no more is left than occurs by chance, in any notation, whatever
// stands around it.
func TestMaskKnowsNotations(t *testing.T) {
	for _, value := range secretValues() {
		m := lab.NewMasker(lab.NewSecret(value))
		for name, notation := range notations {
			for _, around := range [][2]string{{"", ""}, {"password=", " is wrong\n"}, {`"`, `"`}} {
				text := around[0] + notation(value) + around[1]
				masked := m.Mask(text)
				if n := left(masked, value); n > 7 || !strings.Contains(masked, "(secret)") {
					t.Errorf("%s leaves %d characters: %q is masked as %q", name, n, text, masked)
				}
			}
		}
	}
}

// TestMaskLeavesOthers: what is no secret is not touched.
func TestMaskLeavesOthers(t *testing.T) {
	m := lab.NewMasker(lab.NewSecret("hunter2?>hunter2?>"), lab.NewSecret("0123456789abcdef"))
	for _, text := range []string{
		"", `C:\path\to`, "100%", "a & b; &amp; &#34;", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"AAAAC3NzaC1lZDI1NTE5AAAAIKp1hQ8N9PMCgUyZ7W9ZVRdh2wY9pb8gL3sZf7jQ0Yk2", "30313233 is a number", `\`, "%", "&", "%zz", `\x`, `\u12`, "&;",
	} {
		if got := m.Mask(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// TestMaskShortSecrets: a secret of any length can be given; one with fewer than 4 bytes is not masked.
func TestMaskShortSecrets(t *testing.T) {
	for n := range 20 {
		value := "a1B2c3D4e5F6g7H8i9J0k"[:n]
		masked := lab.Mask("x"+value+"y", lab.NewSecret(value))
		if want := "x(secret)y"; n >= 4 && masked != want {
			t.Errorf("%q is masked as %q", value, masked)
		} else if n < 4 && masked != "x"+value+"y" {
			t.Errorf("%q is masked as %q", value, masked)
		}
	}
}

// TestMaskerSplit: text that arrives in pieces, of any size, is masked as if it had arrived at once, and
// what is kept stays short.
func TestMaskerSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, value := range secretValues() {
		m := lab.NewMasker(lab.NewSecret(value))
		for name, notation := range notations {
			text := strings.Repeat("x", r.IntN(900)) + " " + notation(value) + " " + strings.Repeat("y", r.IntN(900)) + notation(value)
			var out strings.Builder
			rest, at := "", 0
			for at < len(text) {
				n := min(1+r.IntN(200), len(text)-at)
				var masked string
				masked, rest = m.Split(rest + text[at:at+n])
				out.WriteString(masked)
				if at += n; len(rest) > 20*len(value)+400 {
					t.Fatalf("%s: %d bytes are kept", name, len(rest))
				}
			}
			out.WriteString(m.Mask(rest))
			if got, want := out.String(), m.Mask(text); got != want && left(got, value) > 7 {
				t.Errorf("%s: %q\nis masked as %q\n       not as %q", name, text, got, want)
			}
		}
	}
	if masked, rest := (&lab.Masker{}).Split("text"); masked != "text" || rest != "" {
		t.Errorf("without secrets: %q, %q", masked, rest)
	}
}
