package scram

import (
	"strings"
	"testing"
)

// The verifier was made by PostgreSQL 17 of the password "secret".
func TestVerifierOfPostgreSQL(t *testing.T) {
	const stored = "SCRAM-SHA-256$4096:+JyCNQje5qWWEm447FHAug==$3jY/04B9UjY0PpksA1L/eOA2dBqJ94sLaITGLe91Yt8=:+c2vVuSVp0aEokK02kV7vIN5UXoadyRC1Yprgt6qAto="
	v, ok := ParseVerifier(stored)
	if !ok || v.String() != stored {
		t.Fatalf("read %v, %v", v, ok)
	}
	if !v.Matches("secret") || v.Matches("Secret") || v.Matches("") {
		t.Error("it matches the wrong passwords")
	}
}

func exchange(password string, v Verifier) error {
	c, s := NewClient(NewPassword(password), nil, false), NewServer(v)
	first, err := s.First(c.First())
	if err != nil {
		return err
	}
	final, err := c.Final(first)
	if err != nil {
		return err
	}
	end, err := s.Final(final)
	if err != nil {
		return err
	}
	return c.Check(end)
}

func TestExchange(t *testing.T) {
	v := NewVerifier("correct horse")
	if err := exchange("correct horse", v); err != nil {
		t.Error(err)
	}
	if err := exchange("wrong", v); err != ErrPassword {
		t.Errorf("a wrong password: %v", err)
	}
	lying := v
	lying.ServerKey = NewVerifier("other").ServerKey
	if err := exchange("correct horse", lying); err == nil {
		t.Error("a server that does not hold the verifier was believed")
	}
}

func TestClientRefuses(t *testing.T) {
	for name, message := range map[string]string{
		"a nonce that is not ours":  "r=elsewhere,s=c2FsdA==,i=4096",
		"no salt":                   "r=@x,s=,i=4096",
		"endless work":              "r=@x,s=c2FsdA==,i=2000000000",
		"no iterations":             "r=@x,s=c2FsdA==",
		"a nonce that adds nothing": "r=@,s=c2FsdA==,i=4096",
	} {
		c := NewClient(NewPassword("p"), nil, false)
		c.First()
		if _, err := c.Final([]byte(strings.ReplaceAll(message, "@", c.nonce))); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestStretchRemembers(t *testing.T) {
	p := NewPassword("p")
	a := p.stretch([]byte("salt"), 10)
	if b := p.stretch([]byte("salt"), 10); &a.client[0] != &b.client[0] {
		t.Error("computed twice")
	}
	if b := p.stretch([]byte("tlas"), 10); string(a.client) == string(b.client) {
		t.Error("another salt gave the same keys")
	}
}

func FuzzParseVerifier(f *testing.F) {
	f.Add(NewVerifier("p").String())
	f.Add("md5d41d8cd98f00b204e9800998ecf8427e")
	f.Add("SCRAM-SHA-256$4096:$:")
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseVerifier(s)
		if !ok {
			return
		}
		if w, ok := ParseVerifier(v.String()); !ok || w.String() != v.String() {
			t.Errorf("%q does not survive", s)
		}
	})
}

func FuzzServer(f *testing.F) {
	f.Add("n,,n=,r=abc", "c=biws,r=abc,p=AAAA")
	f.Fuzz(func(t *testing.T, first, final string) {
		s := NewServer(verifier("p", []byte("salt"), 1))
		if _, err := s.First([]byte(first)); err != nil {
			return
		}
		if _, err := s.Final([]byte(final)); err == nil {
			t.Error("let in without the password")
		}
	})
}
