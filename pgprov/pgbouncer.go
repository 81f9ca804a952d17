package pgprov

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// MinPgBouncer is the oldest PgBouncer to run in production: before it, whoever can connect can
// have user_lookup() answered by a function of his own when track_extra_parameters holds
// search_path (CVE-2025-12819), and more (CVE-2026-6664 to 6667).
const MinPgBouncer = "1.25.2"

// PgBouncer is the configuration of the pooler in front of a server that [Server.Plan] provisioned.
type PgBouncer struct {
	Spec Spec   // its Pooler, with the password, and the instances, which are all that can be reached
	Host string // PostgreSQL's name or address, as the pooler reaches it, or the directory of its socket; required
	Port int    // PostgreSQL's; 0 means 5432

	// LeaseTTL is how long Vault's users live. Connections to the server are closed within it, so
	// that none outlives its user by more. It must be given, at least a second.
	LeaseTTL time.Duration

	ListenAddress string // empty means all IPv4 addresses: "0.0.0.0"
	ListenPort    int    // 0 means 6432
	PoolMode      string // transaction, session or statement; empty means transaction
	PoolSize      int    // connections for each user and database; 0 means PgBouncer's own, 20
	MaxClients    int    // 0 means PgBouncer's own, 100

	// MaxPreparedStatements is how many prepared statements each connection keeps in transaction
	// mode; 0 means PgBouncer's own, 200 since 1.24, and none before 1.21, which does not know the
	// setting.
	MaxPreparedStatements int

	// ServerCA is the file of the authorities that PostgreSQL's certificate is verified by, in
	// full. PlainServer does without encryption, as only a connection inside one machine may. One
	// of the two must be given.
	ServerCA    string
	PlainServer bool

	// ClientCert and ClientKey are the files by which the pooler shows itself to its clients, who
	// then must use TLS. Empty: they need not.
	ClientCert, ClientKey string

	UserListFile string // where the second file will be; empty means /etc/pgbouncer/userlist.txt
}

// PgBouncerFiles are the files of a pooler.
type PgBouncerFiles struct {
	INI string // pgbouncer.ini; no secret
	// userlist.txt, for the pooler alone to read: the password of its own login in plain text,
	// which it needs to log in
	UserList lab.Secret
}

// Validate reports everything that is wrong with the configuration.
func (b *PgBouncer) Validate() error { return b.validate().Err() }

func (b *PgBouncer) validate() (ps lab.Problems) {
	ps = append(ps, b.Spec.validate().Under("spec")...)
	if b.Spec.Pooler.Password.IsZero() {
		ps.Add("spec.pooler.password", "empty: the pooler could not log in")
	}
	if b.Host == "" {
		ps.Add("host", "empty")
	}
	if b.LeaseTTL < time.Second {
		ps.Add("lease_ttl", "%s is less than a second", b.LeaseTTL)
	}
	if !slices.Contains([]string{"", "transaction", "session", "statement"}, b.PoolMode) {
		ps = append(ps, lab.Problem{Path: "pool_mode", Text: b.PoolMode, Message: "not a pool mode",
			Hint: "transaction, session or statement"})
	}
	if (b.ServerCA == "") != b.PlainServer {
		ps.Add("server_ca", "give either the file of the authorities, or plain_server")
	}
	if (b.ClientCert == "") != (b.ClientKey == "") {
		ps.Add("client_cert", "a certificate and its key go together")
	}
	for field, port := range map[string]int{"port": b.Port, "listen_port": b.ListenPort} {
		if port < 0 || port > 65535 {
			ps.Add(field, "%d is not a port", port)
		}
	}
	for field, n := range map[string]int{
		"pool_size": b.PoolSize, "max_clients": b.MaxClients, "max_prepared_statements": b.MaxPreparedStatements,
	} {
		if n < 0 {
			ps.Add(field, "%d is negative", n)
		}
	}
	endsLine := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("';%", r) }
	for field, text := range map[string]string{
		"host": b.Host, "listen_address": b.ListenAddress, "server_ca": b.ServerCA,
		"client_cert": b.ClientCert, "client_key": b.ClientKey, "user_list_file": b.UserListFile,
	} {
		if strings.ContainsFunc(text, endsLine) {
			ps.Add(field, "holds a character that would end its line in the configuration")
		}
	}
	return ps
}

// Files returns the files. The auth_query calls the one function by its full name, in each
// app's own database.
func (b *PgBouncer) Files() (PgBouncerFiles, error) {
	if err := b.Validate(); err != nil {
		return PgBouncerFiles{}, err
	}
	var ini strings.Builder
	ini.WriteString("[databases]\n")
	port := cmp.Or(b.Port, defaultPort)
	// letters, digits and hyphens need no quotes, and quotes are not understood here (pgbouncer
	// issue 971)
	for _, i := range b.Spec.Instances {
		fmt.Fprintf(&ini, "%s = host='%s' port=%d dbname='%s'\n", i.Database(), b.Host, port, i.Database())
	}
	ini.WriteString("\n[pgbouncer]\n")
	set := func(key, value string) { fmt.Fprintf(&ini, "%s = %s\n", key, value) }
	number := func(key string, n, otherwise int) {
		switch {
		case n > 0:
			set(key, strconv.Itoa(n))
		case otherwise > 0:
			set(key, strconv.Itoa(otherwise))
		}
	}
	set("listen_addr", cmp.Or(b.ListenAddress, "0.0.0.0"))
	number("listen_port", b.ListenPort, 6432)
	set("auth_type", "scram-sha-256")
	set("auth_file", cmp.Or(b.UserListFile, "/etc/pgbouncer/userlist.txt"))
	set("auth_user", b.Spec.pooler())
	set("auth_query", "SELECT uname, phash FROM "+lookupSchema+".user_lookup($1)")
	set("pool_mode", cmp.Or(b.PoolMode, "transaction"))
	number("default_pool_size", b.PoolSize, 0)
	number("max_client_conn", b.MaxClients, 0)
	number("max_prepared_statements", b.MaxPreparedStatements, 0)
	ttl := int(b.LeaseTTL.Seconds())
	number("server_lifetime", min(ttl, 3600), 0)
	number("server_idle_timeout", min(ttl, 600), 0)
	set("ignore_startup_parameters", "extra_float_digits")
	if b.PlainServer {
		set("server_tls_sslmode", "disable")
	} else {
		set("server_tls_sslmode", "verify-full")
		set("server_tls_ca_file", b.ServerCA)
	}
	if b.ClientCert != "" {
		set("client_tls_sslmode", "require")
		set("client_tls_cert_file", b.ClientCert)
		set("client_tls_key_file", b.ClientKey)
	}
	list := fmt.Sprintf("%s %s\n", listQuote(b.Spec.pooler()), listQuote(b.Spec.Pooler.Password.Reveal()))
	return PgBouncerFiles{INI: ini.String(), UserList: lab.NewSecret(list)}, nil
}

// listQuote quotes for the auth_file, where a quote is doubled.
func listQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
