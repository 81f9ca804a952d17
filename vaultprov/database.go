package vaultprov

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Connection is how a database engine reaches a PostgreSQL database. There is one for each database: what
// statements such as REASSIGN OWNED do, they do in the database of the connection.
type Connection struct {
	Mount string `yaml:"mount"` // of the engine; empty means "postgres"
	Name  string `yaml:"name,required"`

	// URL is "postgresql://{{username}}:{{password}}@HOST:PORT/DATABASE?sslmode=...", with the braces: Vault fills
	// in Username and the password, which it would otherwise show to whoever reads the connection.
	URL string `yaml:"url,required"`

	Username string `yaml:"username,required"` // whom Vault logs in as, such as credentials_editor

	// Password is sent when the connection is made, and again when another one is wanted than was sent last, which our
	// records tell. It is left out of every other write: after rotate-root, Vault alone knows the one that is valid.
	// Empty means that it is not kept here.
	Password    lab.Secret    `yaml:"-"`
	PasswordRef lab.SecretRef `yaml:"password"` // a reference to it, see [Spec.Resolve]

	// Roles are those that may use it; empty: none may.
	Roles []string `yaml:"roles"`

	// Unverified does not let Vault log in when the connection is written. False: what does not work is not taken.
	Unverified bool `yaml:"unverified"`
}

const postgresPlugin = "postgresql-database-plugin"

func (c Connection) key() string { return mountOr(c.Mount, DefaultDatabase) + "/" + c.Name }

func (c Connection) validate() (ps lab.Problems) {
	ps = append(ps, validateRoleName("name", c.Name)...)
	if c.Username == "" {
		ps.Add("username", "empty: nobody could log in")
	}
	// the text is not repeated: it may hold a password
	switch {
	case c.URL == "":
		ps.Add("url", "empty: nothing is assumed")
	case !strings.Contains(c.URL, "{{username}}") || !strings.Contains(c.URL, "{{password}}") || maskURL(c.URL) != c.URL:
		ps = append(ps, lab.Problem{Path: "url", Message: "does not leave the user and the password to Vault",
			Hint: "write postgresql://{{username}}:{{password}}@HOST:PORT/DATABASE"})
	default:
		filled := strings.NewReplacer("{{username}}", "u", "{{password}}", "p").Replace(c.URL)
		if u, err := url.Parse(filled); err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "postgres") ||
			strings.Trim(u.Path, "/") == "" {
			ps = append(ps, lab.Problem{Path: "url", Message: "is not the URL of a PostgreSQL database",
				Hint: "write postgresql://{{username}}:{{password}}@HOST:PORT/DATABASE"})
		}
	}
	return ps
}

// connections are those of database engines to databases. Vault revokes nothing any more through one that is removed.
func (p *planner) connections() kind {
	k := kind{name: "connection", want: map[string]object{}, flat: flatConnection, prunes: true, loss: lab.RiskDisrupt,
		keeps: p.keepConnection,
		place: func(mount string) string { return mount + "/config" },
		path: func(key string) string {
			mount, name := split(key)
			return mount + "/config/" + name
		}}
	for _, c := range p.spec.Connections {
		w := object{after: []string{"mount:" + mountOr(c.Mount, DefaultDatabase)}, fixed: []string{"plugin_name"}}
		w.want = fields{"plugin_name": postgresPlugin, "connection_url": c.URL, "username": c.Username,
			"allowed_roles": set(c.Roles), "verify_connection": !c.Unverified,
			// PostgreSQL is sent a verifier, so that no password is in its log
			"password_authentication": "scram-sha-256"}
		if !c.Password.IsZero() {
			w.secrets = map[string]lab.Secret{"password": c.Password}
		}
		k.want[c.key()] = w
	}
	return k
}

// flatConnection brings a connection that is read, whose details are apart, into the form in which it is written.
func flatConnection(has map[string]any) map[string]any {
	if details, ok := has["connection_details"].(map[string]any); ok {
		maps.Copy(has, details)
	}
	return has
}

