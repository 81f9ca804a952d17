package stack

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Gitea is a Gitea server in its rootless image, with its database in PostgreSQL. What the stack sets of app.ini comes by the environment, secrets as
// files: the image writes it into app.ini at every start (docs.gitea.com, environment-to-ini). It never removes a key from there; the stack does.
type Gitea struct {
	Name  string       // of the project; empty means gitea
	Image string       // rootless, with its version as the tag: "gitea/gitea:1.25.2-rootless"
	Lock  compose.Lock // pins the image

	Data  string // the folder on the machine for repositories and packages; empty means data in the stack's folder
	Mount string // a mount point that must be there, when the data is on a disk of its own

	RootURL    string // as users and OIDC clients write it, with a slash at the end: "https://gitea.arcodange.lab/"
	ListenHTTP string // the address that port 3000 is published at, "192.168.1.202:3000"; empty publishes nothing
	ListenSSH  string // the address that port 2222 is published at; empty publishes nothing
	SSHDomain  string // in clone URLs; empty means the host of RootURL

	Database GiteaDatabase
	Keys     GiteaKeys

	Settings map[string]string // more of app.ini, as "section.KEY", not secret; "DEFAULT.KEY" for those before the first section
	Networks []string          // names of networks to join, beside its own: that of the PostgreSQL stack, "postgres_default"

	Admin       string     // an administrator that must be there; empty means none. Its password is random and known to nobody
	AdminEmail  string     // of a new administrator; empty means ADMIN@ and the host of RootURL
	RunnerToken lab.Secret // registers runners of all repositories, 32 characters at least; empty means none

	Timeout time.Duration // see [compose.Stack]
}

// GiteaDatabase is where Gitea's data is. The database and the role must be there, see [Database].
type GiteaDatabase struct {
	Host     string // "postgres:5432"; empty means that
	Name     string // empty means gitea
	User     string // empty means gitea
	Password lab.Secret
	SSLMode  string // disable, require, verify-full; empty means disable, which is right for the network of one machine
}

// GiteaKeys are the secrets that Gitea's data is bound to: with others, two-factor logins, OAuth2 clients and credentials of mirrors are lost. Make them
// with [NewGiteaKeys].
type GiteaKeys struct{ SecretKey, InternalToken, JWTSecret lab.Secret }

// NewGiteaKeys returns the keys that the keyring has, and new ones the first time. Errors are those of [lab.Keyring.Secret].
func NewGiteaKeys(ctx context.Context, keyring *lab.Keyring) (k GiteaKeys, err error) {
	for name, key := range map[string]*lab.Secret{
		"gitea-secret-key": &k.SecretKey, "gitea-internal-token": &k.InternalToken,
		"gitea-jwt-secret": &k.JWTSecret, // Gitea takes 32 bytes in the URL alphabet of base64, without padding, as the keyring makes them
	} {
		if *key, err = keyring.Secret(ctx, name, nil); err != nil {
			return GiteaKeys{}, err
		}
	}
	return k, nil
}

// giteaUID is the account git of the rootless image.
const giteaUID = "1000"

// giteaToken is how short a registration token may be (services/actions/init.go): Gitea would end at its start.
const giteaToken = 32

var (
	giteaSetting = regexp.MustCompile(`^[A-Za-z0-9_.-]+\.[A-Za-z0-9_]+$`)
	giteaUser    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
)

func (g Gitea) name() string { return nameOr(g.Name, "gitea") }

func (g Gitea) version() string { return strings.TrimSuffix(tag(g.Image), "-rootless") }

