package main

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

//go:embed lab.yaml
var defaultConfig []byte

// Config is the lab as it is written down.
type Config struct {
	// Environment names what the lab belongs to. Machines carry it in a file; a machine of another environment is refused. Applying to any
	// other than "sandbox" needs its name on the command line. Empty means sandbox.
	Environment string `yaml:"environment"`

	Domain string `yaml:"domain,required"` // the lab's DNS zone: "arcodange.lab"

	Boundary  BoundaryConfig  `yaml:"boundary"`  // what may be reached
	SSH       SSHConfig       `yaml:"ssh"`       // how to log in
	Inventory inventory.Spec  `yaml:"inventory"` // the machines and their groups
	Apps      []AppConfig     `yaml:"apps"`      // the applications
	System    base.Config     `yaml:"system"`    // the base of every machine that is reached over SSH; with reboot, machines are changed one after the other
	Stacks    *StacksConfig   `yaml:"stacks"`    // compose stacks beside the cluster; empty means none
	Postgres  *PostgresConfig `yaml:"postgres"`  // the database server of the apps; empty means that none is provisioned
	Resources []Placement     `yaml:"resources"` // more resources, for machines that a pattern selects
}

// BoundaryConfig says which addresses may be reached.
type BoundaryConfig struct {
	Allow []netip.Prefix `yaml:"allow"` // "192.168.1.0/24"; empty means the addresses of the inventory's hosts and nothing else
	Deny  []netip.Prefix `yaml:"deny"`  // not even if allow holds them
}

// SSHConfig says how to log in to the machines. Relative paths are taken from the folder of the file, ~/ from the home.
type SSHConfig struct {
	User         string        `yaml:"user"`         // empty means pi
	Identities   []string      `yaml:"identities"`   // private key files; without any, the keys of the ssh-agent are used when agent is true
	Agent        bool          `yaml:"agent"`        // use the ssh-agent at SSH_AUTH_SOCK
	KnownHosts   []string      `yaml:"knownHosts"`   // known_hosts files
	AcceptNew    string        `yaml:"acceptNew"`    // a known_hosts file to which machines are added that are seen for the first time
	SudoPassword lab.SecretRef `yaml:"sudoPassword"` // a reference to the password for sudo; empty means that sudo does not ask
}

// AppConfig is an application and the environments that it lives in.
type AppConfig struct {
	Name string   `yaml:"name,required"`
	Org  string   `yaml:"org"`  // of its repository; empty means arcodange-org
	Envs []string `yaml:"envs"` // empty means prod alone
}

// Placement puts resources on machines.
type Placement struct {
	On    string     `yaml:"on,required"` // a pattern: "raspberries:&local:!gitea"
	State host.State `yaml:"state"`
}

// Lab is a config that was read and found right.
type Lab struct {
	Config
	Hosts     []*inventory.Host // those reached over SSH
	Limited   []*inventory.Host // of them, those that this run is limited to; empty means all
	Instances []lab.Instance
	inventory *inventory.Inventory
	placed    [][]string // for each placement, the names of its hosts
	dir       cli.Dir    // of the file
}

// ReadConfig reads a config. file is its name in messages; relative paths are taken from its folder. Everything that is wrong is reported at
// once, as [lab.Problems].
func ReadConfig(file string, data []byte) (*Lab, error) {
	d, syntax := strictyaml.Parse(file, data)
	if d == nil {
		return nil, syntax
	}
	l := &Lab{dir: cli.DirOf(file)}
	shape := d.Decode(&l.Config, strictyaml.OneOf(host.Kinds()))
	if err := strictyaml.Merge(syntax, shape, d.Locate(l.resolve())); err != nil {
		return nil, err
	}
	return l, nil
}

// resolve checks what the config means, and fills in what follows from it.
func (l *Lab) resolve() error {
	var ps lab.Problems
	collect := func(prefix string, err error) {
		var more lab.Problems
		if errors.As(err, &more) {
			ps = append(ps, more.Under(prefix)...)
		} else if err != nil {
			ps.Add(prefix, "%v", err)
		}
	}
	if l.Environment == "" {
		l.Environment = sandboxName
	}
	var err error
	l.inventory, err = inventory.New(l.Inventory)
	collect("inventory", err)
	names := l.inventory
	if names == nil {
		names = namesOnly(l.Inventory)
	}
	if l.inventory != nil {
		for _, h := range l.inventory.Hosts() {
			if !h.Local {
				l.Hosts = append(l.Hosts, h)
			}
		}
	}
	for i, a := range l.Apps {
		envs := a.Envs
		if len(envs) == 0 {
			envs = []string{lab.Prod}
		}
		for _, e := range envs {
			inst := lab.App(a.Name).In(e)
			collect(fmt.Sprintf("apps[%d]", i), nameOf(lab.ValidateInstances([]lab.Instance{inst})))
			l.Instances = append(l.Instances, inst)
		}
	}
	if len(ps) == 0 {
		collect("apps", lab.ValidateInstances(l.Instances))
	}
	for i, p := range l.Resources {
		path := fmt.Sprintf("resources[%d]", i)
		collect(path+".state", p.State.Validate())
		if names == nil {
			continue
		}
		hosts, err := names.Select(p.On)
		collect(path+".on", err)
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		l.placed = append(l.placed, names)
		for j, r := range p.State {
			if f, ok := r.(host.File); ok && f.Source != "" && !filepath.IsAbs(f.Source) {
				f.Source = filepath.Join(string(l.dir), f.Source)
				l.Resources[i].State[j] = f
			}
		}
	}
	if p := l.Postgres; p != nil && (l.Stacks == nil || l.Stacks.Postgres == nil) {
		for i, ref := range []lab.SecretRef{p.Password, p.EditorPassword, p.PoolerPassword} {
			if ref.IsZero() {
				ps = append(ps, lab.Problem{Path: "postgres." + []string{"password", "editorPassword", "poolerPassword"}[i], Message: "is missing",
					Hint: `a reference such as "file:~/.arcodange/postgres"; without one, the stacks must have a postgres`})
			}
		}
	}
	if st := l.Stacks; st != nil && names != nil {
		check := func(stack, on string) {
			_, err := names.Select(on)
			collect("stacks."+stack+".on", err)
		}
		if st.Postgres != nil {
			check("postgres", st.Postgres.On)
		}
		if st.Gitea != nil {
			check("gitea", st.Gitea.On)
		}
		if st.Runner != nil {
			check("runner", st.Runner.On)
		}
		collect("stacks", st.validate().Err())
	}
	collect("system", l.System.Validate().Err())
	ps = append(ps, l.validateMachines(ps)...)
	return ps.Err()
}

