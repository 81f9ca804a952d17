package composetest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Program is what runs in the containers of an image. The functions are called with the engine locked; any of them may be nil.
type Program struct {
	Start func(*Container) error                                     // an error is logged, and the container ends with status 1
	Exec  func(c *Container, p *hosttest.Process, args []string) int // docker exec
	Try   func(p *hosttest.Process, script string) int               // docker run, of a container that is thrown away
}

// programs returns the stand-ins of this package.
func programs() map[string]Program {
	return map[string]Program{
		"postgres":         {Start: startPostgres, Exec: psql, Try: tryPostgres},
		"gitea/gitea":      {Start: startGitea, Exec: giteaCommand},
		"gitea/act_runner": {Start: startRunner}, // as gitea/runner was called before 1.0
		"gitea/runner":     {Start: startRunner},
	}
}

// File reads a file as the container sees it, through its mounts.
func (c *Container) File(name string) ([]byte, error) {
	for target, source := range c.Binds {
		if name == target {
			return c.Machine().FS().ReadFile(source)
		}
		if rest, ok := strings.CutPrefix(name, target+"/"); ok {
			return c.Machine().FS().ReadFile(path.Join(source, rest))
		}
	}
	return nil, fmt.Errorf("%s: no such file or directory", name)
}

// WriteFile writes a file through the container's mounts.
func (c *Container) WriteFile(name string, b []byte) error {
	for target, source := range c.Binds {
		if rest, ok := strings.CutPrefix(name, target+"/"); ok {
			return c.Machine().FS().WriteFile(path.Join(source, rest), b)
		}
	}
	return fmt.Errorf("%s: not in a mount", name)
}

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
		c.docker.databases[key] = &cluster{roles: map[string]string{"postgres": "-"}, databases: map[string]string{"postgres": "postgres"}}
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
		return fmt.Errorf("FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version %s", have)
	}
	k := c.cluster()
	k.loaded, k.settings, k.pending = time.Now(), c.settings(), nil
	c.Log("database system is ready to accept connections")
	return nil
}

var (
	roleSQL     = regexp.MustCompile(`SELECT 'role', rolcanlogin, coalesce\(rolpassword, '-'\) FROM pg_authid WHERE rolname = '([^']+)';\nSELECT 'database', pg_get_userbyid\(datdba\) = '([^']+)' FROM pg_database WHERE datname = '([^']+)';`)
	passwordSQL = regexp.MustCompile(`^SELECT CASE WHEN EXISTS \(SELECT FROM pg_roles WHERE rolname = '([^']+)'\) THEN 'ALTER' ELSE 'CREATE' END \|\| ' ROLE "([^"]+)" LOGIN PASSWORD \'\'(SCRAM-SHA-256\$[^']+)\'\'\'\\gexec$`)
	databaseSQL = regexp.MustCompile(`^SELECT CASE WHEN EXISTS \(SELECT FROM pg_database WHERE datname = '([^']+)'\) THEN 'ALTER DATABASE "([^"]+)" OWNER TO "([^"]+)"' ELSE 'CREATE DATABASE "[^"]+" OWNER "[^"]+"' END\\gexec$`)
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
		fmt.Fprintln(w, map[bool]string{true: "t", false: "f"}[strings.TrimSuffix(strings.TrimPrefix(sql, "SELECT pg_conf_load_time() > '"), "'") < stamp(k.loaded)])
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

var hbaMethods = []string{"trust", "reject", "scram-sha-256", "md5", "password", "gss", "sspi", "ident", "peer", "pam", "ldap", "radius", "cert"}

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

// startGitea writes app.ini from the environment, as the image does: it sets keys and removes none. What it makes of names and values is what
// `gitea config edit-ini --apply-env` of 1.26 does: sections in lower case, [default] apart from the keys before the first section, quotes kept when they
// are written and lost when they are read.
func startGitea(c *Container) error {
	type section struct {
		name string
		keys []string
	}
	ini := []section{{}}
	values := map[string]string{}
	set := func(name, key, value string) {
		i := slices.IndexFunc(ini, func(s section) bool { return s.name == name })
		if i < 0 {
			ini = append(ini, section{name: name})
			i = len(ini) - 1
		}
		if !slices.Contains(ini[i].keys, key) {
			ini[i].keys = append(ini[i].keys, key)
		}
		values[name+"."+key] = value
	}
	old, err := c.File("/etc/gitea/app.ini")
	if err != nil { // the first start
		if config := c.Binds["/etc/gitea"]; config != "" {
			if err := c.Machine().FS().Chmod(config, 0o700); err != nil {
				return err
			}
		}
		old = []byte("APP_NAME = Gitea: Git with a cup of tea\nRUN_USER = git\nRUN_MODE = prod\n")
	}
	name := ""
	for line := range strings.Lines(string(old)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			name = strings.Trim(line, "[]")
		} else if k, v, ok := strings.Cut(line, "="); ok {
			set(name, strings.TrimSpace(k), readIni(strings.TrimSpace(v)))
		}
	}
	var variables []string
	for k := range c.Env {
		variables = append(variables, k)
	}
	slices.Sort(variables)
	for _, v := range variables {
		rest, ok := strings.CutPrefix(v, "GITEA__")
		if !ok {
			continue
		}
		name, key, _ := strings.Cut(rest, "__")
		value := c.Env[v]
		if k, ok := strings.CutSuffix(key, "__FILE"); ok {
			b, err := c.File(value)
			if err != nil {
				c.Log(fmt.Sprintf("EnvironmentToConfig() [E] Error reading file for %s : %v", v, err)) // and it goes on
				continue
			}
			key, value = k, strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
		}
		set(strings.ToLower(strings.NewReplacer("_0X2E_", ".", "_0X2D_", "-").Replace(name)), key, value)
	}
	var b strings.Builder
	for _, s := range ini {
		if s.name != "" {
			fmt.Fprintf(&b, "\n[%s]\n", s.name)
		}
		for _, k := range s.keys {
			fmt.Fprintf(&b, "%s = %s\n", k, writeIni(values[s.name+"."+k]))
		}
	}
	if err := c.WriteFile("/etc/gitea/app.ini", []byte(b.String())); err != nil {
		return err
	}
	if file := c.Env["GITEA_RUNNER_REGISTRATION_TOKEN_FILE"]; file != "" {
		token, err := c.File(file)
		if err != nil {
			return fmt.Errorf("unable to read GITEA_RUNNER_REGISTRATION_TOKEN_FILE: %w", err)
		}
		if len(strings.TrimSpace(string(token))) < 32 {
			return errors.New("GITEA_RUNNER_REGISTRATION_TOKEN must be at least 32 random characters")
		}
	}
	return nil
}

