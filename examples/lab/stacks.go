package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// StacksConfig are the compose stacks beside the cluster. Their secrets are made once, by a plan
// that is applied, and kept in files of the directory secrets.
type StacksConfig struct {
	// Lock is the file that pins the images, see lab lock --help; empty means compose.lock.yaml beside the config.
	Lock string `yaml:"lock"`

	Secrets  string         `yaml:"secrets,required"` // a directory here, mode 0700: "~/.arcodange/stacks"
	Postgres *PostgresStack `yaml:"postgres"`         // empty means none
	Gitea    *GiteaStack    `yaml:"gitea"`            // empty means none
	Runner   *RunnerStack   `yaml:"runner"`           // empty means none
}

// PostgresStack is the database server beside the cluster, of stage 02_setup.
type PostgresStack struct {
	On             string `yaml:"on,required"` // a pattern that selects one machine: "postgres"
	stack.Postgres `yaml:",inline"`
}

// GiteaStack is the forge, of stage 02_setup.
type GiteaStack struct {
	On          string `yaml:"on,required"` // a pattern that selects one machine: "gitea"
	stack.Gitea `yaml:",inline"`
}

// RunnerStack are the runners of jobs, of stage 03_cicd, each with the name of its machine.
type RunnerStack struct {
	On              string `yaml:"on,required"` // a pattern: "raspberries:&local:!gitea"
	stack.ActRunner `yaml:",inline"`
}

// Names of secrets in the sink.
const (
	superuserSecret     = "postgres-superuser"
	giteaDatabaseSecret = "gitea-database"
	runnerTokenSecret   = "runner-token"
)

// giteaDatabase is the name of Gitea's database and of the role that owns it, unless the config
// says otherwise.
const giteaDatabase = "gitea"

// secrets returns the secrets of stacks by their names.
type secrets func(name string) lab.Secret

// postgres returns the database server with what the program fills in.
func (c *StacksConfig) postgres(secret secrets) stack.Postgres {
	pg := c.Postgres.Postgres
	pg.Password = secret(superuserSecret)
	if c.giteaHere() {
		d := c.Gitea.Database
		name, user := cmp.Or(d.Name, giteaDatabase), cmp.Or(d.User, giteaDatabase)
		pg.Databases = []stack.Database{{Name: name, Owner: user, Password: secret(giteaDatabaseSecret)}}
		pg.HBA = append(slices.Clone(pg.HBA),
			stack.HBARule{Type: "host", Database: name, User: user, Address: "samenet", Method: "scram-sha-256"})
	}
	return pg
}

// postgresName is the name of the project of the database server.
func (c *StacksConfig) postgresName() string { return cmp.Or(c.Postgres.Name, "postgres") }

// giteaHere reports whether Gitea's database is on the server of the stacks.
func (c *StacksConfig) giteaHere() bool {
	return c.Postgres != nil && c.Gitea != nil && c.Gitea.Database.Host == ""
}

// gitea returns the forge with what the program fills in.
func (c *StacksConfig) gitea(secret secrets, keys stack.GiteaKeys) stack.Gitea {
	g := c.Gitea.Gitea
	g.Keys, g.Database.Password, g.RunnerToken = keys, secret(giteaDatabaseSecret), secret(runnerTokenSecret)
	if c.giteaHere() {
		g.Networks = append(slices.Clone(g.Networks), c.postgresName()+"_default")
	}
	return g
}

// runner returns the runner of a machine with what the program fills in.
func (c *StacksConfig) runner(secret secrets, machine string) stack.ActRunner {
	r := c.Runner.ActRunner
	r.Runner, r.Token = machine, secret(runnerTokenSecret)
	if r.Instance == "" && c.Gitea != nil {
		r.Instance = c.Gitea.RootURL
	}
	return r
}

