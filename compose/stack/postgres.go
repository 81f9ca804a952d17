package stack

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Postgres is a PostgreSQL server. Its data is in the folder Data, in the place where the image of its major version wants it: up to 17 the folder
// is the cluster, from 18 on a folder MAJOR/docker in it is (docker-library/postgres #1259).
//
// Settings and pg_hba.conf are files of their own, in a folder that the server sees: changing them reloads it, and restarts it when a setting that
// changed needs that. Both are tried by a server of the same image, without data or network, before they take the place of the old.
type Postgres struct {
	Name  string       // of the project; empty means postgres
	Image string       // with a tag that begins with the major version: "postgres:17.2"
	Lock  compose.Lock // pins the image

	Data  string // the folder on the machine; empty means data in the stack's folder
	Mount string // a mount point that must be there, when the data is on a disk of its own

	Listen   string            // the address that the port is published at, "192.168.1.202:5432"; empty publishes nothing
	Subnet   string            // of the network that other stacks join as NAME_default, "172.30.5.0/24"; empty lets Docker choose
	Password lab.Secret        // of the superuser postgres, used when the cluster is made: changing it later does not change it there
	Settings map[string]string // of postgresql.conf, beside those of the lab: scram-sha-256, connections logged
	HBA      []HBARule         // in order, the first that matches decides. Before them comes the superuser by the socket in the container, after them nobody
	TLS      *TLS              // nil means that connections are not encrypted

	Databases []Database // that must be there

	UID     int           // of the server in the image; 0 means 999, that of the official image
	ShmSize string        // of /dev/shm, "256mb"; empty means 256mb
	Timeout time.Duration // see [compose.Stack]
}

// TLS is a server's certificate, as step-ca issues it. One that is signed with Ed25519 does not do: the server binds no login by SCRAM to it.
type TLS struct {
	Certificate string     // PEM, with the intermediate certificates
	Key         lab.Secret // PEM
}

// HBARule is a line of pg_hba.conf(5): who may connect from where, and how they prove it.
type HBARule struct {
	Type     string // local, host, hostssl, hostnossl
	Database string // a name, a list with commas, "all", "sameuser", ...
	User     string // a name, +ROLE for its members, a list with commas, "all"
	Address  string // CIDR, "samenet", "all"; empty for local
	Method   string // scram-sha-256, cert, peer, reject, ...
	Options  string // NAME=VALUE, separated by spaces
}

// String returns the rule as a line.
func (r HBARule) String() string {
	return strings.TrimRight(fmt.Sprintf("%-9s %-15s %-20s %-20s %s %s", r.Type, r.Database, r.User, r.Address, r.Method, r.Options), " ")
}

func (r HBARule) check(path string) (ps lab.Problems) {
	types := []string{"local", "host", "hostssl", "hostnossl"}
	if !slices.Contains(types, r.Type) {
		ps = append(ps, lab.Problem{Path: path + ".type", Text: r.Type, Message: "is not one of " + strings.Join(types, ", ")})
	}
	if (r.Type == "local") != (r.Address == "") {
		ps.Add(path+".address", "goes with every type but local")
	}
	for field, v := range map[string]string{"database": r.Database, "user": r.User, "method": r.Method} {
		if v == "" || strings.ContainsAny(v, " \t\n#") && !strings.Contains(v, `"`) {
			ps = append(ps, lab.Problem{Path: path + "." + field, Text: v, Message: "is empty, or holds a space without quotes"})
		}
	}
	if strings.Contains(r.Address+r.Options+r.Database+r.User, "\n") {
		ps.Add(path, "holds a newline")
	}
	if r.Method == "trust" || r.Method == "password" || r.Method == "md5" {
		ps = append(ps, lab.Problem{Path: path + ".method", Text: r.Method, Message: "lets in who does not prove who they are, or shows the password", Hint: "write scram-sha-256"})
	}
	return ps
}

var (
	pgVersion = regexp.MustCompile(`^([0-9]+)(\.[0-9]+)?`)
	pgSetting = regexp.MustCompile(`^[a-z_][a-z0-9_.]*$`)
)

// major returns the major version of the image, 0 when its tag does not tell.
func (p Postgres) major() int {
	m := pgVersion.FindStringSubmatch(tag(p.Image))
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits; one that is too large is no version
	return n
}

func (p Postgres) name() string { return nameOr(p.Name, "postgres") }