// namesOnly returns an inventory in which every name is known and every group has hosts, to check patterns by when the real one is wrong. It is
// nil when not even that can be had.
func namesOnly(spec inventory.Spec) *inventory.Inventory {
	var s inventory.Spec
	seen := map[string]bool{}
	var all []string
	for _, h := range spec.Hosts {
		if !seen[h.Name] {
			seen[h.Name] = true
			s.Hosts = append(s.Hosts, inventory.HostSpec{Name: h.Name})
			all = append(all, h.Name)
		}
	}
	for _, g := range spec.Groups {
		if !seen[g.Name] {
			seen[g.Name] = true
			s.Groups = append(s.Groups, inventory.GroupSpec{Name: g.Name, Hosts: all})
		}
	}
	inv, err := inventory.New(s)
	if err != nil {
		return nil
	}
	return inv
}

// nameOf drops the index that a list of one gives its problems, and calls the app by the key that holds it.
func nameOf(err error) error {
	var ps lab.Problems
	if !errors.As(err, &ps) {
		return err
	}
	out := slices.Clone(ps)
	for i, p := range out {
		out[i].Path = map[string]string{"[0].app": "name", "[0].env": "envs"}[p.Path]
	}
	return out
}

// boundary returns what may be reached.
func (l *Lab) boundary() (*lab.Boundary, error) {
	b := &lab.Boundary{Name: l.Environment, Allow: l.Boundary.Allow, Deny: l.Boundary.Deny}
	if len(b.Allow) > 0 {
		return b, nil
	}
	for _, h := range l.Hosts {
		ip, err := netip.ParseAddr(h.Address)
		if err != nil {
			return nil, &lab.Error{Op: "read boundary", Target: h.Name, Hint: "write boundary.allow: [192.0.2.0/24], the network that the machines are in",
				Err: fmt.Errorf("%w: its address %q is a name, so what may be reached must be said", lab.ErrRefused, h.Address)}
		}
		b.Allow = append(b.Allow, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return b, nil
}

// machines returns the machines as they are reached over SSH.
func (l *Lab) machines() ([]*host.Machine, error) {
	b, err := l.boundary()
	if err != nil {
		return nil, err
	}
	var auth ssh.Auth
	var keys ssh.HostKeys
	for _, f := range l.SSH.Identities {
		p, err := l.dir.Path(f)
		if err != nil {
			return nil, err
		}
		auth.KeyFiles = append(auth.KeyFiles, ssh.KeyFile{Path: p})
	}
	if l.SSH.Agent {
		auth.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	}
	for _, f := range l.SSH.KnownHosts {
		p, err := l.dir.Path(f)
		if err != nil {
			return nil, err
		}
		keys.KnownHosts = append(keys.KnownHosts, p)
	}
	if keys.AcceptNew, err = l.dir.Path(l.SSH.AcceptNew); err != nil {
		return nil, err
	}
	sudo, err := l.SSH.SudoPassword.Resolve(os.LookupEnv, l.dir.ReadFile)
	if err != nil {
		return nil, err
	}
	target := func(name, user, address string, port int) ssh.Target {
		if user == "" {
			user = l.user()
		}
		return ssh.Target{Name: name, Address: joinPort(address, port), User: user, Auth: auth, HostKeys: keys, SudoPassword: sudo, Boundary: b}
	}
	var out []*host.Machine
	for _, h := range l.chosen() {
		t := target(h.Name, h.User, h.Address, h.Port)
		for _, j := range h.Jump {
			if via, err := l.inventory.Host(j); err == nil {
				t.Jump = append(t.Jump, target(via.Name, via.User, via.Address, via.Port))
				b.Names = append(b.Names, h.Address)
			} else {
				t.Jump = append(t.Jump, target(j, "", j, 0))
			}
		}
		out = append(out, &host.Machine{Target: t, Environment: l.Environment})
	}
	return out, nil
}

// chosen returns the hosts that this run is about.
func (l *Lab) chosen() []*inventory.Host {
	if len(l.Limited) > 0 {
		return l.Limited
	}
	return l.Hosts
}

func (l *Lab) user() string {
	if l.SSH.User == "" {
		return "pi"
	}
	return l.SSH.User
}

func joinPort(address string, port int) string {
	if port == 0 || port == 22 {
		return address
	}
	if strings.Contains(address, ":") {
		return fmt.Sprintf("[%s]:%d", address, port)
	}
	return fmt.Sprintf("%s:%d", address, port)
}
