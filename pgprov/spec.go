package pgprov

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Spec is what a server must hold: the roles that all apps share, and the instances. What it does
// not name is not touched.
type Spec struct {
	// Editor is the role that Vault logs in as, to make and drop the short-lived users of the apps. An empty
	// name means credentials_editor.
	Editor Login

	// EditorEndsSessions lets the editor end sessions, which dropping a user does not do: it is
	// then granted pg_signal_backend.
	EditorEndsSessions bool

	// Pooler is the role that PgBouncer logs in as, to look up the users. An empty name means pgbouncer_auth.
	Pooler Login

	Instances []Instance // empty: the shared roles only

	// LookupMembersOnly makes user_lookup() know only the members of its database's owner role, so
	// that a user of one app cannot even be asked for in the database of another.
	LookupMembersOnly bool

	// DropOldLookup drops user_lookup(text) in the schema public, where the app can replace it,
	// when a superuser owns it. Set it when every PgBouncer asks pgbouncer.user_lookup: while one
	// still asks the old function, nobody could log in through it. False leaves it and warns.
	DropOldLookup bool

	// DynamicPrefix is how the names of Vault's short-lived users begin; empty means "v-". What
	// they hold on a database is left to Vault, but for the right to pass it on.
	DynamicPrefix string

	// AllowPG15 accepts PostgreSQL 15, where any role with CREATEROLE, as the editor is, can make
	// itself a member of any role that is no superuser, such as pg_execute_server_program, and
	// change the password of any such role: whoever holds the editor's password holds every app and
	// the machine. False refuses.
	AllowPG15 bool
}

// Login is a role that logs in.
type Login struct {
	Name string // at most 63 bytes; empty means the usual one

	// Password is printable ASCII. Empty leaves the password as it is, and makes a role without one,
	// which cannot log in.
	Password lab.Secret
}

// Instance is an app in an environment, and what its database must be like.
type Instance struct {
	lab.Instance

	// Encoding is the database's: "UTF8", "LATIN1", ... Empty makes it in UTF8 and accepts what is there.
	Encoding string

	// Locale is the database's LC_COLLATE and LC_CTYPE: "C.UTF-8", "fr_FR.UTF-8". Empty makes it in
	// the server's and accepts what is there.
	Locale string

	// ICULocale is the locale of an ICU database: "fr-FR", "de-u-co-phonebk". Empty makes a libc database when Locale
	// is given, otherwise one of the server's own provider; it accepts what is there.
	ICULocale string

	// Extensions must be there. Others are left alone, and none is ever dropped.
	Extensions []string

	// Connect names roles that may connect to the database beside its owner role, the editor and
	// the pooler, such as one that makes backups. A member of the owner role that is named here may be
	// a member of other roles too, such as a person who works on several apps.
	Connect []string
}

// Default names.
const (
	DefaultEditor        = "credentials_editor"
	DefaultPooler        = "pgbouncer_auth"
	DefaultDynamicPrefix = "v-"
)

func (s *Spec) editor() string        { return cmp.Or(s.Editor.Name, DefaultEditor) }
func (s *Spec) pooler() string        { return cmp.Or(s.Pooler.Name, DefaultPooler) }
func (s *Spec) dynamicPrefix() string { return cmp.Or(s.DynamicPrefix, DefaultDynamicPrefix) }

// reserved are names of databases that mean something else: to PostgreSQL, and to PgBouncer, whose
// console is called pgbouncer.
var reserved = []string{"postgres", "template0", "template1", "pgbouncer"}

// Validate reports everything that is wrong with the spec by itself.
func (s *Spec) Validate() error { return s.validate().Err() }

func (s *Spec) validate() (ps lab.Problems) {
	ps = append(ps, validateName("editor.name", s.editor())...)
	ps = append(ps, validateName("pooler.name", s.pooler())...)
	ps = append(ps, validatePassword("editor.password", s.Editor.Password)...)
	ps = append(ps, validatePassword("pooler.password", s.Pooler.Password)...)
	for field, name := range map[string]string{"editor.name": s.editor(), "pooler.name": s.pooler()} {
		if reservedRole(name) {
			ps.Add(field, "%q is reserved by PostgreSQL", name)
		}
	}
	if s.editor() == s.pooler() {
		ps.Add("pooler.name", "%q is the editor's name too", s.pooler())
	}
	if len(s.DynamicPrefix) == 1 {
		ps.Add("dynamic_prefix", "a single character fits too many names")
	}
	plain := make([]lab.Instance, len(s.Instances))
	for n, i := range s.Instances {
		plain[n] = i.Instance
		path := fmt.Sprintf("instances[%d]", n)
		switch role := i.OwnerRole(); {
		case reservedRole(role):
			ps.Add(path, "its owner role %q would begin with pg_, which PostgreSQL reserves", role)
		case role == s.editor() || role == s.pooler():
			ps.Add(path, "its owner role is %q, the name of a shared role", role)
		}
		if slices.Contains(reserved, i.Database()) {
			ps.Add(path, "a database cannot be called %q", i.Database())
		}
		ps = append(ps, i.validate().Under(path)...)
	}
	if err := lab.ValidateInstances(plain); err != nil {
		if clashes, ok := err.(lab.Problems); ok {
			ps = append(ps, clashes.Under("instances")...)
		} else {
			ps.Add("instances", "%v", err)
		}
	}
	return ps
}

func reservedRole(name string) bool {
	return strings.HasPrefix(name, "pg_") || name == "public" || name == "none"
}

func (i *Instance) validate() (ps lab.Problems) {
	if i.Encoding != "" && !slices.Contains(encodings, encodingKey(i.Encoding)) {
		p := lab.Problem{Path: "encoding", Text: i.Encoding, Message: "not an encoding that a server can use"}
		if near := lab.Nearest(encodingKey(i.Encoding), encodings); near != "" {
			p.Hint = "write " + near
		}
		ps = append(ps, p)
	}
	for field, name := range map[string]string{"locale": i.Locale, "icu_locale": i.ICULocale} {
		if name != "" {
			ps = append(ps, validateName(field, name)...)
		}
	}
	if _, ok := icuKey(i.ICULocale); i.ICULocale != "" && !ok {
		ps = append(ps, lab.Problem{Path: "icu_locale", Text: i.ICULocale,
			Message: "not a locale of which it is known how a server would write it",
			Hint:    "write a language tag, as fr-FR or de-u-co-phonebk"})
	}
	for field, names := range map[string][]string{"extensions": i.Extensions, "connect": i.Connect} {
		for n, name := range names {
			path := fmt.Sprintf("%s[%d]", field, n)
			ps = append(ps, validateName(path, name)...)
			if slices.Contains(names[:n], name) {
				ps.Add(path, "%q is named twice", name)
			}
		}
	}
	return ps
}
