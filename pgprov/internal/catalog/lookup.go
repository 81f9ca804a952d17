package catalog

import "strings"

// LookupBody is the body of user_lookup(). It gives PgBouncer what is stored of a user's password,
// and nothing of superusers and replication, nor of users that expired: PgBouncer itself logs in
// only the first time, so that it is here that an expired user is turned away. Upstream's advice is
// doc/config.md of PgBouncer, section auth_query. ownerRole, when not empty, is whose members alone
// are known.
func LookupBody(ownerRole string) string {
	body := `
  SELECT rolname::text, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END
  FROM pg_catalog.pg_authid
  WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper AND NOT rolreplication`
	if ownerRole != "" {
		body += `
    AND pg_catalog.pg_has_role(oid, ` + "'" + strings.ReplaceAll(ownerRole, "'", "''") + "'" + `, 'MEMBER')`
	}
	return body + "\n"
}

// Squash makes bodies comparable that differ in white space only.
func Squash(body string) string { return strings.Join(strings.Fields(body), " ") }
