// Package real starts real servers for the conformance suites: OpenSSH,
// PostgreSQL, PgBouncer, Debian machines with systemd, virtual machines with a
// kernel of their own, Docker Engine, a registry of images, Gitea and its runner
// (as processes and as images), Vault, step and step-ca, and the Kubernetes API
// server with etcd.
//
// A server is started when a test asks for it, listens on loopback (machines: on
// a bridge of their own), and is stopped with the test, even if the test is
// killed. If a server is not available on this machine, the test is skipped with
// a message that says what is missing; with LAB_REAL=require it fails instead:
//
//	func TestConform(t *testing.T) {
//		pg := real.Postgres(t, 17)
//		conformance(t, pg.DSN("postgres"))
//	}
//
// Requirements: [SSHD] needs OpenSSH's sshd; [Postgres] an installed PostgreSQL
// of the version, or npm to fetch one; [PgBouncer] and [Ansible] the programs
// themselves; [Gitea] PostgreSQL and git; [Registry], [Gitea], [Runner], [VaultDev],
// [KubeAPIServer] and [Machine.StepCA] Go modules for their first build; [Machines] and [Docker]
// Linux, root, and Debian's mmdebstrap and systemd-container; [VM] Linux on amd64,
// root, and Debian's mmdebstrap and qemu-system-x86. Only what has to
// runs as root: the databases refuse it, and run as postgres or nobody then.
//
// What remains on this machine: the cache, IPv4 forwarding once machines have
// run, and /run/sshd once sshd has run as root. The databases of a killed test
// are removed a few seconds later, the disks and the network of its machines
// when machines are started the next time.
//
// [StartPostgres] and [Boot] start the same servers without a test.
//
// What takes long to build (root file systems, PostgreSQL from npm packages, the
// Compose plugin, the registry, Gitea, step-ca, the Kubernetes API server) is built once and kept in $LAB_REAL_DIR,
// by default the directory lab-real in the user's cache directory, under the
// hash of its recipe.
package real
