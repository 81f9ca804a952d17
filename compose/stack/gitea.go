package stack

import (
	"cmp"
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
)

// Gitea is a Gitea server in its rootless image, with its database in PostgreSQL. What the stack
// sets of app.ini comes by the environment, secrets as files: the image writes it into app.ini at
// every start (docs.gitea.com, environment-to-ini). The image never removes a key from there; the
// stack does.
type Gitea struct {
	Name  string `yaml:"name"`           // of the project; empty means gitea
	Image string `yaml:"image,required"` // rootless, with its version as the tag: "gitea/gitea:1.25.2-rootless"

	// Data is the directory on the machine for repositories and packages; empty means data in the
	// stack's directory.
	Data string `yaml:"data"`

	// Mount is a mount point that must be there, when the data is on a disk of its own; empty means
	// that it is not.
	Mount string `yaml:"mount"`

	// RootURL is the address as users and OIDC clients write it, with a slash at the end:
	// "https://gitea.arcodange.lab/".
	RootURL string `yaml:"rootURL,required"`

	// ListenHTTP is the address that port 3000 is published at, "192.168.1.202:3000"; empty
	// publishes nothing.
	ListenHTTP string `yaml:"listenHTTP"`

	ListenSSH string `yaml:"listenSSH"` // the address that port 2222 is published at; empty publishes nothing
	SSHDomain string `yaml:"sshDomain"` // in clone URLs; empty means the host of rootURL

	Database GiteaDatabase `yaml:"database"`

	// Settings are more of app.ini, as "section.KEY", not secret; "DEFAULT.KEY" for those before
	// the first section. Empty means those of the stack alone.
	Settings map[string]string `yaml:"settings"`

	// Networks are names of networks to join, beside its own: that of the PostgreSQL stack,
	// "postgres_default". Empty means none.
	Networks []string `yaml:"networks"`

	// Admin is an administrator that must be there; empty means none. Its password is random and
	// known to nobody.
	Admin string `yaml:"admin"`

	AdminEmail string        `yaml:"adminEmail"` // of a new administrator; empty means ADMIN@ and the host of rootURL
	Timeout    time.Duration `yaml:"timeout"`    // how long the server may take to get healthy; 0 means 5 minutes

	Keys        GiteaKeys    `yaml:"-"`
	RunnerToken lab.Secret   `yaml:"-"` // registers runners of all repositories, 32 characters at least; empty means none
	Lock        compose.Lock `yaml:"-"` // pins the image
}

// GiteaDatabase is where Gitea's data is. The database and the role must be there, see [Database].
type GiteaDatabase struct {
	Host string `yaml:"host"` // "postgres:5432"; empty means that
	Name string `yaml:"name"` // empty means gitea
	User string `yaml:"user"` // empty means gitea

	// SSLMode is disable, require or verify-full; empty means disable, which is right for the
	// network of one machine.
	SSLMode string `yaml:"sslMode"`

	Password lab.Secret `yaml:"-"`
}

// giteaUID is the account git of the rootless image.
const giteaUID = "1000"

// minRunnerToken is how short a registration token may be (services/actions/init.go): with a
// shorter one, Gitea ends at its start.
const minRunnerToken = 32

var (
	giteaSetting = regexp.MustCompile(`^[A-Za-z0-9_.-]+\.[A-Za-z0-9_]+$`)
	giteaUser    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
)

func (g Gitea) name() string { return nameOr(g.Name, "gitea") }

func (g Gitea) version() string { return strings.TrimSuffix(tag(g.Image), "-rootless") }

func (g Gitea) data() string { return cmp.Or(g.Data, path.Join(dirOf(g.name()), "data")) }

func (g Gitea) config() string { return path.Join(dirOf(g.name()), "config") }

