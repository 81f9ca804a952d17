package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// StacksConfig are the compose stacks beside the cluster. Their secrets are made once, by a plan
// that is applied, and kept in files of the directory secrets.
type StacksConfig struct {
	Docker []string `yaml:"docker"` // packages of the engine; empty means that it is there already

	// Lock is the file that pins the images, see stack --help; empty means compose.lock.yaml beside the config.
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

// giteaHere reports whether Gitea's database is on the server of the stacks.
func (c *StacksConfig) giteaHere() bool {
	return c.Postgres != nil && c.Gitea != nil && c.Gitea.Database.Host == ""
}

// gitea returns the forge with what the program fills in.
func (c *StacksConfig) gitea(secret secrets, keys stack.GiteaKeys) stack.Gitea {
	g := c.Gitea.Gitea
	g.Keys, g.Database.Password, g.RunnerToken = keys, secret(giteaDatabaseSecret), secret(runnerTokenSecret)
	if c.giteaHere() {
		g.Networks = append(slices.Clone(g.Networks), cmp.Or(c.Postgres.Name, "postgres")+"_default")
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

// validate returns what is wrong with the stacks, whatever their secrets are.
func (c *StacksConfig) validate() (ps lab.Problems) {
	some := lab.NewSecret(strings.Repeat("x", 43))
	secret := func(string) lab.Secret { return some }
	if c.Postgres != nil {
		ps = append(ps, c.postgres(secret).Validate().Under("postgres")...)
	}
	if c.Gitea != nil {
		keys := stack.GiteaKeys{SecretKey: some, InternalToken: some, JWTSecret: some}
		ps = append(ps, c.gitea(secret, keys).Validate().Under("gitea")...)
	}
	if c.Runner != nil {
		if c.Gitea == nil {
			ps.Add("runner", "runners need a gitea to work for")
		} else {
			ps = append(ps, c.runner(secret, "machine").Validate().Under("runner")...)
		}
	}
	return ps
}

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
	file := c.Lock
	if file == "" {
		file = compose.LockFile
	}
	file, err := l.dir.Path(file)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &lab.Error{Op: "read lock of images", Path: file,
			Hint: "pin the images: lab lock", Err: err}
	}
	lock, err := compose.ReadLock(file, data)
	if err != nil {
		return nil, err
	}
	dir, err := l.dir.Path(c.Secrets)
	return &stackSource{lock, lab.SecretDir{Path: dir}}, err
}

// images are the images of all stacks.
func (c *StacksConfig) images() (names []string) {
	if c.Postgres != nil {
		names = append(names, c.Postgres.Image)
	}
	if c.Gitea != nil {
		names = append(names, c.Gitea.Image)
	}
	if c.Runner != nil {
		names = append(names, c.Runner.Image)
	}
	return names
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

// setup returns the stacks of stage 02_setup by the machines that they are on.
func (l *Lab) setup(ctx context.Context, lock compose.Lock, k *lab.Keyring) (map[string][]compose.Stack, error) {
	c := l.Stacks
	out := map[string][]compose.Stack{}
	place := func(on string, st compose.Stack, err error) error {
		if err != nil {
			return err
		}
		hosts, err := l.inventory.Select(on)
		for _, h := range hosts {
			out[h.Name] = append(out[h.Name], st)
		}
		return err
	}
	secret, missing := asked(ctx, k)
	var errs []error
	var after []string
	if c.Postgres != nil {
		pg := c.postgres(secret)
		pg.Lock = lock
		st, err := pg.Stack()
		errs = append(errs, place(c.Postgres.On, st, err))
		after = append(after, st.Running())
	}
	if c.Gitea != nil {
		keys, err := stack.NewGiteaKeys(ctx, k)
		errs = append(errs, err)
		g := c.gitea(secret, keys)
		g.Lock = lock
		st, err := g.Stack()
		st.After = append(st.After, after...)
		errs = append(errs, place(c.Gitea.On, st, err))
	}
	if err := missing(); err != nil {
		return nil, err // what is wrong with the stacks follows from it
	}
	return out, errors.Join(errs...)
}

// runners returns the stacks of stage 03_cicd by the machines that they are on.
func (l *Lab) runners(ctx context.Context, lock compose.Lock, k *lab.Keyring) (map[string][]compose.Stack, error) {
	out := map[string][]compose.Stack{}
	if l.Stacks.Runner == nil {
		return out, nil
	}
	hosts, err := l.inventory.Select(l.Stacks.Runner.On)
	if err != nil {
		return nil, err
	}
	secret, missing := asked(ctx, k)
	var errs []error
	for _, h := range hosts {
		r := l.Stacks.runner(secret, h.Name)
		r.Lock = lock
		st, err := r.Stack()
		errs = append(errs, err)
		out[h.Name] = append(out[h.Name], st)
	}
	if err := missing(); err != nil {
		return nil, err
	}
	return out, errors.Join(errs...)
}

// engine returns what a machine needs to run stacks.
func (c *StacksConfig) engine() (s host.State) {
	for _, p := range c.Docker {
		s = append(s, host.Package{Name: p})
	}
	if len(c.Docker) > 0 {
		yes := true
		s = append(s, host.Unit{Name: "docker.service", Enabled: &yes, State: host.Started})
	}
	return s
}
