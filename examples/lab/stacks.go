package main

import (
	"context"
	"errors"
	"os"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// StacksConfig are the compose stacks beside the cluster. Their secrets are made once and kept in files of the directory Secrets.
type StacksConfig struct {
	Docker   []string       `yaml:"docker"`           // packages of the engine; empty means that it is there already
	Lock     string         `yaml:"lock"`             // the file that pins the images, see stack -h; empty means compose.lock.yaml beside the config
	Secrets  string         `yaml:"secrets,required"` // a folder here, mode 0700: "~/.arcodange/stacks"
	Postgres *PostgresStack `yaml:"postgres"`
	Gitea    *GiteaStack    `yaml:"gitea"`
	Runner   *RunnerStack   `yaml:"runner"`
}

// PostgresStack is the database server beside the cluster, of stage 02_setup.
type PostgresStack struct {
	On       string            `yaml:"on,required"`    // a pattern that selects one machine: "postgres"
	Image    string            `yaml:"image,required"` // "postgres:17.10"
	UID      int               `yaml:"uid"`            // of the server in the image; 0 means 999, that of the official image, whose variant alpine has 70
	Listen   string            `yaml:"listen"`         // address of the published port: "192.168.1.202:5432"; empty publishes none
	Settings map[string]string `yaml:"settings"`       // of postgresql.conf
	HBA      []HBAConfig       `yaml:"hba"`            // lines of pg_hba.conf, in order
}

// HBAConfig is a line of pg_hba.conf(5).
type HBAConfig struct {
	Type     string `yaml:"type,required"`     // "hostssl", "host", "local"
	Database string `yaml:"database,required"` // "all", or names
	User     string `yaml:"user,required"`     // "all", names, or +ROLE
	Address  string `yaml:"address"`           // CIDR; empty for local
	Method   string `yaml:"method,required"`   // "scram-sha-256", "reject"
}

// GiteaStack is the forge, of stage 02_setup.
type GiteaStack struct {
	On      string `yaml:"on,required"`      // a pattern that selects one machine: "gitea"
	Image   string `yaml:"image,required"`   // "gitea/gitea:1.26.0-rootless"
	RootURL string `yaml:"rootURL,required"` // with a slash at the end: "https://gitea.arcodange.lab/"
	Listen  string `yaml:"listen"`           // address of HTTP; empty publishes none
	SSH     string `yaml:"ssh"`              // address of SSH; empty publishes none
	Admin   string `yaml:"admin"`            // the first administrator; empty means none
}

// RunnerStack are the runners of jobs, of stage 03_cicd.
type RunnerStack struct {
	On     string   `yaml:"on,required"`    // "raspberries:&local:!gitea"
	Image  string   `yaml:"image,required"` // "gitea/runner:1.0.8"
	Labels []string `yaml:"labels"`         // "ubuntu-latest:docker://..."
	Socket bool     `yaml:"socket"`         // give jobs the machine's Docker Engine: whoever may push a workflow is then root on the machine
}

// stackSource is what the stacks are made of: the lock, and where their secrets are kept.
type stackSource struct {
	lock compose.Lock
	sink lab.Sink
}

// stackSource reads what the stacks are made of.
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
		return nil, &lab.Error{Op: "read lock of images", Path: file, Hint: "pin the images with the program stack: stack lock -host USER@ADDR DIR", Err: err}
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

// superuserSecret is the name of the secret of the database server's superuser.
const superuserSecret = "postgres-superuser"

// giteaDatabase is the name of Gitea's database and of the role that owns it.
const giteaDatabase = "gitea"

// setup returns the stacks of stage 02_setup by the machines that they are on.
func (l *Lab) setup(ctx context.Context, lock compose.Lock, k *lab.Keyring) (map[string]host.State, error) {
	c := l.Stacks
	out := map[string]host.State{}
	place := func(on string, st compose.Stack) error {
		hosts, err := l.inventory.Select(on)
		for _, h := range hosts {
			out[h.Name] = append(out[h.Name], st)
		}
		return err
	}
	var errs []error
	secret := func(name string) lab.Secret {
		v, err := k.Secret(ctx, name, nil)
		errs = append(errs, err)
		return v
	}
	if p := c.Postgres; p != nil {
		pg := stack.Postgres{Image: p.Image, UID: p.UID, Lock: lock, Listen: p.Listen, Settings: p.Settings, Password: secret(superuserSecret)}
		for _, r := range p.HBA {
			pg.HBA = append(pg.HBA, stack.HBARule{Type: r.Type, Database: r.Database, User: r.User, Address: r.Address, Method: r.Method})
		}
		if c.Gitea != nil {
			pg.Databases = []stack.Database{{Name: giteaDatabase, Password: secret("gitea-database")}}
			pg.HBA = append(pg.HBA, stack.HBARule{Type: "host", Database: giteaDatabase, User: giteaDatabase, Address: "samenet", Method: "scram-sha-256"})
		}
		st, err := pg.Stack()
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, place(p.On, st))
		}
	}
	if g := c.Gitea; g != nil {
		keys, err := stack.NewGiteaKeys(ctx, k)
		errs = append(errs, err)
		gt := stack.Gitea{Image: g.Image, Lock: lock, RootURL: g.RootURL, ListenHTTP: g.Listen, ListenSSH: g.SSH, Keys: keys, Admin: g.Admin,
			Database: stack.GiteaDatabase{Name: giteaDatabase, User: giteaDatabase, Password: secret("gitea-database")}, RunnerToken: secret("runner-token")}
		if c.Postgres != nil {
			gt.Networks = []string{"postgres_default"}
		}
		st, err := gt.Stack()
		errs = append(errs, err)
		if err == nil {
			if c.Postgres != nil {
				st.After = append(st.After, "compose:postgres")
			}
			errs = append(errs, place(g.On, st))
		}
	}
	return out, errors.Join(errs...)
}

