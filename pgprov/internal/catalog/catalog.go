// Package catalog holds the queries that pgprov sends to a PostgreSQL server and the rows that answer
// them. Package pgtest answers the same queries, by the same texts.
//
// They are asked in every database of a server over a connection of its own, whose caches are
// empty, so they are written to be planned cheaply: raw columns, no joins beyond the grants, no
// casts that output does as well. Every name is qualified and the session's search_path holds
// pg_catalog alone, so that no object of a database's owner is in the way.
package catalog

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Server answers [ServerQuery].
type Server struct {
	Version    int    // server_version_num: 170010
	Identity   string // the system identifier, made by initdb
	InRecovery bool   // a standby
	User       string // who is logged in
	Superuser  bool   // whether that is a superuser
}

// ServerQuery asks who and what the server is.
const ServerQuery = `SELECT pg_catalog.current_setting('server_version_num'), c.system_identifier,
  pg_catalog.pg_is_in_recovery(), CURRENT_USER, pg_catalog.current_setting('is_superuser') = 'on'
FROM pg_catalog.pg_control_system() c`

// Room answers [RoomQuery].
type Room struct {
	MaxConnections int
	Reserved       int // of these, for superusers and for pg_use_reserved_connections
	Connections    int // of clients, this one included
}

// RoomQuery asks how many connections the server takes, and has.
const RoomQuery = `SELECT pg_catalog.current_setting('max_connections'),
  pg_catalog.current_setting('superuser_reserved_connections')::int
    + COALESCE(pg_catalog.current_setting('reserved_connections', true), '0')::int,
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend')`

// Role answers [RolesQuery].
type Role struct {
	Name            string
	Superuser       bool
	Inherit         bool
	CreateRole      bool
	CreateDB        bool
	Login           bool
	Replication     bool
	BypassRLS       bool
	ConnectionLimit int    // -1 is none
	ValidUntil      string // empty: for ever
	HasPassword     bool
	Verifier        string // what is stored of the password; of the roles that it was asked for only
}

// RolesQuery asks for the roles named in $1, and for the verifiers of those in $2.
const RolesQuery = `SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
  r.rolreplication, r.rolbypassrls, r.rolconnlimit,
  CASE WHEN r.rolvaliduntil < 'infinity' THEN r.rolvaliduntil::text ELSE '' END, r.rolpassword IS NOT NULL,
  CASE WHEN r.rolname = ANY ($2::text[]) THEN COALESCE(r.rolpassword, '') ELSE '' END
FROM pg_catalog.pg_authid r WHERE r.rolname = ANY ($1::text[]) OR r.rolname = ANY ($2::text[])`

// Superuser answers [SuperusersQuery].
type Superuser struct {
	Name      string
	Bootstrap bool // the one that initdb made, who is the grantor of what superusers grant
}

// SuperusersQuery asks for the superusers.
const SuperusersQuery = `SELECT r.rolname, r.oid = 10 FROM pg_catalog.pg_authid r WHERE r.rolsuper`

// Membership is one grant of a role to another.
type Membership struct {
	Role    string
	Member  string
	Grantor string
	Admin   bool
	Inherit bool // false before PostgreSQL 16, where the member's attribute decides
	Set     bool // true before PostgreSQL 16
}

// MembershipRow answers [MembershipsQuery].
type MembershipRow struct {
	Membership
	Power         string // of Role: [PowerSuperuser], [PowerCluster], [PowerOwner]; empty: none of its own
	Administrator bool   // Member is a superuser, or makes roles
}

// What a role can do by itself, the most of it.
const (
	PowerSuperuser = "s"
	PowerCluster   = "c" // makes roles, or replicates, by which it reads every database
	PowerOwner     = "d" // owns a database
)