func (g Gitea) check() (ps lab.Problems) {
	if !strings.HasSuffix(tag(g.Image), "-rootless") || !pgVersion.MatchString(g.version()) {
		ps = append(ps, lab.Problem{Path: "image", Text: g.Image, Message: "its tag is not a version of the rootless image", Hint: `write "gitea/gitea:1.25.2-rootless"`})
	}
	if u, err := url.Parse(g.RootURL); err != nil || u.Host == "" || !strings.HasSuffix(g.RootURL, "/") {
		ps = append(ps, lab.Problem{Path: "rootURL", Text: g.RootURL, Message: "is not a URL with a slash at its end: OIDC clients compare it byte by byte"})
	}
	for field, s := range map[string]lab.Secret{"database.password": g.Database.Password, "keys.secretKey": g.Keys.SecretKey, "keys.internalToken": g.Keys.InternalToken, "keys.jwtSecret": g.Keys.JWTSecret} {
		if s.IsZero() {
			ps.Add(field, "is empty")
		}
	}
	checkFolder(&ps, "data", g.Data)
	checkFolder(&ps, "mount", g.Mount)
	checkListen(&ps, "listenHTTP", g.ListenHTTP)
	checkListen(&ps, "listenSSH", g.ListenSSH)
	own := g.settings()
	for _, k := range slices.Sorted(maps.Keys(g.Settings)) {
		switch _, taken := own[k]; {
		case !giteaSetting.MatchString(k):
			ps = append(ps, lab.Problem{Path: "settings", Text: k, Message: `is not "section.KEY"`})
		case taken && g.Settings[k] != own[k]:
			ps = append(ps, lab.Problem{Path: "settings." + k, Message: "is set by the stack"})
		case !survivesIni(g.Settings[k]):
			ps = append(ps, lab.Problem{Path: "settings." + k, Text: g.Settings[k], Message: "does not survive app.ini: it is within quotes, or of several lines"})
		}
	}
	if n := len(g.RunnerToken.Reveal()); n > 0 && n < giteaToken {
		ps.Add("runnerToken", "has %d characters, and Gitea wants %d", n, giteaToken)
	}
	if g.Admin != "" && !giteaUser.MatchString(g.Admin) {
		ps = append(ps, lab.Problem{Path: "admin", Text: g.Admin, Message: "is not the name of a user"})
	}
	return ps
}

// settings returns what the stack sets of app.ini, "section.KEY", secrets aside.
func (g Gitea) settings() map[string]string {
	domain := ""
	secure := "false"
	if u, err := url.Parse(g.RootURL); err == nil {
		domain = u.Hostname()
		secure = fmt.Sprint(u.Scheme == "https")
	}
	_, sshPort, _ := cutLast(g.ListenSSH, ":")
	s := map[string]string{
		"security.INSTALL_LOCK": "true",
		"server.ROOT_URL":       g.RootURL, "server.DOMAIN": domain, "server.HTTP_PORT": "3000",
		"server.SSH_DOMAIN": cmp.Or(g.SSHDomain, domain), "server.SSH_PORT": cmp.Or(sshPort, "2222"), "server.SSH_LISTEN_PORT": "2222", "server.START_SSH_SERVER": "true",
		"database.DB_TYPE": "postgres", "database.HOST": cmp.Or(g.Database.Host, "postgres:5432"), "database.NAME": cmp.Or(g.Database.Name, "gitea"),
		"database.USER": cmp.Or(g.Database.User, "gitea"), "database.SSL_MODE": cmp.Or(g.Database.SSLMode, "disable"),
		"service.DISABLE_REGISTRATION": "true", "session.COOKIE_SECURE": secure,
		"actions.ENABLED": "true", "packages.ENABLED": "true",
	}
	return s
}

// giteaVariable returns the variable that sets a key of app.ini. The keys before the first section have an empty one there; with DEFAULT, Gitea would
// make a section [default] that it never reads.
func giteaVariable(section, key string) string {
	if section == "DEFAULT" {
		section = ""
	}
	return "GITEA__" + strings.NewReplacer(".", "_0X2E_", "-", "_0X2D_").Replace(section) + "__" + key
}