// runners returns the stacks of stage 03_cicd.
func (l *Lab) runners(ctx context.Context, lock compose.Lock, k *lab.Keyring) (map[string]host.State, error) {
	c := l.Stacks.Runner
	out := map[string]host.State{}
	if c == nil {
		return out, nil
	}
	token, err := k.Secret(ctx, "runner-token", nil)
	if err != nil {
		return nil, err
	}
	hosts, err := l.inventory.Select(c.On)
	if err != nil {
		return nil, err
	}
	instance := ""
	if l.Stacks.Gitea != nil {
		instance = l.Stacks.Gitea.RootURL
	}
	for _, h := range hosts {
		st, err := stack.ActRunner{Image: c.Image, Lock: lock, Instance: instance, Runner: h.Name, Token: token, Labels: c.Labels, Socket: c.Socket}.Stack()
		if err != nil {
			return nil, err
		}
		out[h.Name] = append(out[h.Name], st)
	}
	return out, nil
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

// stacksOf returns the stacks of a stage by the machines that they are on, with secrets of the keyring.
type stacksOf func(context.Context, compose.Lock, *lab.Keyring) (map[string]host.State, error)

// stackStage plans the stacks on the machines that have any.
func (l *Lab) stackStage(name string, s *stackSource, machines []*host.Machine, only *selection, stacks stacksOf, after ...string) Stage {
	return Stage{Name: name, After: after, Plan: func(ctx context.Context) (*lab.Plan, error) {
		k := &lab.Keyring{Sink: s.sink}
		states, err := stacks(ctx, s.lock, k)
		if err != nil {
			return nil, err
		}
		f := host.Fleet{Machines: slices.DeleteFunc(slices.Clone(machines), func(m *host.Machine) bool { return len(states[m.Name()]) == 0 })}
		if len(f.Machines) == 0 {
			return lab.NewPlan()
		}
		plan, err := f.Plan(ctx, func(m *host.Machine) (host.State, error) {
			engine := l.Stacks.engine()
			var ids []string
			for _, r := range engine {
				ids = append(ids, r.ID())
			}
			s := slices.Clone(engine)
			for _, r := range states[m.Name()] {
				st := r.(compose.Stack)
				st.After = append(slices.Clone(st.After), ids...)
				s = append(s, st)
			}
			return only.of(s, nil)
		}, only.globs...)
		if plan == nil {
			return nil, err
		}
		plan, joined := k.Plan(plan)
		return plan, errors.Join(err, joined)
	}}
}

// sandboxStacks gives the sandbox's machines a docker, and the stacks secrets that are forgotten with it.
func (l *Lab) sandboxStacks(box *Sandbox) (*stackSource, func() error, error) {
	if l.Stacks == nil {
		return nil, func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "lab-sandbox-")
	if err != nil {
		return nil, nil, err
	}
	var images []composetest.Image
	for _, name := range l.Stacks.images() {
		images = append(images, composetest.Image{Name: name})
	}
	s := &stackSource{sink: lab.SecretDir{Path: dir}}
	for _, m := range box.machines {
		d := composetest.Install(m, composetest.Config{Registry: images})
		s.lock = d.Lock(l.Stacks.images()...)
	}
	return s, func() error { return os.RemoveAll(dir) }, nil
}
