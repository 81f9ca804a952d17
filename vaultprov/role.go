package vaultprov

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// RoleToken is what a role of an auth method gives to those who log in.
type RoleToken struct {
	Policies []string `yaml:"policies"` // empty: none but default

	// TTL and MaxTTL are how long a token lasts, and how long it can be renewed; 0 means as long as its mount says.
	TTL    time.Duration `yaml:"ttl"`
	MaxTTL time.Duration `yaml:"maxTTL"`

	// Period makes tokens that can be renewed for ever, each time for as long; 0 means that they cannot.
	Period time.Duration `yaml:"period"`

	// NoDefaultPolicy leaves out the policy default.
	NoDefaultPolicy bool `yaml:"noDefaultPolicy"`

	// Type is "service", or "batch" for tokens that are not stored and cannot be renewed; empty means what the mount
	// says, which is service.
	Type string `yaml:"type"`
}

func (r RoleToken) validate() (ps lab.Problems) {
	for n, policy := range r.Policies {
		field := fmt.Sprintf("policies[%d]", n)
		if policy == "root" {
			ps.Add(field, "a role cannot give the policy root")
		}
		ps = append(ps, validatePolicyName(field, policy)...)
	}
	ps = append(ps, validateLeases("ttl", r.TTL, "maxTTL", r.MaxTTL)...)
	ps = append(ps, validateLease("period", r.Period)...)
	if r.Period != 0 && (r.MaxTTL != 0 || r.TTL != 0) {
		ps.Add("period", "a token with a period lasts as long as it is renewed: leave out ttl and maxTTL, at whose end "+
			"all that was leased with it would be revoked")
	}
	switch r.Type {
	case "", "default", "service":
	case "batch":
		if r.Period != 0 {
			ps.Add("type", "a batch token has no period")
		}
	default:
		ps.Add("type", "%q is neither service nor batch", r.Type)
	}
	return ps
}

func (r RoleToken) fields() fields {
	kind := r.Type
	if kind == "" {
		kind = "default"
	}
	return fields{"token_policies": set(r.Policies), "token_ttl": r.TTL, "token_max_ttl": r.MaxTTL,
		"token_period": r.Period, "token_no_default_policy": r.NoDefaultPolicy, "token_type": kind}
}

// after returns what a role needs: its auth method, and the policies that it gives.
func (r RoleToken) after(mount string) []string {
	after := []string{"auth:" + mount}
	for _, policy := range r.Policies {
		after = append(after, "policy:"+policy)
	}
	return after
}

// KubernetesRole is a role of an auth method of type kubernetes.
type KubernetesRole struct {
	Mount string `yaml:"mount"` // of the auth method; empty means "kubernetes"
	Name  string `yaml:"name,required"`

	ServiceAccounts []string `yaml:"serviceAccounts,required"` // those that may log in
	Namespaces      []string `yaml:"namespaces,required"`      // of them

	// Audience must be one of those that the token is for; empty means "vault".
	Audience string `yaml:"audience"`

	Token RoleToken `yaml:",inline"`
}

func (r KubernetesRole) key() string { return mountOr(r.Mount, DefaultKubernetes) + "/" + r.Name }

func (r KubernetesRole) validate() (ps lab.Problems) {
	ps = append(ps, validateAuthRoleName("name", r.Name)...)
	ps = append(ps, r.Token.validate()...)
	for field, names := range map[string][]string{"serviceAccounts": r.ServiceAccounts, "namespaces": r.Namespaces} {
		if len(names) == 0 {
			ps.Add(field, "empty: nobody could log in")
		}
		if slices.Contains(names, "*") && len(names) > 1 {
			ps.Add(field, "* with others")
		}
	}
	if slices.Contains(r.ServiceAccounts, "*") && slices.Contains(r.Namespaces, "*") {
		ps.Add("serviceAccounts", "any service account of any namespace could log in: Vault refuses it")
	}
	return ps
}

// kubernetesRoles are the roles of auth methods of type kubernetes.
func (p *planner) kubernetesRoles() kind {
	k := roleKind("kubernetes-role")
	for _, r := range p.spec.KubernetesRoles {
		w := object{want: r.Token.fields(), after: r.Token.after(mountOr(r.Mount, DefaultKubernetes))}
		w.want["bound_service_account_names"] = set(r.ServiceAccounts)
		w.want["bound_service_account_namespaces"] = set(r.Namespaces)
		w.want["audience"] = r.Audience
		if r.Audience == "" {
			w.want["audience"] = "vault"
		}
		k.want[r.key()] = w
	}
	return k
}

