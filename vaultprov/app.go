package vaultprov

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Apps says what a Vault holds for the apps of a lab. The names of all objects come from their instances. Its
// [Apps.Spec] has for each instance the policy and the Kubernetes role of its pods, a connection to its database
// and the role that makes users of it; for each app, in all of its environments, the policy and the JWT role of
// its CI; and what they share: the mounts, the role gitea_cicd, and the credentials of Longhorn's backups.
type Apps struct {
	Instances []lab.Instance `yaml:"-"` // of all apps

	// Names of the mounts; empty means those of the constants DefaultKV, DefaultDatabase, ...
	KV         string `yaml:"kv"`
	Database   string `yaml:"database"`
	Transit    string `yaml:"transit"`
	Kubernetes string `yaml:"kubernetes"`
	JWT        string `yaml:"jwt"`

	Cluster  *KubernetesConfig `yaml:"cluster"`  // how tokens of pods are asked about; nil: as a Vault in the cluster does
	Issuer   *JWTConfig        `yaml:"issuer"`   // whose tokens CI logs in with; nil: no CI logs in
	CI       CI                `yaml:"ci"`       // who logs in with them
	Postgres *Postgres         `yaml:"postgres"` // where the databases are; nil: nobody gets a user of one
	Longhorn *Longhorn         `yaml:"longhorn"` // nil: no backups to a bucket
	Operator *Operator         `yaml:"operator"` // the Vault Secrets Operator; nil: it keeps nothing over a restart

	// TokenPeriod is how long a token of a pod lasts that is not renewed; 0 means 15 minutes. It can be renewed for
	// ever: at the end of a token everything that was leased with it is revoked, and every app restarted.
	TokenPeriod time.Duration `yaml:"tokenPeriod"`
}

// CI says what a token of a workflow must be like. As long as a forge gives jobs no tokens of their own, it is that of
// the bot that runs them: it proves the bot, and neither the repository nor the branch. Then whoever can run a
// workflow as the bot can log in as any app, and branches must be protected elsewhere.
type CI struct {
	Audience string `yaml:"audience"` // the client ID of the OAuth2 app, or the audience that jobs ask for; required with an issuer

	Subject   string              `yaml:"subject"`   // the claim sub: the numeric ID of the bot; empty means any
	Claims    map[string][]string `yaml:"claims"`    // others, such as preferred_username; empty: none
	UserClaim string              `yaml:"userClaim"` // empty means "preferred_username"

	// Organization is whose repositories log in, where tokens say which repository they are for: an app then logs in
	// with a token of ORGANIZATION/APP alone. Empty: tokens do not say.
	Organization string `yaml:"organization"`

	// BasePolicies are those of the role gitea_cicd, with which the lab's own workflows log in. Empty: there is no such
	// role.
	BasePolicies []string `yaml:"basePolicies"`
}

// Postgres is where the databases of apps are.
type Postgres struct {
	Host string `yaml:"host,required"` // the server itself, not a pooler
	Port int    `yaml:"port"`          // 0 means 5432

	// SSLMode is libpq's sslmode; empty means "verify-full", for which Vault's machine must trust the certificate.
	SSLMode string `yaml:"sslMode"`

	// Editor is whom Vault logs in as, and EditorPassword its password. As all connections share it, it must not be
	// rotated by Vault: change it in the database and here. An empty name means credentials_editor.
	Editor            string        `yaml:"editor"`
	EditorPassword    lab.Secret    `yaml:"-"`
	EditorPasswordRef lab.SecretRef `yaml:"editorPassword"` // a reference to it, see [Apps.Resolve]

	// EndSessions ends the sessions of a user that is removed, which would otherwise go on. The editor needs
	// pg_signal_backend with INHERIT.
	EndSessions bool `yaml:"endSessions"`

	TTL    time.Duration `yaml:"ttl"`    // of a user that is not renewed; 0 means an hour
	MaxTTL time.Duration `yaml:"maxTTL"` // of one that is; 0 means a day
}

// Longhorn is the key with which Longhorn writes its backups to a bucket, at KV/longhorn/backup, and who may read it.
type Longhorn struct {
	Namespace      string `yaml:"namespace"`      // empty means "longhorn-system"
	ServiceAccount string `yaml:"serviceAccount"` // empty means "longhorn-backup"

	// Key is what is stored: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINTS. Empty: others store it.
	Key     map[string]lab.Secret    `yaml:"-"`
	KeyRefs map[string]lab.SecretRef `yaml:"key"` // references to its values, see [Apps.Resolve]
}

// Operator is the Vault Secrets Operator, which encrypts with a key of ours the clients that it keeps: without them, a
// restart of it would make new users for all apps, and restart those.
type Operator struct {
	Namespace      string `yaml:"namespace"`      // empty means "vault-secrets-operator-system"
	ServiceAccount string `yaml:"serviceAccount"` // empty means "vault-secrets-operator-controller-manager"
}

// Names that are not derived from an instance.
const (
	baseRole       = "gitea_cicd"      // and the policy by which tokens of CI renew and revoke themselves
	longhornBackup = "longhorn-backup" // policy and Kubernetes role
	operatorName   = "vault-secrets-operator"
)

