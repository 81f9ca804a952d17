package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// Config is CLUSTER.yaml.
type Config struct {
	// What the cluster is called in a kubeconfig; k3s when it is left out.
	Name string `yaml:"name"`

	// Where the machines are, by name, "USER@ADDR[:PORT]"; with --ssh-config, an alias. Each is a server or an agent.
	Machines map[string]string `yaml:"machines,required"`

	// The directory that keeps the tokens of the cluster, a file for each.
	Secrets string `yaml:"secrets,required"`

	k3s.Config `yaml:",inline"`
}

// readConfig reads CLUSTER.yaml, and the secrets that it refers to. Paths in it are relative to its directory. The flags
// say what its machines may be.
func readConfig(file string, l *login.Login) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &lab.Error{Op: "read config", Path: file, Err: err}
	}
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	c := &Config{}
	if err := d.Decode(c); err != nil {
		return nil, err
	}
	if err := c.problems(l).Err(); err != nil {
		return nil, d.Locate(err)
	}
	dir := cli.DirOf(file)
	c.Config, err = c.Resolve(func(r lab.SecretRef) (lab.Secret, error) { return r.Resolve(os.LookupEnv, dir.ReadFile) })
	if err != nil {
		return nil, d.Locate(err)
	}
	c.Name = cmp.Or(c.Name, "k3s")
	return c, c.locate(dir)
}

// problems returns everything that is wrong with the config.
func (c *Config) problems(l *login.Login) lab.Problems {
	ps := c.Validate()
	for _, list := range []struct {
		field string
		names []string
	}{{"servers", c.Servers}, {"agents", c.Agents}} {
		for i, name := range list.names {
			if _, ok := c.Machines[name]; !ok {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", list.field, i), Text: name, Message: "is none of the machines"})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Machines)) {
		at := "machines." + name
		if !slices.Contains(c.Servers, name) && !slices.Contains(c.Agents, name) {
			ps = append(ps, lab.Problem{Path: at, Message: "is neither a server nor an agent"})
		}
		if why := l.Wrong(c.Machines[name]); why != "" {
			ps = append(ps, lab.Problem{Path: at, Message: why})
		}
	}
	return ps
}

// locate resolves the paths of local files.
func (c *Config) locate(dir cli.Dir) (err error) {
	if c.Secrets, err = dir.Path(c.Secrets); err != nil {
		return err
	}
	for arch, b := range c.Binaries {
		if b.Source, err = dir.Path(b.Source); err != nil {
			return err
		}
		c.Binaries[arch] = b
	}
	for i := range c.Images {
		if c.Images[i].Source, err = dir.Path(c.Images[i].Source); err != nil {
			return err
		}
	}
	return nil
}

// machines returns machines of the config, as the flags say that they are reached.
func (c *Config) machines(
	ctx context.Context, l *login.Login, terminal *cli.Terminal, events func(lab.Event), names ...string,
) (all []*host.Machine, err error) {
	var hosts []string
	for _, name := range names {
		hosts = append(hosts, c.Machines[name])
	}
	targets, err := l.Targets(ctx, terminal, hosts...)
	for i, t := range targets {
		t.Name = names[i]
		all = append(all, &host.Machine{Target: t, Events: events})
	}
	return all, err
}
