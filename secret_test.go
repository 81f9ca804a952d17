package lab_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const value = "hunter2-Zq9"

func TestSecretIsNeverFormatted(t *testing.T) {
	s := lab.NewSecret(value)
	type holder struct {
		Exported lab.Secret
		hidden   lab.Secret
		pointer  *lab.Secret
		list     []lab.Secret
		named    map[string]lab.Secret
		any      any
	}
	h := holder{s, s, &s, []lab.Secret{s}, map[string]lab.Secret{"k": s}, s}
	var logged strings.Builder
	logger := slog.New(slog.NewJSONHandler(&logged, nil))
	logger.Info("x", "secret", s, "holder", h, "pointer", &h)
	outputs := []string{logged.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%08.3f", "%!"} {
		for _, v := range []any{s, &s, h, &h, []lab.Secret{s}, map[string]any{"a": s},
			fmt.Errorf("wrapped: %w", &lab.Error{Op: "x", Err: fmt.Errorf("%v", h)})} {
			outputs = append(outputs, fmt.Sprintf(verb, v))
		}
	}
	for _, v := range []any{s, h, map[string]lab.Secret{"k": s}} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, string(j))
	}
	for _, out := range outputs {
		if strings.Contains(out, value) || strings.Contains(out, fmt.Sprintf("%x", value)) {
			t.Errorf("shown: %s", out)
		}
	}
	if s.Reveal() != value || s.String() != "(secret)" || (lab.Secret{}).String() != "" ||
		!s.Equal(lab.NewSecret(value)) || s.Equal(lab.NewSecret("x")) {
		t.Error("a secret does not have the value it was given")
	}
}

func TestMaskForms(t *testing.T) {
	multi := lab.NewSecret("first line of it\nsecond 'line' & more\n")
	s := lab.NewSecret(`p"w\` + "\t" + `{}'é/+`)
	quoted, err := json.Marshal(s.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"x " + s.Reveal() + " y", string(quoted), url.QueryEscape(s.Reveal()), url.PathEscape(s.Reveal()),
		"cG" + "x", "sh: " + strings.ReplaceAll(s.Reveal(), "'", `'\''`),
		"error near: second 'line' & more", multi.Reveal(),
	} {
		masked := lab.Mask(text, s, multi)
		for _, part := range []string{s.Reveal(), url.QueryEscape(s.Reveal()), "first line of it", "second 'line'"} {
			if strings.Contains(masked, part) {
				t.Errorf("%q is masked as %q", text, masked)
			}
		}
	}
	if got := lab.Mask("a b abc", lab.NewSecret("abc")); got != "a b abc" {
		t.Errorf("a secret of three bytes: %q", got)
	}
	if got := lab.Mask("tokentoken2", lab.NewSecret("token"), lab.NewSecret("token2")); got != "(secret)(secret)" {
		t.Errorf("a secret within another: %q", got)
	}
}

// TestMaskNotations masks secrets in the notations of several programs.
func TestMaskNotations(t *testing.T) {
	s := lab.NewSecret(`it's <a>&b "q" pass`)
	for _, text := range []string{
		`"it's <a>&b \"q\" pass"`, `"it's \u003ca\u003e\u0026b \"q\" pass"`, // JSON of jq and of Go
		`SET PASSWORD 'it''s <a>&b "q" pass'`, `+ echo 'it'"'"'s <a>&b "q" pass'`,
	} {
		if masked := lab.Mask(text, s); strings.Contains(masked, "pass") && !strings.Contains(masked, "PASSWORD") ||
			strings.Contains(masked, "<a>") {
			t.Errorf("%s is masked as %s", text, masked)
		}
	}
	if got, want := lab.Mask(`"caf\x00\u2028-secret"`, lab.NewSecret("caf\x00\u2028-secret")), `"(secret)"`; got != want {
		t.Errorf("quoted for Go: %s", got)
	}
	if got, want := lab.Mask("key: value of it\n", lab.NewSecret("  key: value of it\n")), "(secret)\n"; got != want {
		t.Errorf("without its indentation: %q", got)
	}
	for _, user := range []string{"", "a", "ab", "abc", "abcd"} {
		for _, after := range []string{"", "\n", "xy", "xyz"} {
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				// up to 3 characters at either end depend on other bytes too
				masked := lab.Mask("Basic "+e.EncodeToString([]byte(user+":hunter2?>hunter2?>"+after)),
					lab.NewSecret("hunter2?>hunter2?>"))
				if rest := strings.Replace(masked, "(secret)", "", 1); rest == masked ||
					len(rest) > len("Basic ")+(len(user)+1+len(after))*4/3+6 {
					t.Errorf("%q before, %q after: %s", user, after, masked)
				}
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("some text with password in it", "password")
	f.Add("a\nb\nc", "a\nb")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < 4 || strings.Contains("(secret)", secret) || len(strings.TrimSpace(secret)) < 4 {
			return
		}
		if m := lab.Mask(text, lab.NewSecret(secret)); strings.Contains(strings.ReplaceAll(m, "(secret)", "\x00"), secret) {
			t.Fatalf("%q in %q leaves %q", secret, text, m)
		}
	})
}

func TestSecretRef(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"TOKEN": value, "EMPTY": ""}[name]
		return v, ok
	}
	file := func(name string) ([]byte, error) {
		if name == "/s" {
			return []byte(value + "\n"), nil
		}
		return nil, os.ErrNotExist
	}
	for text, want := range map[string]error{"env:TOKEN": nil, "file:/s": nil, "": nil, "env:NONE": lab.ErrNotFound,
		"env:EMPTY": lab.ErrNotFound, "file:/none": os.ErrNotExist} {
		r, err := lab.ParseSecretRef(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Resolve(env, file)
		if !errors.Is(err, want) || want == nil && text != "" && s.Reveal() != value {
			t.Errorf("%q: %v %v", text, s, err)
		}
	}
	for _, text := range []string{value, "vault:x", "env:", ":x", "file"} {
		if _, err := lab.ParseSecretRef(text); !errors.Is(err, lab.ErrRefused) ||
			text == value && strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var s lab.Secret
	if err := json.Unmarshal([]byte(`"`+value+`"`), &s); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a secret was read from a document: %v", err)
	}
	var c lab.Confirmation
	if err := json.Unmarshal([]byte(`"x"`), &c); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a confirmation was read from a document: %v", err)
	}
}
