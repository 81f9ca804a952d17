package k3s

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Config is a cluster of k3s: its machines, what they run, and how. Version, Binaries, Servers and Address must be set.
type Config struct {
	Version string `yaml:"version,required"` // the release of all nodes: "v1.34.3+k3s1"

	// Binaries are the program k3s of that release, by the architecture of the machines as Debian names it: "arm64".
	Binaries map[string]Binary `yaml:"binaries,required"`

	// Servers are the machines with the control plane, by name, the one that makes the cluster first. With one, the
	// datastore is SQLite; with several, it is etcd, and there must be an odd number of them.
	Servers []string `yaml:"servers,required"`

	Agents []string `yaml:"agents"` // the other machines, by name, in the order in which they are changed; empty means none

	// Address is where the nodes reach the first server, a name or an IP address without a port: "192.168.1.201".
	Address string `yaml:"address,required"`

	// Docker makes k3s run containers with the Docker Engine of the machine, see package host/docker. False means the
	// containerd that k3s brings. It cannot be changed on a node that runs.
	Docker bool `yaml:"docker"`

	// DockerAPI is the version of Docker's API that the cri-dockerd in this release of k3s speaks; empty means "1.44".
	DockerAPI string `yaml:"dockerAPI"`

	Registries []Registry `yaml:"registries"` // registries of images for containerd; for Docker, see host/docker; empty means none
	Images     []Image    `yaml:"images"`     // archives of images that machines without Internet need; empty means none

	Disable     []string `yaml:"disable"`     // what of k3s is not deployed: traefik, servicelb, metrics-server, ...; empty means none
	TLSSANs     []string `yaml:"tlsSANs"`     // more names and IP addresses of the servers' certificates; empty means none
	Nameservers []string `yaml:"nameservers"` // DNS servers of CoreDNS and of pods, IP addresses; empty means the machine's

	// SecretsEncryption encrypts Secrets in the datastore. It cannot be changed once there is a cluster.
	SecretsEncryption bool `yaml:"secretsEncryption"`

	DataDir string   `yaml:"dataDir"` // absolute; empty means /var/lib/rancher/k3s. It cannot be changed on a node that runs
	Mounts  []string `yaml:"mounts"`  // directories whose mounts must be there before k3s starts, as those of Longhorn; empty means none

	Options       map[string]any `yaml:"options"`       // more options of config.yaml on all nodes, by k3s's names; empty means none
	ServerOptions map[string]any `yaml:"serverOptions"` // more options on servers; empty means none

	Nodes map[string]Node `yaml:"nodes"` // what is special to a machine, by its name; empty means nothing

	// NoDrain lets pods run on while k3s on their node is upgraded. False means that a node is drained first, and that
	// Longhorn's volumes must be healthy before.
	NoDrain bool `yaml:"noDrain"`

	Timeout time.Duration `yaml:"timeout"` // how long each wait for a node, a drain or a volume may take; 0 means 10m
}

// Node is what is special to one machine.
type Node struct {
	Address string         `yaml:"address"` // the node's IP address in the cluster, where it has several; empty means the one k3s finds
	Labels  []string       `yaml:"labels"`  // "key=value", given when the node joins and not changed later; empty means none
	Taints  []string       `yaml:"taints"`  // "key=value:effect", given when the node joins and not changed later; empty means none
	Options map[string]any `yaml:"options"` // more options of config.yaml; empty means none
}

// Binary is where the program k3s comes from: the machine downloads it, or it is sent from here.
type Binary struct {
	URL    string `yaml:"url"`             // https; empty means that Source is sent
	Source string `yaml:"source"`          // a local file, for machines without Internet; empty means that URL is downloaded
	SHA256 string `yaml:"sha256,required"` // 64 lower-case hex digits, as in the release's sha256sum-ARCH.txt
}

