// Package real starts real servers for the conformance suites: OpenSSH,
// PostgreSQL, PgBouncer, Debian machines with systemd, Docker Engine, a
// registry of images, Gitea and its runner as images.
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
// What each needs: [SSHD] OpenSSH's sshd, [Postgres] an installed PostgreSQL of
// the version or npm to fetch one, [PgBouncer] and [Ansible] themselves,
// [Registry] Go's modules when it is first built; [Machines] and [Docker]
// Linux, root, and Debian's mmdebstrap and systemd-container. Nothing runs as
// root but what must: the databases refuse it, and run as postgres or nobody
// then.
//
// What it leaves on this machine: the cache, IPv4 forwarding once machines
// have run, and /run/sshd once sshd has run as root. A killed test's databases
// are gone a few seconds later, its machines' disks and network at the next
// start of machines.
//
// [StartPostgres] and [Boot] are the same servers without a test.
//
// What takes long to make (root file systems, PostgreSQL from npm packages,
// the Compose plugin, the registry, Gitea) is made once and kept in
// $LAB_REAL_DIR, by default the folder lab-real in the user's cache directory,
// under the hash of its recipe.
package real
