package lab

import (
	"fmt"
	"regexp"
	"strings"
)

// App is the name of an application, in lowercase kebab-case: the key by which a dozen systems find
// each other. Every other name is derived from it and an environment, and never typed, because a
// typo in one of them would break the chain without an error.
//
// A valid App has 1 to 40 letters a-z, digits and single hyphens, begins with a letter and does not
// end with a hyphen.
type App string

// Prod is the environment whose name is left out: App("erp").In(Prod) is called "erp" everywhere.
const Prod = "prod"

// In returns the instance of the app in an environment; "" means [Prod]. The names of an instance
// are valid only if [ValidateInstances] accepts it.
func (a App) In(env string) Instance {
	if env == "" {
		env = Prod
	}
	return Instance{App: a, Env: env}
}

var (
	appPattern = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)
	envPattern = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

const (
	maxApp = 40
	// so that the longest owner role, app_env_role, has 61 of PostgreSQL's 63 bytes, and an ID 56
	// of a DNS label's 63
	maxEnv = 15
)

// Instance is an app in an environment. Its methods return the names of what belongs to it.
type Instance struct {
	App App    `yaml:"app,required"`
	Env string `yaml:"env"` // 1 to 15 letters a-z and digits, beginning with a letter; empty means [Prod]
}

func (i Instance) prod() bool { return i.Env == "" || i.Env == Prod }

// ID returns the instance's id: "erp" in prod, "erp-sandbox" in sandbox.
func (i Instance) ID() string {
	if i.prod() {
		return string(i.App)
	}
	return string(i.App) + "-" + i.Env
}

// String returns the ID.
func (i Instance) String() string { return i.ID() }

// Database returns the name of its PostgreSQL database, which is its ID.
func (i Instance) Database() string { return i.ID() }

// OwnerRole returns the PostgreSQL role without login that owns the database: "erp_role",
// "erp_sandbox_role". The app keeps its hyphens, so the name must be quoted in SQL, and it cannot
// be derived from the ID by replacing characters.
func (i Instance) OwnerRole() string {
	if i.prod() {
		return string(i.App) + "_role"
	}
	return string(i.App) + "_" + i.Env + "_role"
}

// VaultPolicy returns the policy of the instance's pods, which is its ID.
func (i Instance) VaultPolicy() string { return i.ID() }

// VaultOpsPolicy returns the policy of the app's CI, one for all environments: "erp-ops".
func (i Instance) VaultOpsPolicy() string { return string(i.App) + "-ops" }

// VaultJWTRole returns the role with which the app's CI logs in to Vault, one for all environments:
// "gitea_cicd_erp".
func (i Instance) VaultJWTRole() string { return "gitea_cicd_" + string(i.App) }

// VaultKubernetesRole returns the role with which the instance's pods log in to Vault, which is its ID.
func (i Instance) VaultKubernetesRole() string { return i.ID() }

// VaultDatabaseRole returns the role of Vault's database engine that creates its short-lived users,
// read at "postgres/creds/<role>". It is its ID.
func (i Instance) VaultDatabaseRole() string { return i.ID() }

// VaultConfigPath returns the path of its configuration in the KV version 2 engine:
// "erp-sandbox/config".
func (i Instance) VaultConfigPath() string { return i.ID() + "/config" }

// Namespace returns its Kubernetes namespace, which is its ID.
func (i Instance) Namespace() string { return i.ID() }

// ServiceAccount returns its Kubernetes service account, which is its ID.
func (i Instance) ServiceAccount() string { return i.ID() }

// Application returns the name of its Argo CD application, which is its ID.
func (i Instance) Application() string { return i.ID() }

// Host returns its DNS name in zone: "erp.arcodange.lab".
func (i Instance) Host(zone string) string { return i.ID() + "." + zone }

// Repository returns the Gitea repository of the app in org, one for all environments:
// "arcodange-org/erp".
func (i Instance) Repository(org string) string { return org + "/" + string(i.App) }

// Image returns the app's image at a registry, without tag: "gitea.arcodange.lab/arcodange-org/erp".
func (i Instance) Image(registry, org string) string {
	return registry + "/" + i.Repository(org)
}

// StatePrefix returns the prefix of its objects in the state bucket: "erp/main", "erp-sandbox/main".
func (i Instance) StatePrefix() string { return i.ID() + "/main" }

// validate returns what is wrong with the app and the environment.
func (i Instance) validate() (ps Problems) {
	if a := string(i.App); !appPattern.MatchString(a) || len(a) > maxApp {
		ps = append(ps, Problem{Path: "app", Text: a,
			Message: fmt.Sprintf("not an app name: 1 to %d letters a-z, digits and single hyphens, a letter first",
				maxApp), Hint: suggest(a)})
	}
	if !i.prod() && (!envPattern.MatchString(i.Env) || len(i.Env) > maxEnv) {
		ps = append(ps, Problem{Path: "env", Text: i.Env,
			Message: fmt.Sprintf("not an environment name: 1 to %d letters a-z and digits, a letter first", maxEnv)})
	}
	return ps
}

// suggest returns a hint with the app name that was probably meant; empty if there is none.
func suggest(a string) string {
	s := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(a), "-"), "-")
	if !appPattern.MatchString(s) || len(s) > maxApp {
		return ""
	}
	return fmt.Sprintf("write %q", s)
}

// ValidateInstances reports everything that prevents the instances from coexisting, as [Problems]:
// invalid names, an instance that is named twice, and two instances that would share a name in one
// of the systems, such as app a-b in prod and app a in environment b, or an environment "ops",
// whose runtime policy would be the CI policy. Names that belong to the app, such as its
// repository, are shared by its own environments.
func ValidateInstances(instances []Instance) error {
	var ps Problems
	taken := map[string]string{} // name to the instance or the app that has it
	for n, i := range instances {
		path := fmt.Sprintf("[%d]", n)
		if bad := i.validate(); len(bad) > 0 {
			ps = append(ps, bad.Under(path)...)
			continue
		}
		own, app := "instance "+i.describe(), "app "+string(i.App)
		claims := []struct{ name, by string }{
			{"id " + i.ID(), own}, {"PostgreSQL role " + i.OwnerRole(), own}, {"Vault policy " + i.VaultPolicy(), own},
			{"Vault policy " + i.VaultOpsPolicy(), app}, {"Vault role " + i.VaultJWTRole(), app},
		}
		mine := map[string]string{}
		for _, c := range claims {
			by, ok := taken[c.name]
			if !ok {
				by, ok = mine[c.name]
			}
			if ok && (by != c.by || by == own) {
				m := fmt.Sprintf("%s and %s would share the %s", by, c.by, c.name)
				if by == c.by {
					m = by + " is named twice"
				}
				ps = append(ps, Problem{Path: path, Message: m, Hint: "rename one of them"})
				break
			}
			mine[c.name] = c.by
		}
		for name, by := range mine {
			if _, ok := taken[name]; !ok {
				taken[name] = by
			}
		}
	}
	return ps.Err()
}

func (i Instance) describe() string {
	env := i.Env
	if env == "" {
		env = Prod
	}
	return fmt.Sprintf("%s in %s", i.App, env)
}
