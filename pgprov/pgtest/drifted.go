package pgtest

import (
	"fmt"
	"strings"
)

// drifted is an attribute that differs from what is wanted. In its texts, $names stand for names and
// %names for quoted names.
type drifted struct {
	name   string
	sql    string // makes it so; statements are separated by "; "
	change string // the ID of the one change that is planned then
	shows  string // part of its diff
}

// driftedInServer are attributes of roles, memberships and databases.
func driftedInServer(major int) []drifted {
	all := []drifted{
		{"owner role logs in", "ALTER ROLE %owner LOGIN", "$step/role:$owner", "-LOGIN"},
		{"owner role is superuser", "ALTER ROLE %owner SUPERUSER", "$step/role:$owner", "-SUPERUSER"},
		{"owner role makes roles", "ALTER ROLE %owner CREATEROLE", "$step/role:$owner", "-CREATEROLE"},
		{"owner role makes databases", "ALTER ROLE %owner CREATEDB", "$step/role:$owner", "-CREATEDB"},
		{"owner role replicates", "ALTER ROLE %owner REPLICATION", "$step/role:$owner", "-REPLICATION"},
		{"owner role bypasses", "ALTER ROLE %owner BYPASSRLS", "$step/role:$owner", "-BYPASSRLS"},
		{"owner role does not inherit", "ALTER ROLE %owner NOINHERIT", "$step/role:$owner", "-NOINHERIT"},
		{"owner role is limited", "ALTER ROLE %owner CONNECTION LIMIT 3",
			"$step/role:$owner", "-CONNECTION LIMIT 3"},
		{"owner role expires", "ALTER ROLE %owner VALID UNTIL '2001-02-03 00:00:00Z'",
			"$step/role:$owner", "-VALID UNTIL 2001-02-03"},
		{"owner role has a password", "ALTER ROLE %owner PASSWORD 'x'", "$step/role:$owner", "-PASSWORD"},
		{"editor cannot make roles", "ALTER ROLE %editor NOCREATEROLE", "pg/role:$editor", "+CREATEROLE"},
		{"editor inherits", "ALTER ROLE %editor INHERIT", "pg/role:$editor", "-INHERIT"},
		{"editor cannot log in", "ALTER ROLE %editor NOLOGIN", "pg/role:$editor", "+LOGIN"},
		{"editor has another password", "ALTER ROLE %editor PASSWORD 'x'", "pg/role:$editor", "PASSWORD (another)"},
		{"editor has no password", "ALTER ROLE %editor PASSWORD NULL", "pg/role:$editor", "+PASSWORD"},
		{"editor expires", "ALTER ROLE %editor VALID UNTIL '2001-02-03 00:00:00Z'",
			"pg/role:$editor", "-VALID UNTIL"},
		{"editor runs programs", "GRANT pg_execute_server_program TO %editor",
			"pg/grant:pg_execute_server_program:$editor", "-ADMIN FALSE"},
		{"pooler makes databases", "ALTER ROLE %pooler CREATEDB", "pg/role:$pooler", "-CREATEDB"},
		{"pooler is a member", "GRANT %stranger TO %pooler", "pg/grant:$stranger:$pooler", "-ADMIN FALSE"},
		{"pooler is missing in the grants", "REVOKE CONNECT ON DATABASE %db FROM %pooler",
			"$step/grants:$db", "+GRANT CONNECT TO %pooler"},
		{"editor is missing in the grants", "REVOKE CONNECT ON DATABASE %db FROM %editor",
			"$step/grants:$db", "+GRANT CONNECT TO %editor"},
		{"backup is missing in the grants", "REVOKE CONNECT ON DATABASE %db FROM %backup",
			"$step/grants:$db", "+GRANT CONNECT TO %backup"},
		{"everybody connects", "GRANT CONNECT ON DATABASE %db TO PUBLIC",
			"$step/grants:$db", "-GRANT CONNECT TO PUBLIC"},
		{"a stranger connects", "GRANT CONNECT ON DATABASE %db TO %stranger",
			"$step/grants:$db", "-GRANT CONNECT TO %stranger"},
		{"the pooler creates", "GRANT CREATE ON DATABASE %db TO %pooler", "$step/grants:$db", "-GRANT CREATE"},
		{"the pooler passes it on", "GRANT CONNECT ON DATABASE %db TO %pooler WITH GRANT OPTION",
			"$step/grants:$db", "-GRANT CONNECT TO %pooler WITH GRANT OPTION"},
		{"the pooler passed it on",
			"GRANT CONNECT ON DATABASE %db TO %pooler WITH GRANT OPTION; " +
				"SET ROLE %pooler; " +
				"GRANT CONNECT ON DATABASE %db TO %stranger",
			"$step/grants:$db", "GRANTED BY"},
		{"a user passed it on",
			"CREATE ROLE %user; " +
				"GRANT CONNECT ON DATABASE %db TO %user WITH GRANT OPTION; " +
				"SET ROLE %user; " +
				"GRANT CONNECT ON DATABASE %db TO %stranger",
			"$step/grants:$db", "GRANTED BY %user"},
		{"the owner gave itself up", "REVOKE CONNECT ON DATABASE %db FROM %owner",
			"$step/grants:$db", "-REVOKE CONNECT FROM"},
		{"database has another owner", "ALTER DATABASE %db OWNER TO %stranger",
			"$step/database:$db", "-OWNER %stranger"},
		{"editor is no member", "REVOKE %owner FROM %editor", "$step/grant:$owner:$editor", "+ADMIN TRUE"},
		{"editor lost ADMIN", "REVOKE ADMIN OPTION FOR %owner FROM %editor",
			"$step/grant:$owner:$editor", "-ADMIN FALSE"},
		{"app is a member of another", "GRANT %other TO %owner", "$step/grant:$other:$owner", "-ADMIN FALSE"},
		{"app reads everything", "GRANT pg_read_all_data TO %owner",
			"$step/grant:pg_read_all_data:$owner", "-ADMIN FALSE"},
	}
	if major >= 16 {
		all = append(all, []drifted{
			{"editor inherits the app", "GRANT %owner TO %editor WITH INHERIT TRUE",
				"$step/grant:$owner:$editor", "INHERIT TRUE"},
			{"editor sets the app", "GRANT %owner TO %editor WITH SET TRUE", "$step/grant:$owner:$editor", "SET TRUE"},
			{"editor granted itself", "SET ROLE %editor; GRANT %owner TO %editor WITH SET TRUE GRANTED BY %editor",
				"$step/grant:$owner:$editor", "GRANTED BY"},
		}...)
	}
	return all
}

