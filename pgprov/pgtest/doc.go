// Package pgtest is a PostgreSQL server in this process, for tests of what uses package pgprov. It
// speaks the wire protocol, version 3, with SCRAM-SHA-256 logins, simple and extended queries; it
// holds roles, memberships, databases, schemas, functions and grants in memory, with transactions,
// advisory locks, and the rules of PostgreSQL 15, 16, 17 or 18 on who may do what.
//
//	f := pgtest.New(t, pgtest.Config{Major: 17})
//	server := f.Access()
//	p, err := server.Plan(ctx, spec)
//
// It knows the statements that pgprov sends, those by which Vault makes users, and those of the
// suite. A statement that it does not know is an error, never a success. It stores no rows: a table
// is a name and an owner. It does not speak TLS, pg_dump or COPY.
//
// Faults are asked for by number ([Server.FailAt]) or for a while ([Server.Refuse],
// [Server.SetLatency]); [Server.Counters] and [Server.Log] say what it was asked to do. A [Cutter]
// loses connections in front of any server.
//
// [Conformance] is the suite that runs on this server and on PostgreSQL itself: where the two
// differ, this server is wrong.
package pgtest