// postgresStack returns the database server as a component.
func (l *Lab) postgresStack() component {
	c := l.Stacks
	return component{place: "stacks.postgres", on: c.Postgres.On, one: true,
		validate: func() lab.Problems { return c.postgres(anySecret).Validate() },
		pieces: func(ctx context.Context, _ *inventory.Host, from sources) ([]piece, error) {
			secret, missing := asked(ctx, from.secrets)
			pg := c.postgres(secret)
			if err := missing(); err != nil {
				return nil, err // what is wrong with the stack follows from it
			}
			pg.Lock = from.lock
			st, err := pg.Stack()
			return stackAt("stacks.postgres", st, err)
		}}
}

// giteaStack returns the forge as a component.
func (l *Lab) giteaStack() component {
	c := l.Stacks
	return component{place: "stacks.gitea", on: c.Gitea.On, one: true, validate: l.validateGitea,
		pieces: func(ctx context.Context, _ *inventory.Host, from sources) ([]piece, error) {
			secret, missing := asked(ctx, from.secrets)
			keys, err := stack.NewGiteaKeys(ctx, from.secrets)
			g := c.gitea(secret, keys)
			if err := errors.Join(err, missing()); err != nil {
				return nil, err
			}
			g.Lock = from.lock
			st, err := g.Stack()
			if c.giteaHere() {
				st.After = append(st.After, compose.Stack{Name: c.postgresName()}.Running())
			}
			return stackAt("stacks.gitea", st, err)
		}}
}

// validateGitea returns what is wrong with the forge, and with where its database is.
func (l *Lab) validateGitea() lab.Problems {
	c := l.Stacks
	some := anySecret("")
	ps := c.gitea(anySecret, stack.GiteaKeys{SecretKey: some, InternalToken: some, JWTSecret: some}).Validate()
	if c.Gitea.Database.Host != "" {
		return ps
	}
	if c.Postgres == nil {
		return append(ps, lab.Problem{Path: "database.host", Message: "is empty, and there is no stacks.postgres",
			Hint: "add the stack, or write the address of the database server"})
	}
	here, there := l.hosts(l.postgresStack()), l.hosts(component{on: c.Gitea.On})
	if len(here) == 1 && len(there) == 1 && here[0] != there[0] {
		ps = append(ps, lab.Problem{Path: "database.host", Message: fmt.Sprintf(
			"is empty, which is right beside stacks.postgres only: that is on %s, and Gitea on %s", here[0].Name, there[0].Name),
			Hint: "select the same machine, or write the address of the database server"})
	}
	return ps
}

// runnerStack returns the runners of jobs as a component.
func (l *Lab) runnerStack() component {
	c := l.Stacks
	return component{place: "stacks.runner", on: c.Runner.On, validate: c.validateRunner,
		pieces: func(ctx context.Context, h *inventory.Host, from sources) ([]piece, error) {
			secret, missing := asked(ctx, from.secrets)
			r := c.runner(secret, h.Name)
			if err := missing(); err != nil {
				return nil, err
			}
			r.Lock = from.lock
			st, err := r.Stack()
			return stackAt("stacks.runner", st, err)
		}}
}

// validateRunner returns what is wrong with the runners, whatever machine they are on.
func (c *StacksConfig) validateRunner() (ps lab.Problems) {
	if c.Gitea == nil {
		ps.Add("", "runners need a gitea to work for")
		return ps
	}
	ps = c.runner(anySecret, "machine").Validate()
	if c.Runner.Instance != "" {
		return ps
	}
	return slices.DeleteFunc(ps, func(p lab.Problem) bool { return p.Path == "instance" }) // it is Gitea's rootURL
}

// stacksTogether returns what is wrong with the stacks together. Paths name fields of [StacksConfig].
func (l *Lab) stacksTogether() (ps lab.Problems) {
	taken := l.published()
	for i, p := range taken {
		for _, other := range taken[:i] {
			if p.address != other.address || p.loopback() && !slices.Equal(p.hosts, other.hosts) {
				continue
			}
			ps = append(ps, lab.Problem{Path: p.path, Text: p.address, Message: "is the address of stacks." + other.path + " too",
				Hint: "give one of them another port"})
			break
		}
	}
	return ps
}