// JWTRole is a role of an auth method of type jwt.
type JWTRole struct {
	Mount string `yaml:"mount"` // of the auth method; empty means "gitea_jwt"
	Name  string `yaml:"name,required"`

	// Audiences are those of which the token must be for one. Vault refuses a token that has an audience where the
	// role names none.
	Audiences []string `yaml:"audiences,required"`

	Subject string              `yaml:"subject"` // the claim sub that the token must have; empty means any
	Claims  map[string][]string `yaml:"claims"`  // each claim must be one of its values; empty means none more

	// UserClaim is the claim by which Vault knows who logs in; empty means "sub".
	UserClaim string `yaml:"userClaim"`

	Token RoleToken `yaml:",inline"`
}

func (r JWTRole) key() string { return mountOr(r.Mount, DefaultJWT) + "/" + r.Name }

func (r JWTRole) validate() (ps lab.Problems) {
	ps = append(ps, validateAuthRoleName("name", r.Name)...)
	ps = append(ps, r.Token.validate()...)
	if len(r.Audiences) == 0 {
		ps.Add("audiences", "empty: Vault would refuse every token that has one")
	}
	if r.Subject == "" && len(r.Claims) == 0 {
		ps.Add("subject", "empty, and so is claims: whoever gets a token of the issuer for this audience could log in")
	}
	for claim, values := range r.Claims {
		if len(values) == 0 {
			ps.Add("claims."+claim, "empty: no token has it")
		}
	}
	return ps
}

// jwtRoles are the roles of auth methods of type jwt.
func (p *planner) jwtRoles() kind {
	k := roleKind("jwt-role")
	for _, r := range p.spec.JWTRoles {
		w := object{want: r.Token.fields(), after: r.Token.after(mountOr(r.Mount, DefaultJWT))}
		w.want["role_type"] = "jwt" // Vault takes a role without for one of OIDC
		w.want["bound_audiences"] = set(r.Audiences)
		w.want["bound_subject"] = r.Subject
		w.want["bound_claims"] = claims(r.Claims)
		w.want["bound_claims_type"] = "string"
		w.want["user_claim"] = r.UserClaim
		if r.UserClaim == "" {
			w.want["user_claim"] = "sub"
		}
		k.want[r.key()] = w
	}
	return k
}

// AppRole is a role of an auth method of type approle. Its secret IDs are made by those who log in with them.
type AppRole struct {
	Mount string `yaml:"mount"` // of the auth method; empty means "approle"
	Name  string `yaml:"name,required"`

	// SecretIDTTL is how long a secret ID lasts, and SecretIDUses how often it can be used; 0 means without an end.
	SecretIDTTL  time.Duration `yaml:"secretIDTTL"`
	SecretIDUses int           `yaml:"secretIDUses"`

	Token RoleToken `yaml:",inline"`
}

func (r AppRole) key() string { return mountOr(r.Mount, DefaultAppRole) + "/" + r.Name }

func (r AppRole) validate() (ps lab.Problems) {
	ps = append(ps, validateAuthRoleName("name", r.Name)...)
	ps = append(ps, r.Token.validate()...)
	ps = append(ps, validateLease("secretIDTTL", r.SecretIDTTL)...)
	if r.SecretIDUses < 0 {
		ps.Add("secretIDUses", "%d is negative", r.SecretIDUses)
	}
	return ps
}

// appRoles are the roles of auth methods of type approle.
func (p *planner) appRoles() kind {
	k := roleKind("approle")
	for _, r := range p.spec.AppRoles {
		w := object{want: r.Token.fields(), after: r.Token.after(mountOr(r.Mount, DefaultAppRole))}
		w.want["bind_secret_id"] = true
		w.want["secret_id_ttl"] = r.SecretIDTTL
		w.want["secret_id_num_uses"] = r.SecretIDUses
		k.want[r.key()] = w
	}
	return k
}

// roleKind is a kind of roles of auth methods. Whoever uses one that is removed is not let in any more.
func roleKind(name string) kind {
	return kind{name: name, want: map[string]object{}, prunes: true, loss: lab.RiskDisrupt,
		place: func(mount string) string { return "auth/" + mount + "/role" },
		path: func(key string) string {
			mount, name := split(key)
			return "auth/" + mount + "/role/" + name
		}}
}

func mountOr(mount, otherwise string) string {
	if mount = strings.Trim(mount, "/"); mount == "" {
		return otherwise
	}
	return mount
}