// Validate reports everything that is wrong by itself; what comes of it is validated by [Spec.Validate].
func (a Apps) Validate() lab.Problems {
	var ps lab.Problems
	if bad, ok := lab.ValidateInstances(a.Instances).(lab.Problems); ok {
		ps = append(ps, bad.Under("instances")...)
	}
	for n, i := range a.Instances {
		for _, name := range []string{i.VaultPolicy(), i.VaultOpsPolicy()} {
			if name == longhornBackup || name == operatorName || name == "root" || name == "default" {
				ps.Add(fmt.Sprintf("instances[%d]", n), "an app cannot be called %q here: its policy %s is another's", i.App, name)
			}
		}
		if i.VaultConfigPath() == "lab/config" || i.ID() == "longhorn" {
			ps.Add(fmt.Sprintf("instances[%d]", n), "an app cannot be called %q here: its secrets are another's", i.App)
		}
	}
	if a.Issuer != nil && a.CI.Audience == "" {
		ps.Add("ci.audience", "empty: Vault would refuse every token that has one")
	}
	if a.Issuer != nil && a.CI.Subject == "" && len(a.CI.Claims) == 0 && a.CI.Organization == "" {
		ps.Add("ci.subject", "empty, and so are claims and organization: whoever gets a token of the issuer could log in")
	}
	if p := a.Postgres; p != nil {
		if p.Host == "" || strings.ContainsAny(p.Host, "/@?# ") {
			ps = append(ps, lab.Problem{Path: "postgres.host", Text: p.Host, Message: "is not a name or an address of a server"})
		}
		if p.Port < 0 || p.Port > 65535 {
			ps.Add("postgres.port", "%d is not a port", p.Port)
		}
	}
	return ps
}

// Spec returns the objects of the apps. It reads nothing and writes nothing.
func (a Apps) Spec() Spec {
	s := Spec{
		Mounts: []Mount{{Path: mountOr(a.KV, DefaultKV), Type: typeKV}},
		Auths:  []Auth{{Path: mountOr(a.Kubernetes, DefaultKubernetes), Type: "kubernetes", Kubernetes: a.cluster()}},
	}
	if a.Issuer != nil {
		s.Auths = append(s.Auths, Auth{Path: mountOr(a.JWT, DefaultJWT), Type: "jwt", JWT: a.Issuer})
		s.Policies = append(s.Policies, policyOf(baseRole, []policyRule{{"auth/token/lookup-self", "read"},
			{"auth/token/renew-self", "update"}, {"auth/token/revoke-self", "update"}}))
		if len(a.CI.BasePolicies) > 0 {
			s.JWTRoles = append(s.JWTRoles, a.jwtRole(baseRole, "", a.CI.BasePolicies...))
		}
	}
	if a.Postgres != nil {
		s.Mounts = append(s.Mounts, Mount{Path: mountOr(a.Database, DefaultDatabase), Type: "database"})
	}
	done := map[lab.App]bool{}
	for _, i := range a.Instances {
		s = s.With(a.instance(i))
		if !done[i.App] {
			s = s.With(a.ci(i))
			done[i.App] = true
		}
	}
	return s.With(a.longhorn(), a.operator())
}

func (a Apps) cluster() *KubernetesConfig {
	if a.Cluster == nil {
		return &KubernetesConfig{}
	}
	return a.Cluster
}

// instance returns what an instance has for itself.
func (a Apps) instance(i lab.Instance) (s Spec) {
	kv := mountOr(a.KV, DefaultKV)
	rules := []policyRule{{kv + "/data/" + i.ID() + "/*", "read"}, {kv + "/metadata/" + i.ID() + "/*", "list"}}
	if a.Postgres != nil {
		db := mountOr(a.Database, DefaultDatabase)
		rules = append(rules, policyRule{db + "/creds/" + i.VaultDatabaseRole(), "read"})
		s.Connections = []Connection{a.Postgres.connection(db, i)}
		s.DatabaseRoles = []DatabaseRole{a.Postgres.role(db, i)}
	}
	s.Policies = []Policy{policyOf(i.VaultPolicy(), rules)}
	s.KubernetesRoles = []KubernetesRole{a.podRole(i.VaultKubernetesRole(), i.Namespace(), i.ServiceAccount(), i.VaultPolicy())}
	return s
}

// ci returns what the CI of an app has, one for all of its environments.
func (a Apps) ci(i lab.Instance) (s Spec) {
	if a.Issuer == nil {
		return s
	}
	kv := mountOr(a.KV, DefaultKV)
	var rules []policyRule
	for _, other := range a.Instances {
		if other.App == i.App {
			rules = append(rules, policyRule{kv + "/data/" + other.ID() + "/*", "create read update delete"},
				policyRule{kv + "/metadata/" + other.ID() + "/*", "read list"})
		}
	}
	s.Policies = []Policy{policyOf(i.VaultOpsPolicy(), rules)}
	s.JWTRoles = []JWTRole{a.jwtRole(i.VaultJWTRole(), i.App, i.VaultOpsPolicy())}
	return s
}

