// Package real starts real servers for the conformance suites: OpenSSH,
// PostgreSQL, PgBouncer, Debian machines with systemd, Docker Engine.
//
// A server is had when a test asks for it, listens on loopback (machines: on a
// bridge of their own), and dies with the test, even when the test is killed.
// A test whose server cannot be had on this machine is skipped, and says what
// is missing; with LAB_REAL=require it fails instead:
//
//	func TestConform(t *testing.T) {
//		pg := real.Postgres(t, 17)
//		conformance(t, pg.DSN("postgres"))
//	}
//
// What takes long to make (root file systems, PostgreSQL from npm packages,
// the Compose plugin) is made once and kept in $LAB_REAL_DIR, by default the
// folder lab-real in the user's cache directory, under the hash of its recipe.
package real
