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
// # What it never does
//
// It never drops anything but what stands in the way of user_lookup(), except by [Server.Drop],
// [Server.Sweep] and [Server.Reset], which are asked for by name. It never touches what the spec
// does not name: other roles, databases, functions, extensions, members of the owner roles. It
// never sends a password: roles are given SCRAM-SHA-256 verifiers, and whether a password is the
// one that is stored is found out here. It reads nothing of the environment.
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