// MembershipsQuery asks for all memberships by which the roles named in $1, and those that are
// members of them however indirectly, get to others, and for the direct members of those in $1.
// Administrators who are members are not followed: they get everywhere.
func MembershipsQuery(version int) string {
	options := "m.inherit_option, m.set_option"
	if version < 160000 {
		options = "false, true"
	}
	return `WITH RECURSIVE users (oid) AS (
  SELECT r.oid FROM pg_catalog.pg_authid r WHERE r.rolname = ANY ($1::text[])
  UNION
  SELECT m.member FROM users b JOIN pg_catalog.pg_auth_members m ON m.roleid = b.oid
    JOIN pg_catalog.pg_authid u ON u.oid = m.member
  WHERE NOT (u.rolsuper OR u.rolcreaterole)
), reached (oid) AS (
  SELECT b.oid FROM users b
  UNION
  SELECT m.roleid FROM reached c JOIN pg_catalog.pg_auth_members m ON m.member = c.oid
)
SELECT r.rolname, u.rolname, COALESCE(g.rolname, ''), m.admin_option, ` + options + `,
  CASE WHEN r.rolsuper THEN 's' WHEN r.rolcreaterole OR r.rolreplication THEN 'c'
    WHEN r.oid IN (SELECT d.datdba FROM pg_catalog.pg_database d) THEN 'd' ELSE '' END,
  u.rolsuper OR u.rolcreaterole
FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_authid r ON r.oid = m.roleid
  JOIN pg_catalog.pg_authid u ON u.oid = m.member LEFT JOIN pg_catalog.pg_authid g ON g.oid = m.grantor
WHERE m.member IN (SELECT c.oid FROM reached c) OR r.rolname = ANY ($1::text[])`
}

// Database answers [DatabasesQuery].
type Database struct {
	Name             string
	Owner            string
	Encoding         string
	Collate          string
	CType            string
	Provider         string // c: libc, i: ICU, b: built in
	Locale           string // of ICU or built in; empty with libc
	AllowConnections bool
	Template         bool
	ConnectionLimit  int // -1 is none, -2 is a database whose DROP was cut off
}

// DatabasesQuery asks for the databases named in $1.
func DatabasesQuery(version int) string {
	locale := "d.datlocale"
	if version < 170000 {
		locale = "d.daticulocale"
	}
	return `SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
  d.datcollate, d.datctype, d.datlocprovider,
  COALESCE(` + locale + `, ''), d.datallowconn, d.datistemplate, d.datconnlimit
FROM pg_catalog.pg_database d WHERE d.datname = ANY ($1::text[])`
}

// DatabaseGrant answers [DatabaseGrantsQuery].
type DatabaseGrant struct {
	Database string
	Grant
}

// Grant is one privilege that somebody has: one row of aclexplode.
type Grant struct {
	Grantee   Ident // empty: PUBLIC
	Grantor   Ident
	Privilege string // CONNECT, EXECUTE, ...; empty when the object's list of grants is empty
	Grantable bool
}

const grantColumns = `a.grantee::regrole, a.grantor::regrole, a.privilege_type, a.is_grantable`

// DatabaseGrantsQuery asks for the grants on the databases named in $1. A database nobody changed
// the grants of has the default ones.
const DatabaseGrantsQuery = `SELECT d.datname, ` + grantColumns + `
FROM pg_catalog.pg_database d, pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
WHERE d.datname = ANY ($1::text[])`

// Setting answers [SettingsQuery].
type Setting struct {
	Database string // of which it was set
	Name     string
	Value    string // what it would be otherwise
}

// SettingsQuery asks for the settings that the owners of databases could set for them, and did, with
// the values that this session has by itself. What only a superuser can set is left as it is, unless
// somebody was granted to.
const SettingsQuery = `SELECT d.datname, p.name, p.reset_val
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (line)
  JOIN pg_catalog.pg_settings p ON p.name = pg_catalog.split_part(c.line, '=', 1)
WHERE s.setrole = 0 AND (p.context = 'user' OR p.context = 'superuser'
  AND EXISTS (SELECT FROM pg_catalog.pg_parameter_acl a WHERE a.parname = pg_catalog.lower(p.name)))`

