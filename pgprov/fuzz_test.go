package pgprov

import (
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

func FuzzParseDSN(f *testing.F) {
	for _, s := range []string{"postgres://u:p@127.0.0.1:5432/db?sslmode=disable",
		"postgres:///db?host=/run/postgresql", "postgresql://h", "postgres://u:p%zz@h", "host=h user=u"} {
		f.Add(s, "pa55word")
	}
	f.Fuzz(func(t *testing.T, dsn, password string) {
		if len(password) < 6 || strings.Contains("unknown parameter printable characters", password) {
			return
		}
		s, err := ParseDSN(strings.Replace(dsn, ":p@", ":"+password+"@", 1))
		if err != nil {
			if strings.Contains(dsn, ":p@") && strings.Contains(err.Error(), password) {
				t.Errorf("the error repeats the password: %v", err)
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%q was read and is not valid: %v", dsn, err)
		}
	})
}

func TestParseDSN(t *testing.T) {
	for dsn, want := range map[string]Server{
		"postgres://127.0.0.1": {Host: "127.0.0.1"},
		"postgresql://ops@[::1]:6000/postgres": {Host: "::1", Port: 6000, User: "ops",
			Database: "postgres"},
		"postgres:///template1?host=/run/postgresql&port=5433": {Host: "/run/postgresql", Port: 5433,
			Database: "template1"},
		"postgres://localhost?user=ops&dbname=x&sslmode=prefer": {Host: "localhost", User: "ops", Database: "x"},
		"postgresql://u:p@%2Frun%2Fpostgresql/db":               {Host: "/run/postgresql", User: "u", Database: "db"},
		"postgres://%2Fvar%2Frun:5433/db":                       {Host: "/var/run", Port: 5433, Database: "db"},
		"postgres://u%40corp:p%3A%2F@127.0.0.1/d%2Fb":           {Host: "127.0.0.1", User: "u@corp", Database: "d/b"},
		"postgres://u:p@ss@127.0.0.1":                           {Host: "127.0.0.1", User: "u"},
	} {
		got, err := ParseDSN(dsn)
		if err != nil || got.Host != want.Host || got.Port != want.Port || got.User != want.User ||
			got.Database != want.Database || got.TLS != nil {
			t.Errorf("%s: %+v, %v", dsn, got, err)
		}
	}
	if s, err := ParseDSN("postgres://127.0.0.1?password=a+b%2Bc"); err != nil || s.Password.Reveal() != "a+b+c" {
		t.Errorf("a plus sign in a parameter: %v", err)
	}
	if s, err := ParseDSN("postgres://db.example"); err != nil || s.TLS == nil || s.TLS.InsecureSkipVerify {
		t.Errorf("another machine is verified in full: %v, %v", s.TLS, err)
	}
	for _, dsn := range []string{"postgres://db.example/x?sslrootcert=system", "postgres://127.0.0.1?sslrootcert=system"} {
		if s, err := ParseDSN(dsn); err != nil || s.TLS == nil || s.TLS.InsecureSkipVerify || s.TLS.RootCAs != nil {
			t.Errorf("%s: the system's authorities are asked: %v, %v", dsn, s.TLS, err)
		}
	}
	for dsn, says := range map[string]string{
		"postgres://h?sslmod=disable":                     `did you mean "sslmode"`,
		"postgres://h?sslmode=prefer":                     "whoever is in between",
		"postgres://h?sslmode=sometimes":                  "one of disable",
		"postgres://a,b/x":                                "more than one host",
		"postgres://":                                     "host: empty",
		"mysql://h":                                       "postgres://",
		"postgres://h?sslrootcert=/nonexistent/ca.pem":    "/nonexistent/ca.pem",
		"postgres://127.0.0.1?options=-c%20role%3Dx":      "unknown parameter",
		"postgres://127.0.0.1?servicefile=/etc/services":  `unknown parameter "servicefile"`,
		"postgres://h?sslrootcert=system&sslmode=require": "sslmode=verify-full",
		"postgres://%2Frun%zz/x":                          "hexadecimal digits",
		"postgres://[::1]x/db":                            "between the address and its port",
		"postgres://h/a@b":                                `an "@" stands behind`,
		"postgres://h?host=a%20b":                         "no host's name has",
	} {
		if _, err := ParseDSN(dsn); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", dsn, err, says)
		}
	}
}

// TestDSNKeepsItsSecret puts a password that is not percent-encoded wherever the URL may break on it:
// what cannot be read is not repeated, and neither is what ended up in another part of the URL.
func TestDSNKeepsItsSecret(t *testing.T) {
	const secret = "hunter2xyz"
	for _, before := range []string{"", "12?", "12/", "12#", "12", "?", "/", "#", "@", ":", "[", "]", "[]", "%zz", "%", "%00",
		" ", "\n", "12?host=", "12?sslmode=", "12?port=", "12?sslmod=", "12?sslrootcert=", "12/db?", "a,b", `\`, "12?a=b&"} {
		for _, after := range []string{"", "/", "?", "#", "@", ":", "%zz", " ", "=", "&", "=x", ","} {
			for _, form := range []string{"postgres://postgres:%s@host/db", "postgresql://%s@host/db", "postgres://u:p@%s/db",
				"postgres://u:%s", "postgres:%s@host/db", "host=h password=%s", "psql://u:%s@h/db"} {
				dsn := strings.Replace(form, "%s", before+secret+after, 1)
				if strings.HasPrefix(before, "12?") && !strings.Contains(form, "%s@") {
					continue // a whole URL, whatever was meant
				}
				s, err := ParseDSN(dsn)
				if err != nil && strings.Contains(err.Error()+strings.Join(lab.Hints(err), ""), secret) {
					t.Errorf("%q: %v", dsn, err)
				}
				shown := s.Host + s.Database
				if err == nil && strings.Contains(form, ":%s@") && strings.Contains(shown, secret) {
					t.Errorf("%q: a part of the password is taken for host or database, which errors show: %q", dsn, shown)
				}
			}
		}
	}
}

// FuzzQuote reads back what was quoted, by the rules of SQL.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "user", `a"b`, `a'b`, `\`, `';DROP ROLE x;--`, "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if q := ident(s); q[0] != '"' || q[len(q)-1] != '"' || strings.ReplaceAll(q[1:len(q)-1], `""`, `"`) != s ||
			strings.Count(q, `"`)%2 != 0 {
			t.Errorf("ident(%q) = %s", s, q)
		}
		q := literal(s)
		body, escaped := strings.CutPrefix(q, " E")
		inner := body[1 : len(body)-1]
		if strings.Contains(strings.ReplaceAll(inner, "''", ""), "'") {
			t.Errorf("literal(%q) = %s ends early", s, q)
		}
		plain := strings.ReplaceAll(inner, "''", "'")
		if escaped {
			plain = strings.ReplaceAll(plain, `\\`, `\`)
		} else if strings.Contains(s, `\`) {
			t.Errorf("literal(%q) = %s depends on standard_conforming_strings", s, q)
		}
		if plain != s {
			t.Errorf("literal(%q) = %s means %q", s, q, plain)
		}
		if l := listQuote(s); strings.ReplaceAll(l[1:len(l)-1], `""`, `"`) != s {
			t.Errorf("listQuote(%q) = %s", s, l)
		}
	})
}

func FuzzParseTOC(f *testing.F) {
	f.Add("; Archive created at 2026-01-02\n;\n215; 1259 16386 TABLE public llx_user erp_role\n" +
		"3350; 0 16386 TABLE DATA public llx_user erp_role\n6; 2615 16400 SCHEMA - pgbouncer postgres\n")
	f.Add("1; 2 3 \n4; 5 6 A\n7; 8 9 A b")
	f.Fuzz(func(t *testing.T, list string) {
		for _, e := range parseTOC(list) {
			if !strings.Contains(list, e.line) || strings.Contains(e.line, "\n") {
				t.Errorf("made up %q", e.line)
			}
			_ = e.restorable() // whatever it is, it must not break
		}
	})
}

func TestRestorable(t *testing.T) {
	const list = `;
; Archive created at 2026-06-30 04:00:00 UTC
;     TOC Entries: 12
;
6; 2615 16400 SCHEMA - pgbouncer postgres
5; 2615 2200 SCHEMA - public pg_database_owner
3400; 0 0 COMMENT - SCHEMA public pg_database_owner
2; 3079 16401 EXTENSION - citext 
3401; 0 0 COMMENT - EXTENSION citext 
220; 1255 16402 FUNCTION pgbouncer user_lookup(text) postgres
221; 1255 16403 FUNCTION public user_lookup(text) postgres
222; 1255 16404 FUNCTION public greet(text) erp_role
215; 1259 16386 TABLE public llx user erp_role
3350; 0 16386 TABLE DATA public llx user erp_role
3402; 0 0 ACL - SCHEMA pgbouncer postgres
2172; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES erp_role
7; 2615 16450 SCHEMA - more erp_role
`
	entries := parseTOC(list)
	var kept []string
	for _, e := range entries {
		if e.restorable() {
			kept = append(kept, e.kind+" "+e.schema+" "+e.name)
		}
	}
	want := []string{"FUNCTION public greet(text)", "TABLE public llx user", "TABLE DATA public llx user",
		"SCHEMA - more"}
	if len(entries) != 13 || !slices.Equal(kept, want) {
		t.Errorf("of %d entries %q are restored, want %q", len(entries), kept, want)
	}
	if got := wantedTables(entries); !slices.Equal(got, []catalog.Table{{Schema: "public", Name: "llx user"}}) {
		t.Errorf("tables %v", got)
	}
}

func TestTextArray(t *testing.T) {
	if got := string(textArray([]string{`a`, `b"c\d`, "", "{,}"})); got != `{"a","b\"c\\d","","{,}"}` {
		t.Error(got)
	}
}

func TestVersionNumber(t *testing.T) {
	for text, want := range map[string]int{"17.10 (Debian 17.10-1.pgdg12+1)": 170010, "15.20": 150020,
		"19beta1": 190000, "18.4": 180004, "": 0} {
		if got := versionNumber(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