// DatabaseRole is a role of a database engine, which makes short-lived users: those who read MOUNT/creds/NAME get
// one each.
type DatabaseRole struct {
	Mount string `yaml:"mount"` // of the engine; empty means "postgres"
	Name  string `yaml:"name,required"`

	// Connection is the name of the connection; empty means that of the role.
	Connection string `yaml:"connection"`

	Creation   []string `yaml:"creation,required"` // statements that make a user
	Renewal    []string `yaml:"renewal"`           // statements that let it live longer; empty means Vault's own
	Revocation []string `yaml:"revocation"`        // statements that remove it; empty means Vault's own, which do not know what it owns
	Rollback   []string `yaml:"rollback"`          // statements after a creation that failed; empty: none

	// TTL is how long a user lives that is not renewed, and MaxTTL how long it can be; 0 means as long as the mount says.
	TTL    time.Duration `yaml:"ttl"`
	MaxTTL time.Duration `yaml:"maxTTL"`
}

func (r DatabaseRole) key() string { return mountOr(r.Mount, DefaultDatabase) + "/" + r.Name }

func (r DatabaseRole) connection() string {
	if r.Connection == "" {
		return r.Name
	}
	return r.Connection
}

func (r DatabaseRole) validate() (ps lab.Problems) {
	ps = append(ps, validateRoleName("name", r.Name)...)
	if len(r.Creation) == 0 {
		ps.Add("creation", "empty: nobody would be made")
	}
	if all := strings.Join(r.Creation, "\n"); len(r.Creation) > 0 &&
		(!strings.Contains(all, "{{name}}") || !strings.Contains(all, "{{password}}")) {
		ps.Add("creation", "names no {{name}} or no {{password}}: nobody could log in")
	} else if len(r.Creation) > 0 && !strings.Contains(all, "{{expiration}}") {
		ps.Add("creation", "names no {{expiration}}: who is not removed would stay for ever")
	}
	return append(ps, validateLeases("ttl", r.TTL, "maxTTL", r.MaxTTL)...)
}

// databaseRoles are the roles of database engines.
func (p *planner) databaseRoles() kind {
	k := kind{name: "database-role", want: map[string]object{}, prunes: true, loss: lab.RiskDisrupt, gone: p.revokeUsers,
		place: func(mount string) string { return mount + "/roles" },
		path: func(key string) string {
			mount, name := split(key)
			return mount + "/roles/" + name
		}}
	for _, r := range p.spec.DatabaseRoles {
		mount := mountOr(r.Mount, DefaultDatabase)
		k.want[r.key()] = object{after: []string{"mount:" + mount, "connection:" + mount + "/" + r.connection()},
			want: fields{"db_name": r.connection(), "creation_statements": list(r.Creation),
				"renew_statements": list(r.Renewal), "revocation_statements": list(r.Revocation),
				"rollback_statements": list(r.Rollback), "default_ttl": r.TTL, "max_ttl": r.MaxTTL}}
	}
	return k
}

// revokeUsers removes the users that were made by a role that is no more, while its connection is still there: without
// that, Vault could never remove them.
func (p *planner) revokeUsers(ctx context.Context, key string) error {
	mount, name := split(key)
	path := mount + "/creds/" + name
	leases, err := p.client.list(ctx, "sys/leases/lookup/"+path)
	if errors.Is(err, lab.ErrNotFound) {
		return nil
	}
	for _, lease := range leases { // one by one: revoke-prefix answers before it is done
		if err == nil {
			err = p.client.write(ctx, "sys/leases/revoke", fields{"lease_id": path + "/" + lease, "sync": true}, nil)
		}
	}
	if err != nil {
		p.users.Store(mount, name)
	}
	return err
}

// keepConnection keeps the connections of an engine while users are left that only Vault can remove.
func (p *planner) keepConnection(key string) error {
	mount, _ := split(key)
	if role, left := p.users.Load(mount); left {
		return &lab.Error{Op: "remove connection", Target: p.client.server.target(), Path: key,
			Hint: "see why they cannot be removed, then plan again",
			Err:  fmt.Errorf("%w: users of the role %s are still there, and could never be removed without it", lab.ErrBlocked, role)}
	}
	return nil
}
