package vaultprov

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Spec is what a Vault must hold. What it does not name is not touched. [Apps.Spec] returns that of the apps of a lab;
// [Spec.With] joins several.
type Spec struct {
	// Stack is the environment or the program that owns what is made here; empty means "lab". Two that share a Vault
	// have different ones, or each would prune what is the other's.
	Stack string `yaml:"stack"`

	Records Records `yaml:"records"` // where it is kept what is ours

	// FingerprintKey is the key of the fingerprints of what Vault never shows again, see [Records]: a secret of 32
	// bytes or more that is made once, by [lab.Keyring]. Empty means that there are none: then a changed password is
	// not noticed.
	FingerprintKey    lab.Secret    `yaml:"-"`
	FingerprintKeyRef lab.SecretRef `yaml:"fingerprintKey"` // a reference to it, see [Spec.Resolve]

	Audits          []Audit          `yaml:"audits"`
	Mounts          []Mount          `yaml:"mounts"`
	Auths           []Auth           `yaml:"auths"`
	Policies        []Policy         `yaml:"policies"`
	KubernetesRoles []KubernetesRole `yaml:"kubernetesRoles"`
	JWTRoles        []JWTRole        `yaml:"jwtRoles"`
	AppRoles        []AppRole        `yaml:"appRoles"`
	Connections     []Connection     `yaml:"connections"`
	DatabaseRoles   []DatabaseRole   `yaml:"databaseRoles"`
	TransitKeys     []TransitKey     `yaml:"transitKeys"`
	Entries         []Entry          `yaml:"entries"`

	// Adopt records as ours what is named here and was made by others, such as another tool before: it can be pruned
	// from then on, and its secrets are sent. After rotate-root, leave out the password first. False leaves it theirs.
	Adopt bool `yaml:"adopt"`

	// Prune removes what is ours by our records and not named any more. Entries and transit keys are never removed.
	Prune bool `yaml:"prune"`

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are ours if those are more.
	MaxDeletes int `yaml:"maxDeletes"`
}

// The names of mounts that are meant where none is given.
const (
	DefaultKV         = "kvv2"
	DefaultDatabase   = "postgres"
	DefaultTransit    = "transit"
	DefaultKubernetes = "kubernetes"
	DefaultJWT        = "gitea_jwt"
	DefaultAppRole    = "approle"
)

func (s *Spec) stack() string {
	if s.Stack == "" {
		return "lab"
	}
	return s.Stack
}

// With returns s with the objects of the others behind its own; everything else is that of s.
func (s Spec) With(others ...Spec) Spec {
	for _, o := range others {
		s.Audits = slices.Concat(s.Audits, o.Audits)
		s.Mounts = slices.Concat(s.Mounts, o.Mounts)
		s.Auths = slices.Concat(s.Auths, o.Auths)
		s.Policies = slices.Concat(s.Policies, o.Policies)
		s.KubernetesRoles = slices.Concat(s.KubernetesRoles, o.KubernetesRoles)
		s.JWTRoles = slices.Concat(s.JWTRoles, o.JWTRoles)
		s.AppRoles = slices.Concat(s.AppRoles, o.AppRoles)
		s.Connections = slices.Concat(s.Connections, o.Connections)
		s.DatabaseRoles = slices.Concat(s.DatabaseRoles, o.DatabaseRoles)
		s.TransitKeys = slices.Concat(s.TransitKeys, o.TransitKeys)
		s.Entries = slices.Concat(s.Entries, o.Entries)
	}
	return s
}

// Validate reports everything that is wrong with the spec by itself.
func (s *Spec) Validate() lab.Problems {
	var ps lab.Problems
	if !namePattern.MatchString(s.stack()) {
		ps = append(ps, lab.Problem{Path: "stack", Text: s.Stack, Message: "is not a name of letters, digits and hyphens"})
	}
	if !s.Records.none() {
		ps = append(ps, validateMount("records.mount", s.Records.Mount)...)
		if s.Records.Path != "" && !mountPattern.MatchString(s.Records.Path) {
			ps = append(ps, lab.Problem{Path: "records.path", Text: s.Records.Path, Message: "is not the path of a directory"})
		}
	} else if s.Prune || s.Adopt {
		ps = append(ps, lab.Problem{Path: map[bool]string{true: "prune", false: "adopt"}[s.Prune], Message: "nothing is known to be ours",
			Hint: "name a KV version 2 engine in records.mount"})
	}
	if n := len(s.FingerprintKey.Reveal()); n > 0 && n < 32 {
		ps.Add("fingerprintKey", "%d bytes long: what it hides could be guessed; take 32 or more", n)
	}
	if s.MaxDeletes < 0 {
		ps.Add("maxDeletes", "%d is negative", s.MaxDeletes)
	}
	check(&ps, "audits", s.Audits, Audit.validate, func(a Audit) string { return strings.Trim(a.Path, "/") })
	check(&ps, "mounts", s.Mounts, Mount.validate, func(m Mount) string { return strings.Trim(m.Path, "/") })
	check(&ps, "auths", s.Auths, Auth.validate, func(a Auth) string { return strings.Trim(a.Path, "/") })
	check(&ps, "policies", s.Policies, Policy.validate, func(p Policy) string { return p.Name })
	check(&ps, "kubernetesRoles", s.KubernetesRoles, KubernetesRole.validate, KubernetesRole.key)
	check(&ps, "jwtRoles", s.JWTRoles, JWTRole.validate, JWTRole.key)
	check(&ps, "appRoles", s.AppRoles, AppRole.validate, AppRole.key)
	check(&ps, "connections", s.Connections, Connection.validate, Connection.key)
	check(&ps, "databaseRoles", s.DatabaseRoles, DatabaseRole.validate, DatabaseRole.key)
	check(&ps, "transitKeys", s.TransitKeys, TransitKey.validate, TransitKey.key)
	check(&ps, "entries", s.Entries, Entry.validate, Entry.key)
	return append(ps, s.validateMounts()...)
}