// Stack returns the stack.
func (g Gitea) Stack() (compose.Stack, error) {
	if ps := g.check(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	settings := g.settings()
	maps.Copy(settings, g.Settings)
	environment := object{}
	for k, v := range settings {
		section, key, _ := cutLast(k, ".")
		environment[giteaVariable(section, key)] = v
	}
	secrets := map[string]lab.Secret{"gitea_secret_key": g.Keys.SecretKey, "gitea_internal_token": g.Keys.InternalToken, "gitea_jwt_secret": g.Keys.JWTSecret, "gitea_database": g.Database.Password}
	files := map[string]string{"security.SECRET_KEY": "gitea_secret_key", "security.INTERNAL_TOKEN": "gitea_internal_token", "oauth2.JWT_SECRET": "gitea_jwt_secret", "database.PASSWD": "gitea_database"}
	for k, secret := range files {
		section, key, _ := cutLast(k, ".")
		environment[giteaVariable(section, key)+"__FILE"] = "/run/secrets/" + secret
	}
	if !g.RunnerToken.IsZero() {
		secrets["gitea_runner_token"] = g.RunnerToken
		environment["GITEA_RUNNER_REGISTRATION_TOKEN_FILE"] = "/run/secrets/gitea_runner_token"
	}
	data := cmp.Or(g.Data, path.Join(dirOf(g.name()), "data"))
	config := path.Join(dirOf(g.name()), "config")
	networks := object{"default": nil}
	top := object{"default": object{}}
	for _, n := range g.Networks {
		networks[n], top[n] = nil, object{"name": n, "external": true}
	}
	var mounts []any
	definitions := object{}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		mounts = append(mounts, object{"source": name, "uid": giteaUID, "gid": giteaUID})
		definitions[name] = object{"file": "./secrets/" + name}
	}
	service := object{
		"image": g.Image, "restart": "unless-stopped", "environment": environment, "secrets": mounts, "networks": networks, "stop_grace_period": "60s",
		"volumes":     []string{data + ":/var/lib/gitea", config + ":/etc/gitea"},
		"healthcheck": healthcheck([]string{"curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3000/api/healthz"}, "5s", "120s", 6),
	}
	if out := ports(g.ListenHTTP, "3000", g.ListenSSH, "2222"); out != nil {
		service["ports"] = out
	}
	s, err := load(g.name(), object{"services": object{"gitea": service}, "networks": top, "secrets": definitions}, secrets, nil, g.Lock)
	if err != nil {
		return s, err
	}
	s.Format = "gitea " + g.version()
	s.Timeout = cmp.Or(g.Timeout, 5*time.Minute)
	keys := map[string]lab.Secret{}
	for _, name := range []string{"gitea_secret_key", "gitea_internal_token", "gitea_jwt_secret"} {
		keys[path.Join(dirOf(g.name()), "secrets", name)] = secrets[name]
	}
	ini := appIni{stack: g.name(), file: path.Join(config, "app.ini"), environment: plainEnvironment(environment)}
	s.Before = append(guards(g.name(), g.Mount), giteaGuard{name: g.name(), version: g.version()}, keyGuard{stack: g.name(), keys: keys},
		host.Directory{Path: data, Mode: 0o750, Owner: giteaUID, Group: giteaUID}, host.Directory{Path: config, Mode: 0o700, Owner: giteaUID, Group: giteaUID}, // which the image makes it
		appIniKeys{ini})
	after := host.Order{After: []string{s.Running()}}
	s.Parts = []host.Resource{appIniDrift{after, ini}}
	if g.Admin != "" {
		u, _ := url.Parse(g.RootURL) // checked
		s.Parts = append(s.Parts, giteaAdmin{Order: after, stack: g.name(), user: g.Admin, email: cmp.Or(g.AdminEmail, g.Admin+"@"+u.Hostname())})
	}
	return s, nil
}

// giteaGuard refuses an older version than the data was used with: Gitea would not start on it, and a version that did could not go back.
type giteaGuard struct{ name, version string }

func (g giteaGuard) ID() string { return "guard:" + g.name + ":version" }