// Validate returns everything that is wrong with the configuration, the secrets that it needs among it.
func (g Gitea) Validate() (ps lab.Problems) {
	validateImage(&ps, g.Image)
	if len(ps) == 0 && (!strings.HasSuffix(tag(g.Image), "-rootless") || !pgVersion.MatchString(g.version())) {
		ps = append(ps, lab.Problem{Path: "image", Text: g.Image,
			Message: "its tag is not a version of the rootless image",
			Hint:    `write "gitea/gitea:1.25.2-rootless"`})
	}
	const whole = "is not a URL with a slash at its end: OIDC clients compare it byte by byte"
	if validateURL(&ps, "rootURL", g.RootURL, whole) && !strings.HasSuffix(g.RootURL, "/") {
		ps = append(ps, lab.Problem{Path: "rootURL", Text: g.RootURL, Message: whole})
	}
	for _, s := range []struct {
		field string
		value lab.Secret
	}{
		{"database.password", g.Database.Password}, {"keys.secretKey", g.Keys.SecretKey},
		{"keys.internalToken", g.Keys.InternalToken}, {"keys.jwtSecret", g.Keys.JWTSecret},
	} {
		if s.value.IsZero() {
			ps.Add(s.field, "is empty")
		}
	}
	validateDir(&ps, "data", g.Data)
	validateDir(&ps, "mount", g.Mount)
	validateListen(&ps, "listenHTTP", g.ListenHTTP)
	validateListen(&ps, "listenSSH", g.ListenSSH)
	validateTimeout(&ps, "timeout", g.Timeout)
	if m := g.Database.SSLMode; !slices.Contains([]string{"", "disable", "require", "verify-full"}, m) {
		p := lab.Problem{Path: "database.sslMode", Text: m, Message: "is not disable, require or verify-full"}
		if near := lab.Nearest(m, []string{"disable", "require", "verify-full"}); near != "" {
			p.Hint = "nearest: " + near
		}
		ps = append(ps, p)
	}
	own := g.settings()
	for _, k := range slices.Sorted(maps.Keys(g.Settings)) {
		switch _, taken := own[k]; {
		case !giteaSetting.MatchString(k):
			ps = append(ps, lab.Problem{Path: "settings", Text: k, Message: `is not "section.KEY"`})
		case taken && g.Settings[k] != own[k]:
			ps = append(ps, lab.Problem{Path: "settings." + k, Message: "is set by the stack"})
		case !survivesIni(g.Settings[k]):
			ps = append(ps, lab.Problem{Path: "settings." + k, Text: g.Settings[k],
				Message: "does not survive app.ini: it is within quotes, or of several lines"})
		}
	}
	if n := len(g.RunnerToken.Reveal()); n > 0 && n < minRunnerToken {
		ps.Add("runnerToken", "has %d characters, and Gitea wants %d", n, minRunnerToken)
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
	return map[string]string{
		"security.INSTALL_LOCK": "true",

		"server.ROOT_URL":         g.RootURL,
		"server.DOMAIN":           domain,
		"server.HTTP_PORT":        "3000",
		"server.SSH_DOMAIN":       cmp.Or(g.SSHDomain, domain),
		"server.SSH_PORT":         cmp.Or(sshPort, "2222"),
		"server.SSH_LISTEN_PORT":  "2222",
		"server.START_SSH_SERVER": "true",

		"database.DB_TYPE":  "postgres",
		"database.HOST":     cmp.Or(g.Database.Host, "postgres:5432"),
		"database.NAME":     cmp.Or(g.Database.Name, "gitea"),
		"database.USER":     cmp.Or(g.Database.User, "gitea"),
		"database.SSL_MODE": cmp.Or(g.Database.SSLMode, "disable"),

		"service.DISABLE_REGISTRATION": "true",
		"session.COOKIE_SECURE":        secure,
		"actions.ENABLED":              "true",
		"packages.ENABLED":             "true",
	}
}

// giteaSecrets are the secrets of the stack that are keys of app.ini, by the names that they have
// in the stack.
var giteaSecrets = map[string]string{
	"gitea_secret_key": "security.SECRET_KEY", "gitea_internal_token": "security.INTERNAL_TOKEN",
	"gitea_jwt_secret": "oauth2.JWT_SECRET", "gitea_database": "database.PASSWD",
}

// secrets returns the secrets of the stack.
func (g Gitea) secrets() map[string]lab.Secret {
	s := map[string]lab.Secret{
		"gitea_secret_key": g.Keys.SecretKey, "gitea_internal_token": g.Keys.InternalToken,
		"gitea_jwt_secret": g.Keys.JWTSecret, "gitea_database": g.Database.Password,
	}
	if !g.RunnerToken.IsZero() {
		s["gitea_runner_token"] = g.RunnerToken
	}
	return s
}

// environment returns the variables by which the image writes app.ini.
func (g Gitea) environment() object {
	settings := g.settings()
	maps.Copy(settings, g.Settings)
	out := object{}
	for k, v := range settings {
		out[giteaVariable(k)] = v
	}
	for secret, k := range giteaSecrets {
		out[giteaVariable(k)+"__FILE"] = "/run/secrets/" + secret
	}
	if !g.RunnerToken.IsZero() {
		out["GITEA_RUNNER_REGISTRATION_TOKEN_FILE"] = "/run/secrets/gitea_runner_token"
	}
	return out
}

// giteaVariable returns the variable that sets a key of app.ini, "section.KEY". The keys before the
// first section, which are those of DEFAULT, have an empty one there; with DEFAULT, Gitea would
// make a section [default] that it never reads.
func giteaVariable(setting string) string {
	section, key, _ := cutLast(setting, ".")
	if section == "DEFAULT" {
		section = ""
	}
	return "GITEA__" + strings.NewReplacer(".", "_0X2E_", "-", "_0X2D_").Replace(section) + "__" + key
}

// model returns the stack as a compose.yaml has it.
func (g Gitea) model() object {
	networks, top := object{"default": nil}, object{"default": object{}}
	for _, n := range g.Networks {
		networks[n], top[n] = nil, object{"name": n, "external": true}
	}
	var mounts []any
	definitions := object{}
	for _, name := range slices.Sorted(maps.Keys(g.secrets())) {
		mounts = append(mounts, object{"source": name, "uid": giteaUID, "gid": giteaUID})
		definitions[name] = object{"file": "./secrets/" + name}
	}
	service := object{
		"image":             g.Image,
		"restart":           "unless-stopped",
		"environment":       g.environment(),
		"secrets":           mounts,
		"networks":          networks,
		"stop_grace_period": "60s",
		"volumes":           []string{g.data() + ":/var/lib/gitea", g.config() + ":/etc/gitea"},
		"healthcheck": healthcheck("5s", "120s", "curl", "-fsS", "-o", "/dev/null",
			"http://127.0.0.1:3000/api/healthz"),
	}
	if out := ports(g.ListenHTTP, "3000", g.ListenSSH, "2222"); out != nil {
		service["ports"] = out
	}
	return object{"services": object{"gitea": service}, "networks": top, "secrets": definitions}
}

// Stack returns the stack. Its error is a [lab.Problems] when the configuration is wrong.
func (g Gitea) Stack() (compose.Stack, error) {
	if ps := g.Validate(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	secrets := g.secrets()
	s, err := load(g.name(), g.model(), secrets, nil, g.Lock)
	if err != nil {
		return s, err
	}
	s.Format = "gitea " + g.version()
	s.Timeout = cmp.Or(g.Timeout, 5*time.Minute)
	keys := map[string]lab.Secret{}
	for _, name := range []string{"gitea_secret_key", "gitea_internal_token", "gitea_jwt_secret"} {
		keys[path.Join(dirOf(g.name()), "secrets", name)] = secrets[name]
	}
	ini := appIni{stack: g.name(), file: path.Join(g.config(), "app.ini"),
		environment: plainEnvironment(g.environment())}
	s.Before = append(guards(g.name(), g.Mount),
		giteaGuard{name: g.name(), version: g.version()},
		keyGuard{stack: g.name(), keys: keys},
		host.Directory{Path: g.data(), Mode: 0o750, Owner: giteaUID, Group: giteaUID},
		host.Directory{Path: g.config(), Mode: 0o700, Owner: giteaUID, Group: giteaUID}, // which the image makes it
		appIniKeys{ini})
	after := host.Order{After: []string{s.Running()}}
	s.Parts = []host.Resource{appIniDrift{after, ini}}
	if g.Admin != "" {
		u, _ := url.Parse(g.RootURL) // it was validated
		email := cmp.Or(g.AdminEmail, g.Admin+"@"+u.Hostname())
		s.Parts = append(s.Parts, giteaAdmin{Order: after, stack: g.name(), user: g.Admin, email: email})
	}
	return s, nil
}
