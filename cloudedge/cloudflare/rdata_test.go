package cloudflare

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzText writes texts as TXT records have them, and reads them again: nothing is lost, and no string is too long.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "v=spf1 -all", `a"b\c`, "é\x00\xff", strings.Repeat("x", 255), strings.Repeat(`"`, 700), `\`,
		`\065`, `"a" "b"`} {
		f.Add(s)
	}
	one := regexp.MustCompile(`^"(\\[0-9]{3}|\\[^0-9]|[^"\\])*"$`)
	f.Fuzz(func(t *testing.T, text string) {
		written := quoteText(text)
		if again := textOf(written); again != text {
			t.Errorf("%q is written %s, and read as %q", text, written, again)
		}
		length := 0
		for rest := written; rest != ""; {
			part, after := unquote(rest)
			if len(part) > maxString {
				t.Errorf("a string of %q has %d bytes", text, len(part))
			}
			length += len(part)
			if n := strings.TrimSpace(strings.TrimSuffix(rest, after)); !one.MatchString(n) {
				t.Errorf("%q is written %s", text, n)
			}
			rest = after
		}
		if length != len(text) {
			t.Errorf("%d bytes of %d", length, len(text))
		}
	})
}

// FuzzRdata reads what zone files, people and the API write. What is read once is read again in its own form.
func FuzzRdata(f *testing.F) {
	for n := range recordTypes {
		for _, s := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "mx.example.org.", "10 MX.example.org",
			"0 5 5269 x.example.org.",
			"0 .", "0 0 0 .", `0 issue "letsencrypt.org; a=b"`, `128 iodef mailto:a@example.org`, `"a" "b"`, `"a`, `bücher.example`, "", "  "} {
			f.Add(n, s)
		}
	}
	f.Fuzz(func(t *testing.T, n int, content string) {
		typ := recordTypes[uint(n)%uint(len(recordTypes))]
		d, err := parseRdata(typ, content)
		if err != nil {
			return
		}
		own := d.String()
		if typ == "TXT" { // a text is written in quotes where it has spaces at its ends, or begins with a quote
			own = quoteText(d.text)
		}
		again, err := parseRdata(typ, own)
		if err != nil || again.String() != d.String() {
			t.Errorf("%s %q is %q, and then %q, %v", typ, content, d, again, err)
		}
		_ = d.body()
	})
}

// FuzzName completes names and takes them apart.
func FuzzName(f *testing.F) {
	for _, s := range []string{"www", "@", "", "WWW.Example.com.", "*.a", "bücher", "example.com.example.com", "xn--bcher-kva",
		"notexample.com", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := whole(name, "example.com")
		if !inZone(w, "example.com") {
			t.Errorf("%q is %q", name, w)
		}
		for l := range strings.SplitSeq(w, ".") {
			if !label.MatchString(l) {
				return // what no spec can say
			}
		}
		if short := within(w, "example.com"); whole(short, "example.com") != w && !inZone(short, "example.com") {
			t.Errorf("%q is %q, and in the zone %q", name, w, short)
		}
	})
}

// TestPolicies puts rights together and takes them apart again: nothing is granted more or less, and no policy has two scopes.
func TestPolicies(t *testing.T) {
	r := &run{client: &client{account: &Account{ID: strings.Repeat("a", 32)}}}
	resources := []string{scopeAccount + "." + r.account.ID, scopeZone + ".*", scopeZone + ".1", scopeZone + ".2",
		scopeBucket + ".a_eu_x", scopeBucket + ".a_default_x"}
	groups := []string{"g1", "g2", "g3"}
	for bits := range 1 << 12 {
		want := map[right]bool{}
		for n := range 12 {
			if bits>>n&1 == 1 {
				want[right{"allow", groups[n%len(groups)], resources[n*7%len(resources)]}] = true
			}
		}
		policies := r.policies(want)
		if has := rights(policies); !maps.Equal(has, want) {
			t.Fatalf("%v is granted as %v", want, has)
		}
		for _, p := range policies {
			scopes := map[string]bool{}
			for _, name := range flat(p.Resources) {
				scopes[scopeOf(name)] = true
			}
			if len(scopes) != 1 || len(p.Groups) == 0 || !slices.IsSortedFunc(p.Groups,
				func(a, b group) int { return strings.Compare(a.ID, b.ID) }) {
				t.Fatalf("%+v", p)
			}
		}
	}
}
