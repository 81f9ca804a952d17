package ovh

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseZone(t *testing.T) {
	z, err := parseZone("example.com", `$TTL 1h
@	IN SOA dns104.ovh.net. tech.ovh.net. (2026120100 86400 3600
	3600000 60) ; the parenthesis goes on
                       IN NS     dns104.ovh.net.
                   600 IN MX     10 mx
                       IN TXT    ( "v=spf1 "
                                   "-all" )
www                    IN CNAME  example.com.
Mixed.example.com. 300 IN A      192.0.2.1
mixed                  IN A      192.0.2.2
odd              IN 60 TXT       "a;b" plain "say \"no\" \195\169"
v6                     IN AAAA   2001:DB8:0:0::1
_443._tcp              IN TLSA   3 1 1 ABCD EF01
@                      IN CAA    0 ISSUE "letsencrypt.org"
$ORIGIN sub.example.com.
a                      IN SRV    0 01 443 host
`)
	if err != nil {
		t.Fatal(err)
	}
	var has []string
	for _, s := range z.names() {
		has = append(has, s.String()+" "+z.sets[s].String())
	}
	want := []string{`CAA @ 3600 0 issue "letsencrypt.org"`, `MX @ 600 10 mx.example.com.`, `NS @ 3600 dns104.ovh.net.`,
		`TXT @ 3600 "v=spf1 -all"`, `TLSA _443._tcp 3600 3 1 1 abcdef01`, `SRV a.sub 3600 0 1 443 host.sub.example.com.`,
		`A mixed -1 192.0.2.1 | 192.0.2.2`, `TXT odd 60 "a;bplainsay \"no\" \195\169"`, `AAAA v6 3600 2001:db8::1`,
		`CNAME www 3600 example.com.`}
	if !slices.Equal(has, want) {
		t.Errorf("has\n%s\nwant\n%s", strings.Join(has, "\n"), strings.Join(want, "\n"))
	}
}

// TestParseZoneRefuses gives it what it must not half understand.
func TestParseZoneRefuses(t *testing.T) {
	for _, text := range []string{"$INCLUDE other", "$TTL x", "www IN A", "www IN A 1.2.3", `www IN TXT "a`, "www IN TXT ( a",
		"www IN TXT a )",
		`www IN TXT "\25"`, `www IN TXT "\256"`, "www.example.org. IN A 192.0.2.1", "notexample.com. IN A 192.0.2.1", "www IN MX x mail.",
		"$ORIGIN", "www"} {
		if z, err := parseZone("example.com", text); err == nil || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Errorf("%q: %v %v", text, z, err)
		}
	}
}

// FuzzText writes texts as records, and reads them back.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "v=spf1 -all", `say "no"; \ é`,
		strings.Repeat("a", 255), strings.Repeat("é", 300), "\x00\n(;)", `\`, `"`, `\034`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := quoteText(text)
		for _, chunk := range strings.Split(quoted, `" "`) {
			if len(chunk) > 4*longest+2 {
				t.Errorf("a string of %d bytes", len(chunk))
			}
		}
		again, err := canonical("TXT", quoted, "")
		if err != nil || again != quoted {
			t.Fatalf("%q is written as %s, and read as %s, %v", text, quoted, again, err)
		}
		z, err := parseZone("example.com", "a IN TXT "+quoted+"\nb IN A 192.0.2.1\n")
		if err != nil || fmt.Sprint(z.sets[rrset{"TXT", "a"}].targets) != "["+quoted+"]" || len(z.sets) != 2 {
			t.Fatalf("%q is read of a zone as %v, %v", text, z, err)
		}
		tokens, err := tokenize(quoted)
		back := ""
		for _, token := range tokens {
			back += token.value
		}
		if err != nil || back != text {
			t.Fatalf("%q comes back as %q, %v", text, back, err)
		}
	})
}

// FuzzZone reads anything: what it reads, it reads again when that is written.
func FuzzZone(f *testing.F) {
	f.Add("$TTL 60\n@ IN SOA a. b. (1 2 3 4 5)\n IN NS a.\nwww 300 IN A 192.0.2.1\n")
	f.Add("a IN TXT ( \"b\"\n\"c\" ) ; d\nb IN CAA 0 issue \"x\"\n* IN CNAME a\n")
	f.Add("a 1w IN MX 10 @\n$ORIGIN b\n@ IN LOC 48 51 29 N\n")
	f.Fuzz(func(t *testing.T, text string) {
		z, err := parseZone("example.com", text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, s := range z.names() {
			c := z.sets[s]
			if c.ttl == mixed || strings.ContainsAny(s.Name+s.Type, "\\\"") {
				return
			}
			name := s.Name + ".example.com."
			if s.Name == "" {
				name = "@"
			}
			for _, target := range c.targets {
				if s.Type == "" || !slices.Contains(types, s.Type) || strings.ContainsAny(target, `\`) && s.Type != "TXT" {
					return
				}
				fmt.Fprintf(&b, "%s %d IN %s %s\n", name, c.ttl, s.Type, target)
			}
		}
		again, err := parseZone("example.com", b.String())
		if err != nil {
			t.Fatalf("%q is written as\n%s\nwhich is not read: %v", text, b.String(), err)
		}
		for s, c := range z.sets {
			if !c.equal(again.sets[s]) {
				t.Fatalf("%q: %s is %v, and again %v", text, s, c, again.sets[s])
			}
		}
	})
}
