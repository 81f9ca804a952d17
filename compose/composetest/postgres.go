package composetest

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// cluster is the state of a stand-in for a PostgreSQL server.
type cluster struct {
	loaded    time.Time
	settings  map[string]string // as the server runs with
	pending   []string
	roles     map[string]string // what is stored of the password, by name
	databases map[string]string // owner by name
}

// postmaster are settings that only a restart changes.
var postmaster = []string{"listen_addresses", "max_connections", "shared_buffers", "ssl_ca_file", "wal_level"}

func (c *Container) cluster() *cluster {
	key := c.Binds["/var/lib/postgresql/data"] + c.Binds["/var/lib/postgresql"]
	if c.docker.databases[key] == nil {
		c.docker.databases[key] = &cluster{roles: map[string]string{"postgres": "-"},
			databases: map[string]string{"postgres": "postgres"}}
	}
	return c.docker.databases[key]
}

func (c *Container) settings() map[string]string {
	out := map[string]string{}
	b, _ := c.File("/etc/postgresql/postgresql.conf") // a container without one has no settings
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
			out[k] = v
		}
	}
	return out
}

func startPostgres(c *Container) error {
	major, _, _ := strings.Cut(c.Image.tag(), ".")
	file := path.Join(cmp.Or(c.Env["PGDATA"], "/var/lib/postgresql/data"), "PG_VERSION")
	have, err := c.File(file)
	if err != nil {
		if _, err := c.File(cmp.Or(c.Env["POSTGRES_PASSWORD_FILE"], "/none")); err != nil {
			return fmt.Errorf("Error: Database is uninitialized and superuser password is not specified")
		}
		key := c.Binds["/var/lib/postgresql/data"] + c.Binds["/var/lib/postgresql"]
		delete(c.docker.databases, key)
		if err := c.WriteFile(file, []byte(major+"\n")); err != nil {
			return err
		}
	} else if strings.TrimSpace(string(have)) != major {
		return fmt.Errorf("FATAL:  database files are incompatible with server\nDETAIL:  The data directory was "+
			"initialized by PostgreSQL version %s", have)
	}
	k := c.cluster()
	k.loaded, k.settings, k.pending = time.Now(), c.settings(), nil
	c.Log("database system is ready to accept connections")
	return nil
}

var (
	roleSQL = regexp.MustCompile(`SELECT 'role', rolcanlogin, coalesce\(rolpassword, '-'\) FROM pg_authid ` +
		`WHERE rolname = '([^']+)';\nSELECT 'database', pg_get_userbyid\(datdba\) = '([^']+)' FROM pg_database ` +
		`WHERE datname = '([^']+)';`)
	passwordSQL = regexp.MustCompile(`^SELECT CASE WHEN EXISTS \(SELECT FROM pg_roles WHERE rolname = '([^']+)'\) ` +
		`THEN 'ALTER' ELSE 'CREATE' END \|\| ' ROLE "([^"]+)" LOGIN PASSWORD \'\'(SCRAM-SHA-256\$[^']+)\'\'\'\\gexec$`)
	databaseSQL = regexp.MustCompile(`^SELECT CASE WHEN EXISTS \(SELECT FROM pg_database WHERE datname = '([^']+)'\) ` +
		`THEN 'ALTER DATABASE "([^"]+)" OWNER TO "([^"]+)"' ELSE 'CREATE DATABASE "[^"]+" OWNER "[^"]+"' END\\gexec$`)
)

// psql answers the statements that the PostgreSQL stack sends.
func psql(c *Container, p *hosttest.Process, args []string) int {
	k := c.cluster()
	w := p.Stdout()
	if args[0] != "psql" {
		fmt.Fprintf(p.Stderr(), "composetest: postgres: unknown command %q\n", args)
		return 127
	}
	b, err := io.ReadAll(p.Stdin())
	if err != nil {
		return 2
	}
	sql := strings.TrimSpace(string(b))
	stamp := func(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }
	switch {
	case strings.HasPrefix(sql, "SELECT 'loaded'"):
		fmt.Fprintf(w, "loaded %s\n", stamp(k.loaded))
		for _, name := range k.pending {
			fmt.Fprintf(w, "pending %s\n", name)
		}
		for _, name := range postmaster {
			fmt.Fprintf(w, "postmaster %s\n", name)
		}
	case sql == "SELECT pg_conf_load_time()":
		fmt.Fprintln(w, stamp(k.loaded))
	case sql == "SELECT pg_reload_conf()":
		k.loaded = time.Now()
		now := c.settings()
		k.pending = nil
		for _, name := range postmaster {
			if now[name] != k.settings[name] {
				k.pending = append(k.pending, name)
			}
		}
		fmt.Fprintln(w, "t")
	case strings.HasPrefix(sql, "SELECT pg_conf_load_time() > '"):
		fmt.Fprintln(w, map[bool]string{true: "t",
			false: "f"}[strings.TrimSuffix(strings.TrimPrefix(sql, "SELECT pg_conf_load_time() > '"),
			"'") < stamp(k.loaded)])
	case sql == "SELECT count(*) = 0 FROM pg_settings WHERE pending_restart":
		fmt.Fprintln(w, map[bool]string{true: "t", false: "f"}[len(k.pending) == 0])
	case roleSQL.MatchString(sql):
		m := roleSQL.FindStringSubmatch(sql)
		if stored, ok := k.roles[m[1]]; ok {
			fmt.Fprintf(w, "role t %s\n", stored)
		}
		if owner, ok := k.databases[m[3]]; ok {
			fmt.Fprintf(w, "database %s\n", map[bool]string{true: "t", false: "f"}[owner == m[2]])
		}
	case passwordSQL.MatchString(sql):
		m := passwordSQL.FindStringSubmatch(sql)
		c.docker.change(p)
		k.roles[m[2]] = m[3]
	case databaseSQL.MatchString(sql):
		m := databaseSQL.FindStringSubmatch(sql)
		c.docker.change(p)
		k.databases[m[1]] = m[3]
	default:
		fmt.Fprintf(p.Stderr(), "composetest: postgres: unknown statement: %s\n", sql)
		return 3
	}
	return 0
}

var hbaMethods = []string{"trust", "reject", "scram-sha-256", "md5", "password", "gss", "sspi", "ident", "peer", "pam",
	"ldap", "radius", "cert"}

// tryPostgres reads a configuration as a server would.
func tryPostgres(p *hosttest.Process, script string) int {
	hba := strings.Contains(script, "pg_hba_file_rules")
	n := 0
	lines := bufio.NewScanner(p.Stdin())
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		at := 4
		if f[0] == "local" {
			at = 3
		}
		if hba && (len(f) <= at || !slices.Contains(hbaMethods, f[at])) {
			fmt.Fprintf(p.Stdout(), "line_number = %d, error = invalid authentication method in %q\n", n, line)
			return 1
		}
		if !hba && !strings.Contains(line, " = '") {
			fmt.Fprintf(p.Stdout(), "FATAL: syntax error in line %d\n", n)
			return 1
		}
	}
	return 0
}
