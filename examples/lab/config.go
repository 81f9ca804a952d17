package main

import (
	_ "embed"
	"net/netip"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

//go:embed lab.yaml
var defaultConfig []byte

// Config is the lab as it is written down.
type Config struct {
	// Environment names what the lab belongs to. Machines carry it in a file; a machine of another
	// environment is refused. Applying to any other than "sandbox" needs its name on the command
	// line. Empty means sandbox.
	Environment string `yaml:"environment"`

	Domain string `yaml:"domain,required"` // the lab's DNS zone: "arcodange.lab"

	Boundary  BoundaryConfig `yaml:"boundary"`  // what may be reached
	SSH       SSHConfig      `yaml:"ssh"`       // how to log in
	Inventory inventory.Spec `yaml:"inventory"` // the machines and their groups
	Apps      []AppConfig    `yaml:"apps"`      // the applications

	// System is the base of every machine that is reached over SSH. With reboot, machines are changed one after the other.
	System base.Config `yaml:"system"`

	Disks    []DisksConfig   `yaml:"disks"`    // data disks; empty means none
	Docker   *DockerConfig   `yaml:"docker"`   // Docker Engine; empty means that it is there already
	DNS      *DNSConfig      `yaml:"dns"`      // Pi-holes, and the resolvers of all machines; empty leaves both
	StepCA   *StepCAConfig   `yaml:"stepca"`   // the certificate authority; empty means none
	NFS      []NFSConfig     `yaml:"nfs"`      // what is shared over NFS; empty means nothing
	Longhorn *LonghornConfig `yaml:"longhorn"` // what Longhorn needs of machines; empty means nothing
	K3s      *k3s.Config     `yaml:"k3s"`      // the nodes of the cluster; empty means none
	Cluster  *ClusterConfig  `yaml:"cluster"`  // what runs in the cluster; empty leaves it as it is

	Stacks *StacksConfig `yaml:"stacks"` // compose stacks beside the cluster; empty means none

	// Postgres is the database server of the apps; empty means that none is provisioned.
	Postgres *PostgresConfig `yaml:"postgres"`

	Forge *ForgeConfig `yaml:"forge"` // what Gitea must have; empty means that nothing is provisioned
	Vault *VaultConfig `yaml:"vault"` // the Vault; empty means none

	Edge *EdgeConfig `yaml:"edge"` // what is at Cloudflare, OVH and Google; empty means nothing

	Resources []Placement `yaml:"resources"` // more resources, for machines that a pattern selects
}

// BoundaryConfig says which addresses may be reached.
type BoundaryConfig struct {
	// Allow are networks, "192.168.1.0/24"; empty means the addresses of the inventory's hosts and nothing else.
	Allow []netip.Prefix `yaml:"allow"`

	Deny []netip.Prefix `yaml:"deny"` // not even if allow holds them
}

// SSHConfig says how to log in to the machines. Relative paths are taken from the directory of the
// file, ~/ from the home.
type SSHConfig struct {
	User string `yaml:"user"` // empty means pi

	// Identities are private key files; without any, the keys of the ssh-agent are used when agent is true.
	Identities []string `yaml:"identities"`

	Agent      bool     `yaml:"agent"`      // use the ssh-agent at SSH_AUTH_SOCK
	KnownHosts []string `yaml:"knownHosts"` // known_hosts files

	// AcceptNew is a known_hosts file to which machines are added that are seen for the first time; empty accepts none.
	AcceptNew string `yaml:"acceptNew"`

	// SudoPassword is a reference to the password for sudo; empty means that sudo does not ask.
	SudoPassword lab.SecretRef `yaml:"sudoPassword"`
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
	apped     []string // for each instance, the place of its app in the document
	inventory *inventory.Inventory
	document  *strictyaml.Document
	dir       cli.Dir // of the file
}

// locate gives problems with places in the document their lines.
func (l *Lab) locate(err error) error { return l.document.Locate(err) }

// ReadConfig reads a config. file is its name in messages; relative paths are taken from its
// directory. Everything that is wrong is reported at once, as [lab.Problems].
func ReadConfig(file string, data []byte) (*Lab, error) {
	d, syntax := strictyaml.Parse(file, data)
	if d == nil {
		return nil, syntax
	}
	l := &Lab{dir: cli.DirOf(file), document: d}
	shape := strictyaml.Merge(syntax, d.Decode(&l.Config, strictyaml.OneOf(host.Kinds())))
	if err := strictyaml.Merge(shape, l.locate(l.resolve(shape))); err != nil {
		return nil, err
	}
	return l, nil
}
