package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// Config is APPS.yaml.
type Config struct {
	// What all apps share. May be left out.
	Shared Shared `yaml:"shared"`

	// The apps. An app that is taken out of the list is left alone: see the verb drop.
	Apps []App `yaml:"apps"`
}

// Shared is what all apps share.
type Shared struct {
	// Whom Vault logs in as to make the users of the apps.
	Editor Editor `yaml:"credentials_editor"`

	// Whom PgBouncer logs in as to look up users.
	Pooler Login `yaml:"pgbouncer_auth"`

	// How the names of Vault's users begin; v- when it is left out.
	DynamicPrefix string `yaml:"dynamic_prefix"`

	// Let user_lookup() know only the users of its own database's app.
	LookupMembersOnly bool `yaml:"lookup_members_only"`

	// Drop the user_lookup() that older tools put into the schema public. Only when every PgBouncer
	// asks pgbouncer.user_lookup.
	DropOldLookup bool `yaml:"drop_old_lookup"`

	// Accept PostgreSQL 15, where who holds the editor's password holds every app and the machine.
	AllowPG15 bool `yaml:"allow_pg15"`
}

// Login is a role that logs in.
type Login struct {
	// The role; its usual name when it is left out.
	Name string `yaml:"name"`

	// Where the password is: file:PATH or env:NAME. Without it the password is left as it is.
	Password lab.SecretRef `yaml:"password"`
}

// Editor is Vault's login.
type Editor struct {
	Login `yaml:",inline"`

	// Let it end sessions (PostgreSQL 16 and later).
	EndsSessions bool `yaml:"ends_sessions"`
}

// App is an app, in one or more environments.
type App struct {
	// In lowercase kebab-case. All other names derive from it.
	Name string `yaml:"name,required"`

	// Its environments; prod alone when it is left out. The database is called NAME in prod and
	// NAME-ENV elsewhere.
	Envs []string `yaml:"envs"`

	// The databases' encoding; UTF8 for new ones when it is left out.
	Encoding string `yaml:"encoding"`

	// The databases' LC_COLLATE and LC_CTYPE; the server's for new ones when it is left out.
	Locale string `yaml:"locale"`

	// The locale of ICU databases, such as fr-FR.
	ICULocale string `yaml:"icu_locale"`

	// Extensions that must be there.
	Extensions []string `yaml:"extensions"`

	// Roles that may connect beside the app's own, such as one that makes backups.
	Connect []string `yaml:"connect"`
}

// readSpec reads APPS.yaml, or makes do without when file is empty, and keeps the apps that are
// named in only; all when it is empty.
func readSpec(file string, only []string) (pgprov.Spec, error) {
	if file == "" {
		var c Config
		for _, name := range only {
			c.Apps = append(c.Apps, App{Name: name})
		}
		return c.spec("", nil)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return pgprov.Spec{}, &lab.Error{Op: "read apps", Path: file, Err: err}
	}
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return pgprov.Spec{}, err
	}
	var c Config
	if err := d.Decode(&c); err != nil {
		return pgprov.Spec{}, err
	}
	spec, err := c.spec(cli.DirOf(file), only)
	return spec, d.Locate(err)
}

// spec turns the configuration into what package pgprov takes, and reports what is wrong by the
// configuration's own paths.
func (c *Config) spec(dir cli.Dir, only []string) (pgprov.Spec, error) {
	var ps lab.Problems
	secret := func(path string, r lab.SecretRef) lab.Secret {
		s, err := r.Resolve(os.LookupEnv, dir.ReadFile)
		if err != nil {
			ps.AddError(path, err)
		}
		return s
	}
	s := pgprov.Spec{
		Editor: pgprov.Login{Name: c.Shared.Editor.Name,
			Password: secret("shared.credentials_editor.password", c.Shared.Editor.Password)},
		EditorEndsSessions: c.Shared.Editor.EndsSessions,
		Pooler: pgprov.Login{Name: c.Shared.Pooler.Name,
			Password: secret("shared.pgbouncer_auth.password", c.Shared.Pooler.Password)},
		LookupMembersOnly: c.Shared.LookupMembersOnly,
		DropOldLookup:     c.Shared.DropOldLookup,
		DynamicPrefix:     c.Shared.DynamicPrefix,
		AllowPG15:         c.Shared.AllowPG15,
	}
	var places []string // of the instances
	for n, a := range c.Apps {
		envs := a.Envs
		if len(envs) == 0 {
			envs = []string{lab.Prod}
		}
		for _, env := range envs {
			s.Instances = append(s.Instances, pgprov.Instance{Instance: lab.App(a.Name).In(env), Encoding: a.Encoding,
				Locale: a.Locale, ICULocale: a.ICULocale, Extensions: a.Extensions, Connect: a.Connect})
			places = append(places, fmt.Sprintf("apps[%d]", n))
		}
	}
	if err := s.Validate(); err != nil {
		wrong, ok := err.(lab.Problems)
		if !ok {
			return s, err
		}
		for _, p := range wrong {
			p.Path = relocate(p.Path, places)
			if !slices.Contains(ps, p) { // what is wrong with an app is wrong in each environment
				ps = append(ps, p)
			}
		}
	}
	if err := ps.Err(); err != nil {
		return s, err
	}
	return s, keep(&s, only)
}

// relocate turns the path of a problem in a spec into that in the configuration.
func relocate(path string, places []string) string {
	for n, place := range places {
		rest, ok := strings.CutPrefix(path, fmt.Sprintf("instances[%d]", n))
		if !ok {
			continue
		}
		switch rest {
		case ".app":
			rest = ".name"
		case ".env":
			rest = ".envs"
		}
		return place + rest
	}
	return strings.NewReplacer("editor.", "shared.credentials_editor.", "pooler.", "shared.pgbouncer_auth.",
		"dynamic_prefix", "shared.dynamic_prefix").Replace(path)
}

// keep leaves the instances of the named apps only.
func keep(s *pgprov.Spec, only []string) error {
	if len(only) == 0 {
		return nil
	}
	var known []string
	for _, i := range s.Instances {
		known = append(known, string(i.App), i.ID())
	}
	for _, name := range only {
		if !slices.Contains(known, name) {
			if near := lab.Nearest(name, known); near != "" {
				return cli.Usage("-app %s: there is no such app; did you mean %s?", name, near)
			}
			return cli.Usage("-app %s: there is no such app", name)
		}
	}
	s.Instances = slices.DeleteFunc(s.Instances, func(i pgprov.Instance) bool {
		return !slices.Contains(only, string(i.App)) && !slices.Contains(only, i.ID())
	})
	return nil
}