const (
	etc          = "/etc/rancher/k3s"
	program      = "/usr/local/bin/k3s"
	tokenFile    = etc + "/token"
	agentToken   = etc + "/agent-token"
	settingsFile = etc + "/config.yaml"
	resolvConf   = etc + "/resolv.conf"
	registryFile = etc + "/registries.yaml"
)

// key matches that of a label or a taint.
const key = `([a-z0-9][a-z0-9.-]*/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`

// components are what k3s deploys by itself (docs.k3s.io/installation/packaged-components).
var components = []string{"coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"}

var (
	namePattern  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostPattern  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	sumPattern   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	labelPattern = regexp.MustCompile(`^` + key + `=([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$`)
	taintPattern = regexp.MustCompile(`^` + key + `(=[A-Za-z0-9._-]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$`)
	apiPattern   = regexp.MustCompile(`^[1-9][0-9]*\.[0-9]+$`)
)

// Validate returns everything that is wrong with the Config. Paths name its fields.
func (c Config) Validate() (ps lab.Problems) {
	if _, ok := parseVersion(c.Version); !ok {
		ps = append(ps, lab.Problem{Path: "version", Text: c.Version, Message: "is not a release of k3s", Hint: `"v1.34.3+k3s1"`})
	}
	ps = append(ps, c.checkBinaries()...)
	ps = append(ps, c.checkMachines()...)
	if !isHost(c.Address) {
		ps = append(ps, lab.Problem{Path: "address", Text: c.Address, Message: "is neither a name nor an IP address",
			Hint: "of the first server, without a port"})
	}
	if c.DockerAPI != "" && !apiPattern.MatchString(c.DockerAPI) {
		ps = append(ps, lab.Problem{Path: "dockerAPI", Text: c.DockerAPI, Message: "is not an API version", Hint: `"1.44"`})
	}
	if c.Docker && len(c.Registries) > 0 {
		ps = append(ps, lab.Problem{Path: "registries", Message: "is of containerd, and Docker does not read it",
			Hint: "give the registries to Docker"})
	}
	for i, r := range c.Registries {
		ps = append(ps, r.validate().Under(fmt.Sprintf("registries[%d]", i))...)
	}
	for i, m := range c.Images {
		ps = append(ps, m.validate(c.Docker).Under(fmt.Sprintf("images[%d]", i))...)
	}
	for i, name := range c.Disable {
		if !slices.Contains(components, name) {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("disable[%d]", i), Text: name, Message: "is not part of k3s",
				Hint: strings.Join(components, ", ")})
		}
	}
	for i, name := range c.TLSSANs {
		if !isHost(name) {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("tlsSANs[%d]", i), Text: name, Message: "is neither a name nor an IP address"})
		}
	}
	for i, s := range c.Nameservers {
		if a, err := netip.ParseAddr(s); err != nil || a.IsLoopback() || a.IsUnspecified() {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("nameservers[%d]", i), Text: s,
				Message: "is not an IP address that a pod can reach"}) // in a pod, loopback is the pod itself
		}
	}
	for i, dir := range append([]string{c.dataDir()}, c.Mounts...) {
		field := "dataDir"
		if i > 0 {
			field = fmt.Sprintf("mounts[%d]", i-1)
		}
		if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" || strings.ContainsAny(dir, " \t\n\"'\\%$;") {
			ps = append(ps, lab.Problem{Path: field, Text: dir, Message: "is not a plain absolute path"})
		}
	}
	if c.Timeout < 0 {
		ps = append(ps, lab.Problem{Path: "timeout", Text: c.Timeout.String(), Message: "is negative"})
	}
	return append(ps, c.checkOptions()...)
}

