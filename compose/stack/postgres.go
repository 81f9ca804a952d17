package stack

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// Postgres is a PostgreSQL server. Its data is in the directory Data, in the place where the image
// of its major version wants it: up to 17 the directory is the cluster, from 18 on the directory
// MAJOR/docker in it is (docker-library/postgres #1259).
//
// Settings and pg_hba.conf are files of their own, in a directory that the server sees: changing
// them reloads it, and restarts it when a setting that changed needs that. Both are tried by a
// server of the same image, without data or network, before they take the place of the old.
type Postgres struct {
	Name  string `yaml:"name"`           // of the project; empty means postgres
	Image string `yaml:"image,required"` // with a tag that begins with the major version: "postgres:17.2"

	// Data is the directory on the machine; empty means data in the stack's directory.
	Data string `yaml:"data"`

	// Mount is a mount point that must be there, when the data is on a disk of its own; empty means
	// that it is not.
	Mount string `yaml:"mount"`

	// Listen is the address that the port is published at, "192.168.1.202:5432"; empty publishes
	// nothing.
	Listen string `yaml:"listen"`

	// Subnet is that of the network which other stacks join as NAME_default, "172.30.5.0/24"; empty
	// lets Docker choose.
	Subnet string `yaml:"subnet"`

	// Settings are those of postgresql.conf, beside those of the stack: scram-sha-256, connections
	// logged. Empty means these alone.
	Settings map[string]string `yaml:"settings"`

	// HBA are rules in order, of which the first that matches decides. Before them comes the
	// superuser by the socket in the container, after them nobody. Empty means that nobody else is
	// let in.
	HBA []HBARule `yaml:"hba"`

	// UID is the server's in the image; 0 means 999, that of the official image, whose variant
	// alpine has 70.
	UID int `yaml:"uid"`

	ShmSize string        `yaml:"shmSize"` // of /dev/shm; empty means 256mb
	Timeout time.Duration `yaml:"timeout"` // how long the server may take to get healthy; 0 means 3 minutes

	// Password is that of the superuser postgres, used when the cluster is made: changing it later
	// does not change it there.
	Password lab.Secret `yaml:"-"`

	Lock      compose.Lock `yaml:"-"` // pins the image
	TLS       *TLS         `yaml:"-"` // nil means that connections are not encrypted
	Databases []Database   `yaml:"-"` // that must be there; empty means none
}