// jwtRole returns the role of a repository's workflows; app is empty for those of the lab itself.
func (a Apps) jwtRole(name string, app lab.App, policies ...string) JWTRole {
	r := JWTRole{Mount: a.JWT, Name: name, Audiences: []string{a.CI.Audience}, Subject: a.CI.Subject, UserClaim: a.CI.UserClaim,
		Claims: map[string][]string{}, Token: RoleToken{Policies: append(slices.Clone(policies), baseRole),
			TTL: 10 * time.Minute, MaxTTL: 20 * time.Minute,
			NoDefaultPolicy: true, Type: "service"}}
	if r.UserClaim == "" {
		r.UserClaim = "preferred_username"
	}
	for claim, values := range a.CI.Claims {
		r.Claims[claim] = values
	}
	if a.CI.Organization != "" && app != "" {
		r.Claims["repository"] = []string{app.In("").Repository(a.CI.Organization)}
	}
	return r
}

func (a Apps) podRole(name, namespace, account string, policies ...string) KubernetesRole {
	period := a.TokenPeriod
	if period == 0 {
		period = 15 * time.Minute
	}
	return KubernetesRole{Mount: a.Kubernetes, Name: name, ServiceAccounts: []string{account}, Namespaces: []string{namespace},
		Token: RoleToken{Policies: policies, Period: period}}
}

func (a Apps) longhorn() (s Spec) {
	l := a.Longhorn
	if l == nil {
		return s
	}
	kv := mountOr(a.KV, DefaultKV)
	s.Policies = []Policy{policyOf(longhornBackup, []policyRule{{kv + "/data/longhorn/backup", "read"}})}
	s.KubernetesRoles = []KubernetesRole{a.podRole(longhornBackup, mountOr(l.Namespace, "longhorn-system"),
		mountOr(l.ServiceAccount, longhornBackup), longhornBackup)}
	if len(l.Key) > 0 {
		s.Entries = []Entry{{Mount: a.KV, Path: "longhorn/backup", Data: l.Key}}
	}
	return s
}

func (a Apps) operator() (s Spec) {
	o := a.Operator
	if o == nil {
		return s
	}
	transit := mountOr(a.Transit, DefaultTransit)
	s.Mounts = []Mount{{Path: transit, Type: "transit"}}
	s.TransitKeys = []TransitKey{{Mount: a.Transit, Name: operatorName}}
	s.Policies = []Policy{policyOf(operatorName, []policyRule{{transit + "/encrypt/" + operatorName, "create update"},
		{transit + "/decrypt/" + operatorName, "create update"}})}
	s.KubernetesRoles = []KubernetesRole{a.podRole(operatorName, mountOr(o.Namespace, "vault-secrets-operator-system"),
		mountOr(o.ServiceAccount, "vault-secrets-operator-controller-manager"), operatorName)}
	return s
}

// connection returns how the database of an instance is reached.
func (p *Postgres) connection(mount string, i lab.Instance) Connection {
	port, mode, editor := p.Port, p.SSLMode, p.Editor
	if port == 0 {
		port = 5432
	}
	if mode == "" {
		mode = "verify-full"
	}
	if editor == "" {
		editor = "credentials_editor"
	}
	query := url.Values{"sslmode": {mode}}
	return Connection{Mount: mount, Name: i.VaultDatabaseRole(), Username: editor, Password: p.EditorPassword,
		Roles: []string{i.VaultDatabaseRole()}, URL: "postgresql://{{username}}:{{password}}@" +
			net.JoinHostPort(p.Host, strconv.Itoa(port)) + "/" + i.Database() + "?" + query.Encode()}
}

// role returns what makes the users of an instance's database. ALTER ROLE ... SET role gives what they make to the owner
// role, so that the next user can use it, and each can be dropped.
func (p *Postgres) role(mount string, i lab.Instance) DatabaseRole {
	owner := i.OwnerRole()
	r := DatabaseRole{Mount: mount, Name: i.VaultDatabaseRole(), TTL: p.TTL, MaxTTL: p.MaxTTL,
		Creation: []string{
			`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE "` + owner + `";`,
			`ALTER ROLE "{{name}}" SET role TO '` + owner + `';`,
		},
		Renewal:    []string{`ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}';`},
		Revocation: []string{`DROP ROLE IF EXISTS "{{name}}";`},
		Rollback:   []string{`DROP ROLE IF EXISTS "{{name}}";`},
	}
	if p.EndSessions {
		r.Revocation = append([]string{`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';`},
			r.Revocation...)
	}
	if r.TTL == 0 {
		r.TTL = time.Hour
	}
	if r.MaxTTL == 0 {
		r.MaxTTL = max(24*time.Hour, r.TTL)
	}
	return r
}

// policyRule is a path and the capabilities on it, with spaces between.
type policyRule struct{ path, capabilities string }

// policyOf writes a policy.
func policyOf(name string, rules []policyRule) Policy {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "path %q {\n  capabilities = [\"%s\"]\n}\n", r.path, strings.ReplaceAll(r.capabilities, " ", `", "`))
	}
	return Policy{Name: name, Text: b.String()}
}