// publication is an address at which a stack publishes a port.
type publication struct {
	path    string // the field that says so
	address string
	hosts   []*inventory.Host // the machines
}

// loopback reports whether every machine has the address for itself.
func (p publication) loopback() bool {
	at, err := netip.ParseAddrPort(p.address)
	return err == nil && at.Addr().IsLoopback()
}

// published returns the addresses at which the stacks publish ports.
func (l *Lab) published() (out []publication) {
	c := l.Stacks
	if c.Postgres != nil {
		out = append(out, publication{"postgres.listen", c.Postgres.Listen, l.hosts(component{on: c.Postgres.On})})
	}
	if c.Gitea != nil {
		on := l.hosts(component{on: c.Gitea.On})
		out = append(out, publication{"gitea.listenHTTP", c.Gitea.ListenHTTP, on},
			publication{"gitea.listenSSH", c.Gitea.ListenSSH, on})
	}
	return slices.DeleteFunc(out, func(p publication) bool { return p.address == "" })
}

// anySecret is a secret to validate with: as long as those that a keyring makes.
func anySecret(string) lab.Secret { return lab.NewSecret(strings.Repeat("x", 43)) }

// stackSource is what the stacks are made of: the lock, and where their secrets are kept.
type stackSource struct {
	lock compose.Lock
	sink lab.Sink
}

// stackSource reads what the stacks are made of. It is nil when there are none.
func (l *Lab) stackSource() (*stackSource, error) {
	c := l.Stacks
	if c == nil {
		return nil, nil
	}
	file, err := l.lockFile()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, lab.Problems{{Path: "stacks.lock", Text: file, Message: "the lock of the images cannot be read: " + reason(err),
			Hint: "pin the images: lab lock"}}
	}
	lock, err := compose.ReadLock(file, data)
	if err != nil {
		return nil, err
	}
	var ps lab.Problems
	for _, f := range l.imageFields() {
		if _, ok := lock[f.image]; !ok && !strings.Contains(f.image, "@") {
			ps = append(ps, lab.Problem{Path: f.path, Text: f.image, Message: "is not pinned in " + file,
				Hint: "pin it: lab lock"})
		}
	}
	if len(ps) > 0 {
		return nil, ps
	}
	dir, err := l.dir.Path(c.Secrets)
	return &stackSource{lock, lab.SecretDir{Path: dir}}, err
}

// reason returns an error of a file without its name.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// images are the images of all stacks.
func (l *Lab) images() (names []string) {
	for _, f := range l.imageFields() {
		names = append(names, f.image)
	}
	return names
}

// imageField is an image, and the field that names it.
type imageField struct{ path, image string }

// imageFields are the images of all stacks by the fields that name them.
func (l *Lab) imageFields() (fields []imageField) {
	c := l.Stacks
	if c == nil {
		return nil
	}
	if l.DNS != nil {
		fields = append(fields, imageField{"dns.image", l.DNS.Image})
	}
	if c.Postgres != nil {
		fields = append(fields, imageField{"stacks.postgres.image", c.Postgres.Image})
	}
	if c.Gitea != nil {
		fields = append(fields, imageField{"stacks.gitea.image", c.Gitea.Image})
	}
	if c.Runner != nil {
		fields = append(fields, imageField{"stacks.runner.image", c.Runner.Image})
	}
	return fields
}

// asked returns secrets of the keyring, and a function that returns the errors of those that it did
// not give.
func asked(ctx context.Context, k *lab.Keyring) (secrets, func() error) {
	var errs []error
	return func(name string) lab.Secret {
		s, err := k.Secret(ctx, name, nil)
		errs = append(errs, err)
		return s
	}, func() error { return errors.Join(errs...) }
}

// stackAt returns the stack that one place in the document asks for.
func stackAt(place string, st compose.Stack, err error) ([]piece, error) {
	if err != nil {
		return nil, err
	}
	return []piece{{Resource: st, place: place}}, nil
}