// TLS is a server's certificate, as step-ca issues it. One that is signed with Ed25519 does not do:
// the server binds no login by SCRAM to it.
type TLS struct {
	Certificate string     // PEM, with the intermediate certificates
	Key         lab.Secret // PEM
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

// Validate returns everything that is wrong with the configuration, the secrets that it needs among it.
func (p Postgres) Validate() (ps lab.Problems) {
	validateImage(&ps, p.Image)
	if len(ps) == 0 && p.major() < 10 {
		ps = append(ps, lab.Problem{Path: "image", Text: p.Image,
			Message: "its tag does not begin with a major version",
			Hint:    `write "postgres:17.2"`})
	}
	if p.Password.IsZero() {
		ps.Add("password", "is empty")
	}
	validateDir(&ps, "data", p.Data)
	validateDir(&ps, "mount", p.Mount)
	validateListen(&ps, "listen", p.Listen)
	if _, err := netip.ParsePrefix(p.Subnet); p.Subnet != "" && err != nil {
		ps = append(ps, lab.Problem{Path: "subnet", Text: p.Subnet, Message: "is not a network", Hint: `write "172.30.5.0/24"`})
	}
	if p.UID < 0 {
		ps.Add("uid", "is negative")
	}
	validateTimeout(&ps, "timeout", p.Timeout)
	ps = append(ps, p.validateSettings()...)
	for i, r := range p.HBA {
		at := fmt.Sprintf("hba[%d]", i)
		ps = append(ps, r.validate().Under(at)...)
		if r.Type == "hostssl" && p.TLS == nil {
			ps = append(ps, lab.Problem{Path: at + ".type",
				Message: "the server has no certificate, so that nobody could connect by it",
				Hint:    "set tls, or write host"})
		}
	}
	if p.TLS != nil {
		if _, err := tls.X509KeyPair([]byte(p.TLS.Certificate), []byte(p.TLS.Key.Reveal())); err != nil {
			ps.Add("tls", "is not a certificate with its key: %v; "+
				"a server that runs would keep the old, and one that starts would end", err)
		}
	}
	for i, d := range p.Databases {
		ps = append(ps, d.validate().Under(fmt.Sprintf("databases[%d]", i))...)
	}
	return ps
}

// ownSettings are those that the stack sets.
var ownSettings = []string{"config_file", "hba_file", "data_directory", "ssl", "ssl_cert_file", "ssl_key_file"}

func (p Postgres) validateSettings() (ps lab.Problems) {
	for _, k := range slices.Sorted(maps.Keys(p.Settings)) {
		if !pgSetting.MatchString(k) {
			ps = append(ps, lab.Problem{Path: "settings", Text: k, Message: "is not the name of a setting"})
		}
		if slices.Contains(ownSettings, k) {
			ps.Add("settings."+k, "is set by the stack")
		}
		if strings.ContainsAny(p.Settings[k], "\n\x00") {
			ps.Add("settings."+k, "holds a newline")
		}
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
	s := map[string]string{
		"listen_addresses":      "*",
		"password_encryption":   "scram-sha-256",
		"log_connections":       "on",
		"createrole_self_grant": "",
	}
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

// settingsFile returns postgresql.conf.
func (p Postgres) settingsFile() string {
	var b strings.Builder
	b.WriteString("# Written by lab: changes here are undone.\n")
	s := p.settings()
	for _, k := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s = '%s'\n", k, strings.ReplaceAll(s[k], "'", "''"))
	}
	return b.String()
}

func (p Postgres) uid() string { return strconv.Itoa(cmp.Or(p.UID, 999)) }

// files returns what the server reads of the stack's directory. All of it can be read again while
// the server runs.
func (p Postgres) files() []compose.File {
	files := []compose.File{
		{Path: "conf/pg_hba.conf", Content: p.hbaFile(), Reload: true},
		{Path: "conf/postgresql.conf", Content: p.settingsFile(), Reload: true},
	}
	if p.TLS != nil {
		files = append(files,
			compose.File{Path: "conf/tls/server.crt", Content: p.TLS.Certificate, Reload: true},
			compose.File{Path: "conf/tls/server.key", Secret: p.TLS.Key, Owner: p.uid(), Group: p.uid(), Reload: true})
	}
	return files
}

// model returns the stack as a compose.yaml has it.
func (p Postgres) model() object {
	target, pgdata := "/var/lib/postgresql/data", "/var/lib/postgresql/data"
	if p.major() >= 18 {
		target, pgdata = "/var/lib/postgresql", fmt.Sprintf("/var/lib/postgresql/%d/docker", p.major())
	}
	service := object{
		"image":   p.Image,
		"restart": "unless-stopped",
		"command": []string{"postgres",
			"-c", "config_file=" + confDir + "/postgresql.conf", "-c", "hba_file=" + confDir + "/pg_hba.conf"},
		"environment": object{
			"POSTGRES_PASSWORD_FILE": "/run/secrets/postgres_password",
			"POSTGRES_INITDB_ARGS":   "--data-checksums",
			"PGDATA":                 pgdata,
		},
		"secrets":           []any{object{"source": "postgres_password", "uid": p.uid(), "gid": p.uid()}},
		"shm_size":          cmp.Or(p.ShmSize, "256mb"),
		"stop_grace_period": "60s",
		"volumes":           []string{p.data() + ":" + target, "./conf:" + confDir + ":ro"},
		"healthcheck": healthcheck("5s", "60s", "pg_isready", "-q", "-U", "postgres", "-d", "postgres", "-h",
			"127.0.0.1"),
	}
	if out := ports(p.Listen, "5432"); out != nil {
		service["ports"] = out
	}
	model := object{
		"services": object{"postgres": service},
		"secrets":  object{"postgres_password": object{"file": "./secrets/postgres_password"}},
	}
	if p.Subnet != "" {
		model["networks"] = object{"default": object{"ipam": object{"config": []any{object{"subnet": p.Subnet}}}}}
	}
	return model
}

// Stack returns the stack. Its error is a [lab.Problems] when the configuration is wrong.
func (p Postgres) Stack() (compose.Stack, error) {
	if ps := p.Validate(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	s, err := load(p.name(), p.model(), map[string]lab.Secret{"postgres_password": p.Password}, p.files(), p.Lock)
	if err != nil {
		return s, err
	}
	var reloaded []compose.File
	for i, f := range s.Files {
		switch f.Path {
		case "conf/pg_hba.conf":
			s.Files[i].ValidateWith = tryHBA(s.Image("postgres"), p.TLS != nil)
		case "conf/postgresql.conf":
			s.Files[i].ValidateWith = trySettings(s.Image("postgres"))
		}
		if f.Reload {
			reloaded = append(reloaded, s.Files[i])
		}
	}
	s.Format = fmt.Sprintf("postgres %d", p.major())
	s.Timeout = p.Timeout
	s.Before = append(guards(p.name(), p.Mount), postgresGuard{name: p.name(), data: p.data(), major: p.major()})
	after := host.Order{After: []string{s.Running()}}
	s.Parts = []host.Resource{postgresSettings{Order: after, name: p.name(), files: reloaded}}
	for _, d := range p.Databases {
		s.Parts = append(s.Parts, postgresDatabase{Order: after, stack: p.name(), Database: d})
	}
	return s, nil
}

// try returns a command that tries a file, whose name is in place of %s, with a server of the
// image. The server itself reports what is wrong when the image is not on the machine yet.
func try(image string, v script.Variables, file string) string {
	inside := script.Join(scripts, v, "trycluster.sh", file)
	return "file=%s\n" + script.Join(scripts, script.Variables{"image": image, "script": inside}, "try.sh")
}

// tryHBA tries pg_hba.conf (postgresql.org/docs/current/view-pg-hba-file-rules.html).
func tryHBA(image string, tls bool) string {
	ssl := "off"
	if tls {
		ssl = "on"
	}
	return try(image, script.Variables{"ssl": ssl}, "tryhba.sh")
}

// trySettings tries postgresql.conf.
func trySettings(image string) string { return try(image, nil, "trysettings.sh") }
