package host

import (
	"os"
	"strings"
	"testing"
)

// TestFingerprint: the fingerprint is that which gpg shows, and no other key beside it is accepted.
func TestFingerprint(t *testing.T) {
	b, err := os.ReadFile("docker/docker.asc")
	if err != nil {
		t.Fatal(err)
	}
	key := string(b)
	const print = "9DC8 5822 9FC7 DD38 854A  E2D8 8D81 803C 0EBF CD88" // gpg --show-keys
	source := func(key, print string) AptSource {
		return AptSource{Name: "x", URIs: []string{"https://x"}, Suites: []string{"x"}, Key: key, Fingerprint: print}
	}
	other := strings.Replace(key, "mQINBFit2ioBEADh", "mQINBFit2ioBEADi", 1)
	for name, c := range map[string]struct{ key, print, problem string }{
		"the key":              {key, print, ""},
		"lower case":           {key, "9dc858229fc7dd38854ae2d88d81803c0ebfcd88", ""},
		"DOS line ends":        {strings.ReplaceAll(key, "\n", "\r\n"), print, ""},
		"with a header":        {strings.Replace(key, "BLOCK-----\n", "BLOCK-----\nComment: x\n", 1), print, ""},
		"another key":          {other, print, "has the fingerprint"},
		"another key after it": {key + other, print, "has the fingerprint"},
		"before it":            {other + key, print, "has the fingerprint"},
		"cut off":              {strings.Replace(key, "G34Ct5RS", "", 1), print, "is"},
		"no end":               {key[:2000], print, "has no end"},
		"no content":           {pgpBegin + "\n\n" + pgpEnd, print, "there is no public key"},
		"nonsense":             {pgpBegin + "\n\n!\n" + pgpEnd, print, "illegal base64"},
		"text":                 {pgpBegin + "\n\naGVsbG8=\n" + pgpEnd, print, "this is not a key"},
		"a short fingerprint":  {key, "8D81803C0EBFCD88", "is not a fingerprint"},
		"no key":               {"", print, "requires a key"},
	} {
		ps := source(c.key, c.print).Validate()
		if c.problem == "" && len(ps) > 0 || c.problem != "" && (len(ps) != 1 || !strings.Contains(ps[0].String(), c.problem)) {
			t.Errorf("%s: %v, want %q", name, ps, c.problem)
		}
	}
}

// FuzzFingerprint: no text makes it fail otherwise than with an error.
func FuzzFingerprint(f *testing.F) {
	f.Add("\n\naGVsbG8=\n")
	f.Add("\n\nmQINBFit2ioBEADh\n")
	f.Add("\n\nxv8AAAAA\n")
	f.Fuzz(func(t *testing.T, body string) {
		if prints, err := pgpFingerprints(pgpBegin + body + pgpEnd); (err == nil) != (len(prints) > 0) {
			t.Errorf("%q %v", prints, err)
		}
	})
}