// Name answers queries for names.
type Name struct{ Name string }

// Extension answers [AvailableExtensionsQuery].
type Extension struct {
	Name   string
	Schema string // where it is always made; empty: where one is told to
}

// AvailableExtensionsQuery asks which of the extensions named in $1 the server has files of.
const AvailableExtensionsQuery = `SELECT DISTINCT e.name, COALESCE(e.schema, '')
FROM pg_catalog.pg_available_extension_versions e WHERE e.name = ANY ($1::text[])`

// Place answers [PlaceQuery].
type Place struct {
	Identity string
	Database string
	Public   bool // it has the schema public
}

// PlaceQuery asks where the connection ended up.
const PlaceQuery = `SELECT c.system_identifier, pg_catalog.current_database(),
  EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public')
FROM pg_catalog.pg_control_system() c`

// SchemaGrant answers [SchemaQuery]: no row when the schema is missing.
type SchemaGrant struct {
	Owner Ident
	Grant
}

// SchemaQuery asks for the schema pgbouncer: its owner and its grants.
const SchemaQuery = `SELECT n.nspowner::regrole, ` + grantColumns + `
FROM pg_catalog.pg_namespace n
  LEFT JOIN LATERAL pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a ON true
WHERE n.nspname = 'pgbouncer'`

// FunctionGrant answers [FunctionsQuery].
type FunctionGrant struct {
	Identity   string // quoted, qualified, with the types of its arguments: what DROP ROUTINE takes
	Schema     Ident
	Arguments  string // the types' OIDs: "25" is (text)
	Kind       string // f: function, p: procedure, a: aggregate, w: window function
	Owner      Ident
	Language   string // the language's OID: "14" is SQL
	Volatility string // i: immutable, s: stable, v: volatile
	Parallel   string // s: safe, r: restricted, u: unsafe
	Strict     bool
	Definer    bool
	Leakproof  bool
	ReturnsSet bool
	Result     string // OID of the type: "2249" is record
	Names      string // of arguments, as an array
	Modes      string // of arguments, as an array
	Types      string // of all arguments, as an array of OIDs
	Defaults   int    // how many arguments have one
	Config     string // as an array
	Source     string
	Standard   bool   // has a body in standard SQL
	Support    string // the planner's support function; "-" is none
	Grant
}

// FunctionsQuery asks for everything that is called user_lookup.
const FunctionsQuery = `SELECT p.oid::regprocedure, p.pronamespace::regnamespace, p.proargtypes, p.prokind,
  p.proowner::regrole, p.prolang, p.provolatile, p.proparallel, p.proisstrict, p.prosecdef, p.proleakproof, p.proretset,
  p.prorettype, p.proargnames, p.proargmodes, p.proallargtypes, p.pronargdefaults, p.proconfig, p.prosrc,
  p.prosqlbody IS NOT NULL, p.prosupport, ` + grantColumns + `
FROM pg_catalog.pg_proc p
  LEFT JOIN LATERAL pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a ON true
WHERE p.proname = 'user_lookup'`

// ExtensionsQuery asks for the extensions of the database.
const ExtensionsQuery = `SELECT e.extname FROM pg_catalog.pg_extension e`

// Belongings answers [BelongingsQuery].
type Belongings struct {
	Database string
	Owner    string
	Count    int
}

// BelongingsQuery asks who owns how many tables, views and sequences in the databases named in $1, but
// for the superuser that initdb made.
const BelongingsQuery = `SELECT d.datname, pg_catalog.pg_get_userbyid(s.refobjid), pg_catalog.count(*)
FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE s.deptype = 'o' AND s.classid = 'pg_catalog.pg_class'::regclass
  AND s.refclassid = 'pg_catalog.pg_authid'::regclass AND d.datname = ANY ($1::text[])
GROUP BY 1, 2`

// Ident is a name that a column of a reg type holds: quoted where it must be, "-" for none.
type Ident string