func (p Postgres) data() string { return cmp.Or(p.Data, path.Join(dirOf(p.name()), "data")) }

func (p Postgres) check() (ps lab.Problems) {
	if p.major() < 10 {
		ps = append(ps, lab.Problem{Path: "image", Text: p.Image, Message: "its tag does not begin with a major version", Hint: `write "postgres:17.2"`})
	}
	if p.Password.IsZero() {
		ps.Add("password", "is empty")
	}
	checkFolder(&ps, "data", p.Data)
	checkFolder(&ps, "mount", p.Mount)
	checkListen(&ps, "listen", p.Listen)
	for _, k := range slices.Sorted(maps.Keys(p.Settings)) {
		if !pgSetting.MatchString(k) {
			ps = append(ps, lab.Problem{Path: "settings", Text: k, Message: "is not the name of a setting"})
		}
		if slices.Contains([]string{"config_file", "hba_file", "data_directory", "ssl", "ssl_cert_file", "ssl_key_file"}, k) {
			ps = append(ps, lab.Problem{Path: "settings." + k, Message: "is set by the stack"})
		}
		if strings.ContainsAny(p.Settings[k], "\n\x00") {
			ps.Add("settings."+k, "holds a newline")
		}
	}
	for i, r := range p.HBA {
		ps = append(ps, r.check(fmt.Sprintf("hba[%d]", i))...)
		if r.Type == "hostssl" && p.TLS == nil {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("hba[%d].type", i), Message: "the server has no certificate, so that nobody could connect by it", Hint: "set tls, or write host"})
		}
	}
	if p.TLS != nil {
		if _, err := tls.X509KeyPair([]byte(p.TLS.Certificate), []byte(p.TLS.Key.Reveal())); err != nil {
			ps = append(ps, lab.Problem{Path: "tls", Message: "is not a certificate with its key: " + err.Error() + "; a server that runs would keep the old, and one that starts would end"})
		}
	}
	for i, d := range p.Databases {
		ps = append(ps, d.check().Under(fmt.Sprintf("databases[%d]", i))...)
	}
	return ps
}

// hbaFile returns pg_hba.conf.
func (p Postgres) hbaFile() string {
	rules := []HBARule{{Type: "local", Database: "all", User: "postgres", Method: "peer"}}
	rules = append(rules, p.HBA...)
	rules = append(rules, HBARule{Type: "host", Database: "all", User: "all", Address: "all", Method: "reject"})
	var b strings.Builder
	b.WriteString("# Written by lab: changes here are undone. The first rule that matches decides.\n")
	for _, r := range rules {
		b.WriteString(r.String() + "\n")
	}
	return b.String()
}

// settings returns all settings of postgresql.conf.
func (p Postgres) settings() map[string]string {
	s := map[string]string{"listen_addresses": "*", "password_encryption": "scram-sha-256", "log_connections": "on", "createrole_self_grant": ""}
	if p.major() < 16 {
		delete(s, "createrole_self_grant") // new in 16
	}
	maps.Copy(s, p.Settings)
	if p.TLS != nil {
		s["ssl"], s["ssl_cert_file"], s["ssl_key_file"] = "on", confDir+"/tls/server.crt", confDir+"/tls/server.key"
	}
	return s
}

// confDir is where the server sees its settings.
const confDir = "/etc/postgresql"

func (p Postgres) settingsFile() string {
	var b strings.Builder
	b.WriteString("# Written by lab: changes here are undone.\n")
	s := p.settings()
	for _, k := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s = '%s'\n", k, strings.ReplaceAll(s[k], "'", "''"))
	}
	return b.String()
}