// check validates each object of a list, and that none is named twice.
func check[T any](ps *lab.Problems, field string, all []T, validate func(T) lab.Problems, key func(T) string) {
	first := map[string]int{}
	for n, one := range all {
		path := fmt.Sprintf("%s[%d]", field, n)
		*ps = append(*ps, validate(one).Under(path)...)
		if m, twice := first[key(one)]; twice {
			ps.Add(path, "is named twice: it is %s[%d] too", field, m)
		} else {
			first[key(one)] = n
		}
	}
}

// validateMounts compares what stands on a mount with the mount, where that is named too.
func (s *Spec) validateMounts() (ps lab.Problems) {
	wrong := func(field, mount, want string) {
		for _, m := range s.Mounts {
			if strings.Trim(m.Path, "/") == mount && m.Type != want {
				ps.Add(field, "it is in %s, which is mounted as %s and not as %s", mount, m.Type, want)
			}
		}
	}
	for n, c := range s.Connections {
		wrong(fmt.Sprintf("connections[%d]", n), mountOr(c.Mount, DefaultDatabase), "database")
	}
	for n, t := range s.TransitKeys {
		wrong(fmt.Sprintf("transitKeys[%d]", n), mountOr(t.Mount, DefaultTransit), "transit")
	}
	version := func(field, mount string, want int) {
		for _, m := range s.Mounts {
			if strings.Trim(m.Path, "/") == mount && m.version() != want {
				ps.Add(field, "%s is not mounted as a KV engine of version %d", mount, want)
			}
		}
	}
	for n, e := range s.Entries {
		want := e.Version
		if want == 0 {
			want = 2
		}
		version(fmt.Sprintf("entries[%d]", n), e.mount(), want)
	}
	if !s.Records.none() {
		version("records.mount", s.Records.mount(), 2)
	}
	return ps
}

var (
	// namePattern is Vault's for the names of roles and the like (sdk/framework, GenericNameRegex), which has no slash.
	namePattern = regexp.MustCompile(`^\w(([\w.-]+)?\w)?$`)

	mountPattern  = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$`)
	policyPattern = regexp.MustCompile(`^[a-z0-9_][a-z0-9_./-]*$`)
)

func validateRoleName(field, name string) (ps lab.Problems) {
	if !namePattern.MatchString(name) {
		ps = append(ps, lab.Problem{Path: field, Text: name,
			Message: "is not a name: letters, digits, underscores, hyphens and dots inside"})
	}
	return ps
}

// validateAuthRoleName is for roles of auth methods, whose names Vault puts in lower case, so that another one is listed.
func validateAuthRoleName(field, name string) lab.Problems {
	ps := validateRoleName(field, name)
	if lower := strings.ToLower(name); lower != name {
		ps = append(ps, lab.Problem{Path: field, Text: name, Message: "is not in lower case, which Vault would make it",
			Hint: fmt.Sprintf("write %q", lower)})
	}
	return ps
}

func validatePolicyName(field, name string) (ps lab.Problems) {
	switch {
	case !policyPattern.MatchString(name) && policyPattern.MatchString(strings.ToLower(name)):
		ps = append(ps, lab.Problem{Path: field, Text: name, Message: "is not in lower case, which Vault would make it",
			Hint: fmt.Sprintf("write %q", strings.ToLower(name))})
	case !policyPattern.MatchString(name):
		ps = append(ps, lab.Problem{Path: field, Text: name, Message: "is not the name of a policy"})
	}
	return ps
}

// builtIn are mounts that every Vault has, and that cannot be changed.
var builtIn = []string{"sys", "identity", "cubbyhole", "auth"}

func validateMount(field, path string) (ps lab.Problems) {
	first, _, _ := strings.Cut(strings.Trim(path, "/"), "/")
	switch {
	case !mountPattern.MatchString(path):
		ps = append(ps, lab.Problem{Path: field, Text: path, Message: "is not the path of a mount"})
	case slices.Contains(builtIn, first):
		ps.Add(field, "%s is built in", first)
	}
	return ps
}

func validateLease(field string, d time.Duration) (ps lab.Problems) {
	switch {
	case d < 0:
		ps.Add(field, "%s is negative", d)
	case d%time.Second != 0:
		ps.Add(field, "%s is not in whole seconds, as Vault keeps it", d)
	}
	return ps
}

func validateLeases(field string, d time.Duration, maxField string, most time.Duration) (ps lab.Problems) {
	ps = append(ps, validateLease(field, d)...)
	ps = append(ps, validateLease(maxField, most)...)
	if most != 0 && d > most {
		ps.Add(field, "%s is longer than %s, %s", d, maxField, most)
	}
	return ps
}