func unquote(s string) string {
	if s == "-" {
		return ""
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return s
}

var plain = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func quote(s string) string {
	switch {
	case s == "":
		return "-"
	case plain.MatchString(s):
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// Decode reads one row, in text format, into the struct that v points to: its fields in order,
// embedded structs flattened. Null is the zero value.
func Decode(row [][]byte, v any) error {
	fields := flatten(reflect.ValueOf(v).Elem(), nil)
	if len(fields) != len(row) {
		return fmt.Errorf("a row of %d columns for %T", len(row), v)
	}
	for i, f := range fields {
		text := string(row[i])
		switch f.Kind() {
		case reflect.String:
			if f.Type() == reflect.TypeFor[Ident]() {
				text = unquote(text)
			}
			f.SetString(text)
		case reflect.Int:
			n, err := strconv.Atoi(text)
			if row[i] == nil {
				n, err = 0, nil
			}
			if err != nil {
				return fmt.Errorf("column %d of %T: %w", i+1, v, err)
			}
			f.SetInt(int64(n))
		case reflect.Bool:
			f.SetBool(text == "t")
		default:
			return fmt.Errorf("%T has a %s", v, f.Kind())
		}
	}
	return nil
}

// Encode is the reverse of [Decode].
func Encode(v any) [][]byte {
	var row [][]byte
	for _, f := range flatten(reflect.ValueOf(v), nil) {
		text := fmt.Sprint(f.Interface())
		switch {
		case f.Kind() == reflect.Bool:
			text = text[:1]
		case f.Type() == reflect.TypeFor[Ident]():
			text = quote(text)
		}
		row = append(row, []byte(text))
	}
	return row
}

func flatten(v reflect.Value, fields []reflect.Value) []reflect.Value {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct {
			fields = flatten(f, fields)
		} else {
			fields = append(fields, f)
		}
	}
	return fields
}

// Expired answers [ExpiredQuery].
type Expired struct {
	Name       string
	ValidUntil string
	Sessions   int
}

// ExpiredQuery asks for the roles that log in, have no power of their own, whose names begin with
// $1[1], and which expired more than $2[1] seconds ago.
const ExpiredQuery = `SELECT r.rolname, r.rolvaliduntil,
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid)
FROM pg_catalog.pg_authid r
WHERE pg_catalog.starts_with(r.rolname, ($1::text[])[1]) AND r.rolcanlogin
  AND NOT (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls)
  AND r.rolvaliduntil < pg_catalog.now() - pg_catalog.make_interval(secs => ($2::text[])[1]::float8)
ORDER BY r.rolname`

// Holding answers [HoldingsQuery].
type Holding struct {
	Role     string
	Database string // empty: it is no database's, as a grant on a database is not
	Owner    string // of the database
}

// HoldingsQuery asks where the roles named in $1 own something, were granted something, or granted a
// role to somebody.
const HoldingsQuery = `SELECT DISTINCT r.rolname, d.datname, pg_catalog.pg_get_userbyid(d.datdba)
FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_authid r ON r.oid = s.refobjid
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND r.rolname = ANY ($1::text[])`

// LockHolder answers [LockHoldersQuery].
type LockHolder struct {
	User        string
	Superuser   bool
	Application string
	Since       string // when its session began
}

// LockHoldersQuery asks who holds the advisory lock of two numbers, $1[1] and $1[2], without a sign, in
// the session's database.
const LockHoldersQuery = `SELECT r.rolname, r.rolsuper, a.application_name, a.backend_start
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  JOIN pg_catalog.pg_authid r ON r.oid = a.usesysid
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.classid::text = ($1::text[])[1] AND l.objid::text = ($1::text[])[2]`

// LeftGrant answers [LeftGrantsQuery].
type LeftGrant struct {
	Grantor   string
	Statement string // revokes it, when the grantor runs it
}

// LeftGrantsQuery asks for what the role named in $1[1] was granted in the session's database, and on
// databases. DROP OWNED revokes what owners have granted, and leaves what others have who could.
const LeftGrantsQuery = `SELECT DISTINCT g.rolname,
  'REVOKE ALL ' || o.part || 'ON ' || o.kind || ' ' || i.identity
    || ' FROM ' || pg_catalog.quote_ident(r.rolname) || ' CASCADE'
FROM (
  SELECT 'pg_catalog.pg_class'::regclass, c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, '', c.relacl
    FROM pg_catalog.pg_class c
  UNION ALL SELECT 'pg_catalog.pg_class'::regclass, t.attrelid, 'TABLE',
    '(' || pg_catalog.quote_ident(t.attname) || ') ', t.attacl
    FROM pg_catalog.pg_attribute t WHERE NOT t.attisdropped
  UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'ROUTINE', '', p.proacl FROM pg_catalog.pg_proc p
  UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, n.oid, 'SCHEMA', '', n.nspacl FROM pg_catalog.pg_namespace n
  UNION ALL SELECT 'pg_catalog.pg_type'::regclass, y.oid, 'TYPE', '', y.typacl FROM pg_catalog.pg_type y
  UNION ALL SELECT 'pg_catalog.pg_language'::regclass, l.oid, 'LANGUAGE', '', l.lanacl FROM pg_catalog.pg_language l
  UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, f.oid, 'FOREIGN SERVER', '', f.srvacl
    FROM pg_catalog.pg_foreign_server f
  UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, w.oid, 'FOREIGN DATA WRAPPER', '', w.fdwacl
    FROM pg_catalog.pg_foreign_data_wrapper w
  UNION ALL SELECT 'pg_catalog.pg_largeobject'::regclass, b.oid, 'LARGE OBJECT', '', b.lomacl
    FROM pg_catalog.pg_largeobject_metadata b
  UNION ALL SELECT 'pg_catalog.pg_database'::regclass, d.oid, 'DATABASE', '', d.datacl FROM pg_catalog.pg_database d
) o (class, oid, kind, part, acl) CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
  JOIN pg_catalog.pg_authid r ON r.oid = a.grantee JOIN pg_catalog.pg_authid g ON g.oid = a.grantor
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) i
WHERE r.rolname = ($1::text[])[1]`

// Companion answers [CompanionsQuery] and [ContentsQuery]: what goes with a database.
type Companion struct {
	Database string
	Kind     string // "replication slot", "publication", ...
	Name     string // or how many
	Blocks   bool   // while it is there, the database cannot be dropped
}

// CompanionsQuery asks for what the cluster has of the databases named in $1 that goes with them.
// Slots that are in use, subscriptions and prepared transactions forbid a DROP DATABASE (dropdb in
// PostgreSQL's dbcommands.c); other slots are dropped with it.
const CompanionsQuery = `SELECT s.database, 'replication slot', s.slot_name, s.active
FROM pg_catalog.pg_replication_slots s WHERE s.database = ANY ($1::text[])
UNION ALL SELECT d.datname, 'subscription', s.subname, true
FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = ANY ($1::text[])
UNION ALL SELECT p.database, 'prepared transaction', p.gid, true
FROM pg_catalog.pg_prepared_xacts p WHERE p.database = ANY ($1::text[])
UNION ALL SELECT d.datname, 'setting', COALESCE(r.rolname || ': ', '') || c.line, false
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  LEFT JOIN pg_catalog.pg_authid r ON r.oid = s.setrole CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (line)
WHERE d.datname = ANY ($1::text[]) ORDER BY 1, 2, 3`

// ContentsQuery asks for what the session's database holds.
const ContentsQuery = `SELECT pg_catalog.current_database(), x.* FROM (
  SELECT 'tables', pg_catalog.count(*)::text, false FROM pg_catalog.pg_class c
  WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 HAVING pg_catalog.count(*) > 0
  UNION ALL SELECT 'large objects', pg_catalog.count(*)::text, false FROM pg_catalog.pg_largeobject_metadata
    HAVING pg_catalog.count(*) > 0
  UNION ALL SELECT 'publication', p.pubname, false FROM pg_catalog.pg_publication p
  UNION ALL SELECT 'foreign server', f.srvname, false FROM pg_catalog.pg_foreign_server f
  UNION ALL SELECT 'event trigger', e.evtname, false FROM pg_catalog.pg_event_trigger e
  UNION ALL SELECT 'extension', e.extname, false FROM pg_catalog.pg_extension e WHERE e.extname <> 'plpgsql'
) x ORDER BY 2, 3`

// Session answers [SessionsQuery].
type Session struct {
	Database    string
	User        string
	Application string
	Count       int
}

// SessionsQuery asks who is connected to the databases named in $1, or anywhere as one of the roles
// named in $2 or a user of these. Sessions of this very program do not count, one of which may still be ending,
// nor do those who are members to administer the role.
const SessionsQuery = `SELECT a.datname, a.usename, a.application_name, pg_catalog.count(*)
FROM pg_catalog.pg_stat_activity a
WHERE NOT (a.usename = SESSION_USER AND a.application_name = pg_catalog.current_setting('application_name'))
AND (a.datname = ANY ($1::text[]) OR a.usename = ANY ($2::text[]) OR EXISTS (
  SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_authid r ON r.oid = m.roleid
    JOIN pg_catalog.pg_authid u ON u.oid = m.member
  WHERE m.member = a.usesysid AND r.rolname = ANY ($2::text[]) AND NOT (u.rolcreaterole OR u.rolsuper)))
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`

// Tenant answers [TenantQuery]: the user that a reset logs in as, and where.
type Tenant struct {
	Identity  string
	Database  string
	Owner     string // of the database
	User      string
	Powerful  bool // superuser, or makes roles or databases, or replicates, or bypasses row security
	Member    bool // of the role named in $1[1]
	Others    int  // other databases whose owner's rights the user has or can take
	Tables    int  // of the owner
	Sessions  int  // of members of the role in this database, those of this very program aside
	Available bool // there is such a role
}

// TenantQuery asks what a user is to the role named in $1[1], without needing a superuser.
const TenantQuery = `SELECT c.system_identifier, d.datname, pg_catalog.pg_get_userbyid(d.datdba), u.rolname,
  u.rolsuper OR u.rolcreaterole OR u.rolcreatedb OR u.rolreplication OR u.rolbypassrls,
  COALESCE(pg_catalog.pg_has_role(u.oid, o.oid, 'MEMBER'), false),
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_database x
    WHERE x.oid <> d.oid AND pg_catalog.pg_has_role(u.oid, x.datdba, 'MEMBER')),
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class t WHERE t.relowner = o.oid AND t.relkind IN ('r', 'p')),
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a
    WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid()
    AND pg_catalog.pg_has_role(a.usesysid, o.oid, 'MEMBER')
    AND NOT (a.usesysid = u.oid AND a.application_name = pg_catalog.current_setting('application_name'))
    AND NOT (SELECT r.rolsuper OR r.rolcreaterole FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid)),
  o.oid IS NOT NULL
FROM pg_catalog.pg_control_system() c,
  pg_catalog.pg_roles u LEFT JOIN pg_catalog.pg_roles o ON o.rolname = ($1::text[])[1], pg_catalog.pg_database d
WHERE u.rolname = SESSION_USER AND d.datname = pg_catalog.current_database()`

// Table answers [TablesQuery].
type Table struct {
	Schema string
	Name   string
	Owner  string
}

// TablesQuery asks for the tables of the database that are not the server's own.
const TablesQuery = `SELECT n.nspname, t.relname, pg_catalog.pg_get_userbyid(t.relowner)
FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE t.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT pg_catalog.starts_with(n.nspname::text, 'pg_toast') AND NOT pg_catalog.starts_with(n.nspname::text, 'pg_temp')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
    WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = t.oid AND x.deptype = 'e')`
