package pgprov

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login/scram"
)

// ident quotes the name of an object. Names that could not stand in a statement were refused by
// [validateName].
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a string. Sessions have standard_conforming_strings on; a backslash gets the form
// that means the same without it too.
func literal(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// grantee is ident, or PUBLIC for the empty name.
func grantee(name string) string {
	if name == "" {
		return "PUBLIC"
	}
	return ident(name)
}

// passwordClause sets a password by what the server would store of it, so that the password itself
// is in no statement, no log and no view. It is empty for the empty password.
func passwordClause(password lab.Secret) string {
	if password.IsZero() {
		return ""
	}
	return " PASSWORD " + literal(scram.NewVerifier(password.Reveal()).String())
}

const (
	lookupSchema   = "pgbouncer"
	lookupFunction = lookupSchema + ".user_lookup(text)"
	oldFunction    = "public.user_lookup(text)"
)

func createLookup(ownerRole string) string {
	return `CREATE OR REPLACE FUNCTION ` + lookupSchema + `.user_lookup(
  IN i_username text, OUT uname text, OUT phash text) RETURNS record
LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL UNSAFE NOT LEAKPROOF SET search_path = pg_catalog, pg_temp
AS ` + literal(catalog.LookupBody(ownerRole))
}