func (g giteaGuard) Validate() lab.Problems { return nil }

func (g giteaGuard) Observe(q *host.Query) { ranBefore{g.name}.observe(q) }

func (g giteaGuard) Plan(o *host.Observation) ([]host.Op, error) {
	formats, err := ranBefore{g.name}.formats(o)
	if err != nil {
		return nil, err
	}
	return nil, g.judge(formats)
}

// judge decides by the versions that were run, each "gitea 1.25.2".
func (g giteaGuard) judge(formats []string) error {
	for _, f := range formats {
		old, ok := strings.CutPrefix(f, "gitea ")
		if ok && compose.CompareVersions(g.version, old) < 0 {
			return &lab.Error{Op: "check version", Hint: fmt.Sprintf("keep %s or take a newer one; to go back all the same, restore the backup of before the upgrade: database, data and app.ini, then rm -r /opt/stacks/%s/.prev and its container", old, g.name),
				Err: fmt.Errorf("%w: Gitea %s ran here, and %s cannot read its database", lab.ErrRefused, old, g.version)}
		}
	}
	return nil
}

// keyGuard refuses to replace a secret that data is bound to.
type keyGuard struct {
	stack string
	keys  map[string]lab.Secret // by file
}

func (g keyGuard) ID() string { return "guard:" + g.stack + ":keys" }

func (g keyGuard) Validate() lab.Problems { return nil }

func (g keyGuard) Secrets() (out []lab.Secret) {
	for _, s := range g.keys {
		out = append(out, s)
	}
	return out
}

func (g keyGuard) Observe(q *host.Query) {
	for file := range g.keys {
		q.Content(file)
	}
}

func (g keyGuard) Plan(o *host.Observation) ([]host.Op, error) {
	for _, file := range slices.Sorted(maps.Keys(g.keys)) {
		if have, ok := o.Content(file); ok && !lab.NewSecret(string(have)).Equal(g.keys[file]) {
			return nil, &lab.Error{Op: "check key", Path: file, Hint: "pass the key that is there; remove the file only together with all of Gitea's data",
				Err: fmt.Errorf("%w: another key would lose two-factor logins, OAuth2 clients and the credentials of mirrors", lab.ErrRefused)}
		}
	}
	return nil, nil
}

// giteaAdmin makes an administrator. Its password is made by Gitea and thrown away: one in an argument would be seen by everybody on the machine.
type giteaAdmin struct {
	host.Order
	stack, user, email string
}

func (a giteaAdmin) ID() string { return "gitea:" + a.stack + ":admin:" + a.user }

func (a giteaAdmin) Validate() lab.Problems { return nil }

func (a giteaAdmin) Observe(q *host.Query) {
	q.Probe(a.ID(), container(a.stack, "gitea")+`docker exec "$i" gitea admin user list --admin`)
}

func (a giteaAdmin) Plan(o *host.Observation) ([]host.Op, error) {
	r := o.Probe(a.ID())
	for line := range strings.Lines(string(r.Output)) {
		// ID Username Email IsActive 2FA
		if w := strings.Fields(line); len(w) > 2 && strings.EqualFold(w[1], a.user) { // names are one whatever their case (models/user, LowerName)
			return nil, nil
		}
	}
	cause := "not found"
	if r.Exit != 0 {
		cause = "the server does not run, and cannot tell who is there"
	}
	return []host.Op{{Action: lab.Create, Cause: cause,
		Script: container(a.stack, "gitea") + fmt.Sprintf(`if docker exec "$i" gitea admin user list --admin | awk -v u=%[1]s 'tolower($2) == tolower(u) { found = 1 } END { exit !found }'; then exit 0; fi
docker exec "$i" gitea admin user create --admin --username %[1]s --email %[2]s --random-password --random-password-length 40 --must-change-password=false >/dev/null`,
			ssh.Quote(a.user), ssh.Quote(a.email))}}, nil
}