// checkBinaries returns what is wrong with the programs.
func (c Config) checkBinaries() (ps lab.Problems) {
	if len(c.Binaries) == 0 {
		ps.Add("binaries", "is empty")
	}
	for _, arch := range slices.Sorted(maps.Keys(c.Binaries)) {
		b, at := c.Binaries[arch], "binaries."+arch
		if !slices.Contains([]string{"amd64", "arm64", "armhf"}, arch) {
			ps = append(ps, lab.Problem{Path: at, Message: "is not an architecture of k3s", Hint: "amd64, arm64 or armhf"})
		}
		if (b.URL == "") == (b.Source == "") {
			ps = append(ps, lab.Problem{Path: at + ".url", Message: "exactly one of url and source must be set"})
		}
		if !sumPattern.MatchString(b.SHA256) {
			ps = append(ps, lab.Problem{Path: at + ".sha256", Text: b.SHA256, Message: "is not 64 lower-case hex digits"})
		} else if b.URL != "" {
			for _, p := range b.resource().Validate() {
				p.Path = at + "." + p.Path
				ps = append(ps, p)
			}
		}
	}
	return ps
}

// checkMachines returns what is wrong with the names of the machines, and with what is special to them.
func (c Config) checkMachines() (ps lab.Problems) {
	if len(c.Servers) == 0 {
		ps.Add("servers", "is empty")
	}
	if n := len(c.Servers); n > 1 && n%2 == 0 {
		ps = append(ps, lab.Problem{Path: "servers", Message: fmt.Sprintf("there are %d: etcd would not survive more failures "+
			"than with %d", n, n-1), Hint: "name an odd number"})
	}
	seen := map[string]bool{}
	for field, names := range map[string][]string{"servers": c.Servers, "agents": c.Agents} {
		for i, name := range names {
			at := fmt.Sprintf("%s[%d]", field, i)
			if !namePattern.MatchString(name) {
				ps = append(ps, lab.Problem{Path: at, Text: name, Message: "is not the name of a node", Hint: "lower-case letters, digits and -"})
			}
			if slices.Index(names, name) < i || field == "agents" && slices.Contains(c.Servers, name) {
				ps = append(ps, lab.Problem{Path: at, Text: name, Message: "is there twice"})
			}
			seen[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		n, at := c.Nodes[name], "nodes."+name
		if !seen[name] {
			ps = append(ps, lab.Problem{Path: at, Text: name, Message: "is neither a server nor an agent"})
		}
		if _, err := netip.ParseAddr(n.Address); n.Address != "" && err != nil {
			ps = append(ps, lab.Problem{Path: at + ".address", Text: n.Address, Message: "is not an IP address"})
		}
		for i, l := range n.Labels {
			if !labelPattern.MatchString(l) {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s.labels[%d]", at, i), Text: l, Message: "is not a label", Hint: `"key=value"`})
			}
		}
		for i, t := range n.Taints {
			if !taintPattern.MatchString(t) {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s.taints[%d]", at, i), Text: t, Message: "is not a taint",
					Hint: `"key=value:EFFECT", as kubectl taint takes it`})
			}
		}
	}
	slices.SortStableFunc(ps, func(a, b lab.Problem) int { return strings.Compare(a.Path, b.Path) })
	return ps
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostPattern.MatchString(s)
}

func (c Config) dataDir() string        { return cmp.Or(c.DataDir, "/var/lib/rancher/k3s") }
func (c Config) dockerAPI() string      { return cmp.Or(c.DockerAPI, "1.44") }
func (c Config) timeout() time.Duration { return cmp.Or(c.Timeout, 10*time.Minute) }
func (c Config) founder() string        { return c.Servers[0] }
func (c Config) server(name string) bool {
	return slices.Contains(c.Servers, name)
}

// url returns where nodes reach the API of the first server.
func (c Config) url() string {
	if a, err := netip.ParseAddr(c.Address); err == nil && a.Is6() {
		return "https://[" + c.Address + "]:6443"
	}
	return "https://" + c.Address + ":6443"
}

// unit returns the name of the unit of a machine, without its suffix, as the installer of k3s names it.
func (c Config) unit(name string) string {
	if c.server(name) {
		return serverUnit
	}
	return agentUnit
}

const (
	serverUnit = "k3s"
	agentUnit  = "k3s-agent"
)
