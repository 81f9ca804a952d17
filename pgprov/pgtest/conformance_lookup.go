package pgtest

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

func (x *suite) lookup(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app, other := s.Instances[0], s.Instances[1]
	valid, expired, foreign := x.user(t, s, app, "valid", soon()), x.user(t, s, app, "expired", past),
		x.user(t, s, other, "other", soon())
	x.root(t, "", "CREATE ROLE "+q(s.DynamicPrefix+"repl")+" LOGIN REPLICATION PASSWORD 'x'")
	c := x.as(t, s.Pooler.Name, poolerSecret, app.Database())
	for _, u := range []struct {
		user       string
		name, hash bool
	}{{valid, true, true}, {expired, true, false}, {foreign, true, true}, {x.Server.User, false, false},
		{"nobody", false, false}, {app.OwnerRole(), false, false}, {s.DynamicPrefix + "repl", false, false}} {
		name, hash, err := lookupAs(t.Context(), c, "pgbouncer.user_lookup", u.user)
		if err != nil || (name == u.user) != u.name || (hash != "") != u.hash {
			t.Errorf("user_lookup(%q) is %q, hash %t, %v; want name %t, hash %t", u.user, name, hash != "", err,
				u.name, u.hash)
		}
		if v, ok := scram.ParseVerifier(hash); u.hash && (!ok || !v.Matches(userSecret)) {
			t.Errorf("user_lookup(%q) has not the verifier", u.user)
		}
	}
	for user, code := range map[string]string{valid: "42501", s.Editor.Name: "42501"} {
		password := userSecret
		if user == s.Editor.Name {
			password = editorSecret
		}
		want(t, x.as(t, user, password, app.Database()), code,
			"SELECT uname, phash FROM pgbouncer.user_lookup('"+valid+"')")
	}
	_, err := x.login(t.Context(), foreign, userSecret, app.Database())
	if !strings.HasPrefix(sqlstate(err), "42501 ") {
		t.Errorf("a user of another app connects: %v", err)
	}
}

func (x *suite) membersOnly(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	s.LookupMembersOnly = true
	if p := x.plan(t, s); len(p.Changes()) != 2 {
		t.Errorf("want the two functions to change:\n%v", p)
	}
	x.provision(t, s)
	mine, others := x.user(t, s, s.Instances[0], "mine", soon()), x.user(t, s, s.Instances[1], "others", soon())
	c := x.as(t, s.Pooler.Name, poolerSecret, s.Instances[0].Database())
	if _, hash, err := lookupAs(t.Context(), c, "pgbouncer.user_lookup", mine); err != nil || hash == "" {
		t.Errorf("a member is not found: %v", err)
	}
	if name, hash, err := lookupAs(t.Context(), c, "pgbouncer.user_lookup", others); err != nil || name+hash != "" {
		t.Errorf("another app's user is found: %q, %v", name, err)
	}
}

// createOldLookup makes the function that older modules put into public.
const createOldLookup = "CREATE FUNCTION public.user_lookup(IN i_username text, OUT uname text, OUT phash text) " +
	"RETURNS record LANGUAGE sql SECURITY DEFINER AS '" + OldBody + "'"

// oldLookup moves over from the function that older modules put into public.
func (x *suite) oldLookup(t *testing.T) {
	s := x.spec("webapp")
	app := s.Instances[0]
	x.provision(t, s)
	x.root(t, app.Database(), createOldLookup,
		"REVOKE ALL ON FUNCTION public.user_lookup(text) FROM PUBLIC",
		"GRANT EXECUTE ON FUNCTION public.user_lookup(text) TO "+q(s.Pooler.Name))
	expired := x.user(t, s, app, "expired", past)
	c := x.as(t, s.Pooler.Name, poolerSecret, app.Database())
	if _, hash, err := lookupAs(t.Context(), c, "public.user_lookup", expired); err != nil || hash == "" {
		t.Errorf("the old function is to let an expired user in, as it does: %v", err)
	}
	x.converged(t, s)
	s.DropOldLookup = true
	p := x.plan(t, s)
	if cs := p.Changes(); len(cs) != 1 || cs[0].Action != lab.Delete || cs[0].Risk != lab.RiskDisrupt ||
		!strings.HasSuffix(cs[0].ID, "/function:public.user_lookup(text)") {
		t.Errorf("want the old function to go, as a disruption:\n%v", p)
	}
	x.provision(t, s)
	// one that the app owns is the app's
	x.root(t, app.Database(), createOldLookup,
		"ALTER FUNCTION public.user_lookup(text) OWNER TO "+q(app.OwnerRole()))
	x.converged(t, s)
}