// writeIni writes a value as gopkg.in/ini.v1 does.
func writeIni(v string) string {
	switch {
	case strings.ContainsAny(v, "\n`"):
		return `"""` + v + `"""`
	case strings.ContainsAny(v, "#;"):
		return "`" + v + "`"
	case strings.TrimSpace(v) != v:
		return `"` + v + `"`
	}
	return v
}

// readIni reads a value as gopkg.in/ini.v1 does.
func readIni(v string) string {
	for _, q := range []string{`"""`, "`", `"`, "'"} {
		if len(v) >= 2*len(q) && strings.HasPrefix(v, q) && strings.HasSuffix(v, q) {
			return v[len(q) : len(v)-len(q)]
		}
	}
	if i := strings.IndexAny(v, "#;"); i >= 0 {
		v = strings.TrimSpace(v[:i])
	}
	return v
}

// users of a stand-in for Gitea are in a file beside app.ini.
const giteaUsers = "/etc/gitea/users.json"

func giteaCommand(c *Container, p *hosttest.Process, args []string) int {
	var users []string
	if b, err := c.File(giteaUsers); err == nil {
		_ = json.Unmarshal(b, &users) // written below
	}
	value := func(flag string) string {
		if i := slices.Index(args, flag); i > 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	line := strings.Join(args[:min(4, len(args))], " ")
	switch {
	case line == "gitea admin user list":
		if !slices.Contains(args, "--admin") {
			fmt.Fprintln(p.Stderr(), "composetest: gitea: only the administrators are known")
			return 1
		}
		fmt.Fprintln(p.Stdout(), "ID   Username Email IsActive")
		for i, u := range users {
			fmt.Fprintf(p.Stdout(), "%d    %s     %s@x true\n", i+1, u, u)
		}
		return 0
	case line == "gitea admin user create":
		if slices.Contains(args, "--password") {
			fmt.Fprintln(p.Stderr(), "composetest: a password in an argument")
			return 1
		}
		if slices.Contains(users, value("--username")) {
			fmt.Fprintln(p.Stderr(), "Command error: CreateUser: user already exists")
			return 1
		}
		c.docker.change(p)
		b, err := json.Marshal(append(users, value("--username")))
		if err != nil || c.WriteFile(giteaUsers, b) != nil {
			return 1
		}
		fmt.Fprintln(p.Stdout(), "generated random password is 'throw-me-away'")
		return 0
	}
	fmt.Fprintf(p.Stderr(), "composetest: gitea: unknown command %q\n", args)
	return 127
}

// startRunner registers, unless it is registered, and tells the server its labels.
func startRunner(c *Container) error {
	var config struct {
		Runner struct {
			File   string   `json:"file"`
			Labels []string `json:"labels"`
		} `json:"runner"`
	}
	b, err := c.File(c.Env["CONFIG_FILE"])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &config); err != nil || config.Runner.File == "" {
		return fmt.Errorf("composetest: the runner's configuration: %w, file %q", err, config.Runner.File)
	}
	type registration struct {
		ID      int      `json:"id"`
		UUID    string   `json:"uuid"`
		Name    string   `json:"name"`
		Token   string   `json:"token"`
		Address string   `json:"address"`
		Labels  []string `json:"labels"`
	}
	var r registration
	if b, err := c.File(config.Runner.File); err != nil || len(b) == 0 {
		if _, err := c.File(c.Env["GITEA_RUNNER_REGISTRATION_TOKEN_FILE"]); err != nil {
			return err
		}
		c.docker.serial++
		id := c.docker.serial
		c.docker.runners[id] = true
		r = registration{ID: id, UUID: fmt.Sprintf("runner-%d", id), Name: c.Env["GITEA_RUNNER_NAME"], Token: fmt.Sprintf("hidden-%d", id), Address: c.Env["GITEA_INSTANCE_URL"]}
	} else if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	if !c.docker.runners[r.ID] {
		return errors.New(`level=error msg="fail to invoke Declare" error="unauthenticated: unregistered runner"`)
	}
	r.Labels = config.Runner.Labels
	if b, err = json.MarshalIndent(r, "", "  "); err != nil {
		return err
	}
	return c.WriteFile(config.Runner.File, append(b, '\n'))
}
