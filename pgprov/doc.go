// Package pgprov provisions PostgreSQL for apps: for each instance a database with an owner role
// that does not log in, the right of Vault's role credentials_editor to make short-lived users of
// it, and the function pgbouncer.user_lookup() by which PgBouncer knows them. It observes the
// server, plans what differs, and applies exactly that; a converged server costs one connection and
// one round trip, and one of each a database.
//
//	s, err := pgprov.ParseDSN("postgres://postgres@127.0.0.1/postgres")
//	s.Password = password
//	p, err := s.Plan(ctx, pgprov.Spec{
//		Editor:    pgprov.Login{Password: editorPassword},
//		Pooler:    pgprov.Login{Password: poolerPassword},
//		Instances: []pgprov.Instance{{Instance: lab.App("erp").In("sandbox")}},
//	})
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
//
// # What an instance has
//
// The names are those of [lab.Instance]. The owner role, "erp_sandbox_role", owns the database
// "erp-sandbox", made from template0. Nobody else may connect to it but the editor, the pooler, and
// roles named by [Instance.Connect]. The editor holds the owner role WITH ADMIN TRUE, INHERIT
// FALSE, SET FALSE: it can make users of this app, and of no other. A user that Vault makes with
//
//	CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE "erp_sandbox_role";
//	ALTER ROLE "{{name}}" SET role TO 'erp_sandbox_role';
//
// leaves what it makes to the owner role, so that it can be dropped. user_lookup() is in the schema
// pgbouncer, which belongs to a superuser: what is in public belongs to the app, which could put a
// function of its own in the place of ours. It returns nothing of superusers,
// and no password of expired users.
//
// No user of an app gets to another app, a superuser, a predefined role, the editor or the pooler by
// memberships, however many lie between. Those of the roles above are revoked, and those of others in
// the editor and the pooler, administrators aside; where one is not ours, such as that of a user, the
// plan is without the instance, and its error names the user and the way.
//
// # Adopting a running app
//
// A change that takes something from somebody has [lab.RiskDisrupt], and its cause says what, and who
// is connected now. An app that runs on a database of its name, as a login of its own, here "erp_login",
// is taken over without being cut off in this order:
//
//  1. Plan, and apply nothing: the plan names what is to change hands, and warnings name who owns
//     tables.
//  2. CREATE ROLE erp_role NOLOGIN. When the app logs in as erp_role itself, make it another login
//     first, with CREATE ROLE erp_login LOGIN IN ROLE erp_role, and let the app log in as that; go on
//     when nobody is connected as erp_role any more.
//  3. GRANT erp_role TO erp_login: it keeps the rights that it is about to give away.
//  4. In the database, REASSIGN OWNED BY erp_login TO erp_role: one short transaction, which waits for
//     statements that are running, and moves the database and its tables.
//  5. ALTER ROLE erp_login SET role TO erp_role, not before: what the app makes from its next login on
//     belongs to the owner role. REASSIGN OWNED again for what it made meanwhile.
//  6. Name in [Instance.Connect] whoever else is connected, such as a backup.
//  7. Apply. The plan has no risk but for grants to PUBLIC, which erp_login needs no more.
//  8. Let PgBouncer log in as the pooler and ask pgbouncer.user_lookup, then drop the old function with
//     [Spec.DropOldLookup].
//  9. Let the app log in as users that Vault makes, and DROP ROLE erp_login when nobody is connected
//     as it.
//
// # What it never does
//
// It never drops anything but what stands in the way of user_lookup(), except by [Server.Drop],
// [Server.Sweep] and [Server.Reset], which are asked for by name. It never touches what the spec
// does not name: other roles, databases, functions, extensions, members of the owner roles. It
// never sends a password: roles are given SCRAM-SHA-256 verifiers, and whether a password is the
// one that is stored is found out here. It reads nothing of the environment. What the owner of a
// database has set for it does not hold for its own sessions, and what cannot be planned for one
// instance does not stop the others: [Server.Plan] then returns a plan and an error.
//
// It needs a superuser, PostgreSQL 16 or later (15 on request, see [Spec.AllowPG15]), and the
// server itself, not a pooler in front of it. Passwords are printable ASCII.
//
// # Errors
//
// What is wrong with a spec comes as [lab.Problems]; what PostgreSQL said as a [*ServerError] in a
// [*lab.Error], with the sentinel of package lab that fits its SQLSTATE. After any error the next
// run continues: each database is changed in one transaction, and what cannot be in one, CREATE
// DATABASE, is there or is not.
//
// # Tests
//
// Package pgtest is a PostgreSQL server in the test's own process, for these statements: see
// [gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest].
package pgprov