// Stack returns the stack.
func (p Postgres) Stack() (compose.Stack, error) {
	if ps := p.check(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	target, pgdata := "/var/lib/postgresql/data", "/var/lib/postgresql/data"
	if p.major() >= 18 {
		target, pgdata = "/var/lib/postgresql", fmt.Sprintf("/var/lib/postgresql/%d/docker", p.major())
	}
	uid := strconv.Itoa(cmp.Or(p.UID, 999))
	files := []compose.File{
		{Path: "conf/pg_hba.conf", Content: p.hbaFile(), Reload: true},
		{Path: "conf/postgresql.conf", Content: p.settingsFile(), Reload: true},
	}
	if p.TLS != nil {
		files = append(files,
			compose.File{Path: "conf/tls/server.crt", Content: p.TLS.Certificate, Reload: true},
			compose.File{Path: "conf/tls/server.key", Secret: p.TLS.Key, Owner: uid, Group: uid, Reload: true})
	}
	service := object{
		"image":             p.Image,
		"restart":           "unless-stopped",
		"command":           []string{"postgres", "-c", "config_file=" + confDir + "/postgresql.conf", "-c", "hba_file=" + confDir + "/pg_hba.conf"},
		"environment":       object{"POSTGRES_PASSWORD_FILE": "/run/secrets/postgres_password", "POSTGRES_INITDB_ARGS": "--data-checksums", "PGDATA": pgdata},
		"secrets":           []any{object{"source": "postgres_password", "uid": uid, "gid": uid}},
		"shm_size":          cmp.Or(p.ShmSize, "256mb"),
		"stop_grace_period": "60s",
		"volumes":           []string{p.data() + ":" + target, "./conf:" + confDir + ":ro"},
		"healthcheck":       healthcheck([]string{"pg_isready", "-q", "-U", "postgres", "-d", "postgres", "-h", "127.0.0.1"}, "5s", "60s", 6),
	}
	if out := ports(p.Listen, "5432"); out != nil {
		service["ports"] = out
	}
	model := object{"services": object{"postgres": service}, "secrets": object{"postgres_password": object{"file": "./secrets/postgres_password"}}}
	if p.Subnet != "" {
		model["networks"] = object{"default": object{"ipam": object{"config": []any{object{"subnet": p.Subnet}}}}}
	}
	s, err := load(p.name(), model, map[string]lab.Secret{"postgres_password": p.Password}, files, p.Lock)
	if err != nil {
		return s, err
	}
	image := s.Image("postgres")
	for i := range s.Files {
		switch s.Files[i].Path {
		case "conf/pg_hba.conf":
			s.Files[i].ValidateWith = tryHBA(image, p.TLS != nil)
		case "conf/postgresql.conf":
			s.Files[i].ValidateWith = trySettings(image)
		}
	}
	s.Format = fmt.Sprintf("postgres %d", p.major())
	s.Timeout = p.Timeout
	s.Before = append(guards(p.name(), p.Mount), postgresGuard{name: p.name(), data: p.data(), major: p.major()})
	var reloaded []compose.File
	for _, f := range s.Files {
		if f.Reload {
			reloaded = append(reloaded, f)
		}
	}
	after := host.Order{After: []string{s.Running()}}
	s.Parts = []host.Resource{postgresSettings{Order: after, name: p.name(), files: reloaded}}
	for _, d := range p.Databases {
		s.Parts = append(s.Parts, postgresDatabase{Order: after, stack: p.name(), Database: d})
	}
	return s, nil
}

// try returns a command that starts a server of the image, without data or network, with a file in the place of %s, which it reads on its standard
// input. An image that is not on the machine yet is not tried: the server tells then.
func try(image, script string) string {
	return fmt.Sprintf("! docker image inspect %[1]s >/dev/null 2>&1 || docker run --rm -i --network none --user postgres --entrypoint bash %[1]s -c %[2]s <%%s", ssh.Quote(image),
		ssh.Quote("set -eo pipefail; d=$(mktemp -d); cat >$d/new; initdb -D $d/pg -U postgres -A trust -N >/dev/null; "+script))
}

// tryHBA asks the view pg_hba_file_rules (postgresql.org/docs/current/view-pg-hba-file-rules.html) of a server that reads the file. In single-user
// mode nothing listens, and a certificate is not looked for.
func tryHBA(image string, tls bool) string {
	ssl := "off"
	if tls {
		ssl = "on"
	}
	return try(image, `bad=$(echo "select line_number, error from pg_hba_file_rules where error is not null" | postgres --single -D $d/pg -c hba_file=$d/new -c ssl=`+ssl+` postgres | grep -E '(line_number|error) = ' || :); `+
		`[ -z "$bad" ] || { echo "pg_hba.conf is wrong: the number counts its lines"; echo "$bad"; exit 1; }`)
}

// trySettings starts a server with the file.
func trySettings(image string) string {
	return try(image, `echo "select 1" | postgres --single -D $d/pg -c config_file=$d/new postgres >$d/out 2>&1 || { cat $d/out; exit 1; }`)
}