// goodBody is what user_lookup() does, in other white space than it is written with.
const goodBody = "SELECT rolname::text, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END " +
	"FROM pg_catalog.pg_authid WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper AND NOT rolreplication"

// withBody is the statement that gives user_lookup() another body.
func withBody(language, body string) string {
	return fmt.Sprintf(`CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(
  IN i_username text, OUT uname text, OUT phash text) RETURNS record
LANGUAGE %s STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS '%s'`, language, body)
}

// driftedInDatabase are attributes of what is in the database of an app.
func driftedInDatabase() []drifted {
	return []drifted{
		{"schema has another owner", "ALTER SCHEMA pgbouncer OWNER TO %owner",
			"$step/schema:pgbouncer", "-OWNER %owner"},
		{"everybody uses the schema", "GRANT USAGE ON SCHEMA pgbouncer TO PUBLIC",
			"$step/schema:pgbouncer", "-GRANT USAGE TO PUBLIC"},
		{"pooler does not use the schema", "REVOKE USAGE ON SCHEMA pgbouncer FROM %pooler",
			"$step/schema:pgbouncer", "+GRANT USAGE"},
		{"app creates in the schema", "GRANT CREATE ON SCHEMA pgbouncer TO %owner",
			"$step/schema:pgbouncer", "-GRANT CREATE"},
		{"function has another owner", "ALTER FUNCTION pgbouncer.user_lookup(text) OWNER TO %owner",
			"$step/function:pgbouncer.user_lookup(text)", "-OWNER %owner"},
		{"everybody calls the function", "GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO PUBLIC",
			"$step/function:pgbouncer.user_lookup(text)", "-GRANT EXECUTE TO PUBLIC"},
		{"pooler does not call the function", "REVOKE EXECUTE ON FUNCTION pgbouncer.user_lookup(text) FROM %pooler",
			"$step/function:pgbouncer.user_lookup(text)", "+GRANT EXECUTE"},
		{"a stranger calls the function", "GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO %stranger",
			"$step/function:pgbouncer.user_lookup(text)", "-GRANT EXECUTE TO %stranger"},
		{"function is volatile", "ALTER FUNCTION pgbouncer.user_lookup(text) VOLATILE",
			"$step/function:pgbouncer.user_lookup(text)", "-VOLATILE"},
		{"function takes null", "ALTER FUNCTION pgbouncer.user_lookup(text) CALLED ON NULL INPUT",
			"$step/function:pgbouncer.user_lookup(text)", "-CALLED ON NULL INPUT"},
		{"function runs as the caller", "ALTER FUNCTION pgbouncer.user_lookup(text) SECURITY INVOKER",
			"$step/function:pgbouncer.user_lookup(text)", "-SECURITY INVOKER"},
		{"function is parallel", "ALTER FUNCTION pgbouncer.user_lookup(text) PARALLEL SAFE",
			"$step/function:pgbouncer.user_lookup(text)", "-PARALLEL SAFE"},
		{"function is leakproof", "ALTER FUNCTION pgbouncer.user_lookup(text) LEAKPROOF",
			"$step/function:pgbouncer.user_lookup(text)", "-LEAKPROOF"},
		{"function has another path", "ALTER FUNCTION pgbouncer.user_lookup(text) SET search_path = public",
			"$step/function:pgbouncer.user_lookup(text)", "search_path=public"},
		{"function has no path", "ALTER FUNCTION pgbouncer.user_lookup(text) RESET ALL",
			"$step/function:pgbouncer.user_lookup(text)", "-SET nothing"},
		{"function has another body", withBody("sql", strings.ReplaceAll(goodBody, "NOT rolsuper AND ", "")),
			"$step/function:pgbouncer.user_lookup(text)",
			"+  WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper"},
		{"function is in another language", withBody("plpgsql", "BEGIN RETURN;END"),
			"$step/function:pgbouncer.user_lookup(text)", "+LANGUAGE sql"},
		{"function has another signature",
			"DROP FUNCTION pgbouncer.user_lookup(text); " +
				"CREATE FUNCTION pgbouncer.user_lookup(IN who text, OUT a text, OUT b text) " +
				"LANGUAGE sql AS 'SELECT who, who'",
			"$step/function:pgbouncer.user_lookup(text)", "{who,a,b}"},
		{"function has a default",
			"DROP FUNCTION pgbouncer.user_lookup(text); " +
				"CREATE FUNCTION pgbouncer.user_lookup(IN i_username text DEFAULT 'x', " +
				"OUT uname text, OUT phash text) LANGUAGE sql AS 'SELECT i_username, i_username'",
			"$step/function:pgbouncer.user_lookup(text)", "-DEFAULT of 1"},
		{"function is missing", "DROP FUNCTION pgbouncer.user_lookup(text)",
			"$step/function:pgbouncer.user_lookup(text)", "+FUNCTION"},
		{"function has a rival",
			"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
			"$step/function:pgbouncer.user_lookup(name)", "-FUNCTION"},
	}
}
