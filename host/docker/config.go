package docker

import (
	_ "embed"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Config is Docker Engine on a machine. The zero Config is not valid: Docker's own packages need a Version or a Suite.
// With Package docker.io, it is.
type Config struct {
	Package    string   `yaml:"package"`    // docker-ce, of Docker, or docker.io, of Debian; empty means docker-ce
	Version    string   `yaml:"version"`    // of it and its client, as apt says; empty means the installed one, or the newest
	Containerd string   `yaml:"containerd"` // version of containerd.io; empty as above
	Buildx     string   `yaml:"buildx"`     // version of docker-buildx-plugin; empty as above
	Compose    string   `yaml:"compose"`    // version of docker-compose-plugin; empty as above
	Packages   []string `yaml:"packages"`   // further packages, held too: "docker-cli" for docker.io since Debian 13; empty means none

	Suite string `yaml:"suite"` // codename of the machines' Debian, for docker-ce; empty means the one at the end of Version
	URI   string `yaml:"uri"`   // of the package source; empty means https://download.docker.com/linux/debian
	Key   string `yaml:"key"`   // its public key, ASCII-armored; empty means Docker's, which is part of this package

	// Replace removes the packages that conflict with the wanted ones, and the files of the package source that others
	// usually write, such as /etc/apt/sources.list.d/docker.list. False means that their presence is an error.
	Replace bool `yaml:"replace"`

	DataRoot    string         `yaml:"dataRoot"`    // where images, containers and volumes are, absolute; empty means /var/lib/docker
	DNS         []string       `yaml:"dns"`         // DNS servers of containers, IP addresses; empty means the machine's
	LogMaxSize  string         `yaml:"logMaxSize"`  // of a container's log file: "10m"; empty means 10m
	LogMaxFiles int            `yaml:"logMaxFiles"` // log files of a container, 1 to 100; 0 means 3
	Options     map[string]any `yaml:"options"`     // further directives of daemon.json, and other values for those above; empty means none

	Registries []Registry `yaml:"registries"` // registries whose certificates a private CA has signed; empty means none

	// Restart allows to restart the engine when its configuration or version changes, although containers are running:
	// all of them stop, and with them every pod of a k3s that runs with --docker.
	Restart bool `yaml:"restart"`

	// ClientAPI is the Docker API version of a client that must be able to use the engine, "1.44": that of the cri-dockerd
	// in k3s, which it logs at its start (journalctl -u k3s). Empty means that nothing is checked.
	ClientAPI string `yaml:"clientAPI"`
}

// Registry is a registry of images whose certificate a private CA has signed.
type Registry struct {
	Host string `yaml:"host,required"` // as in the names of its images, with the port if they have one: "gitea.arcodange.lab:3000"
	CA   string `yaml:"ca,required"`   // certificates of the CA, in PEM
}

// key is Docker's, as https://download.docker.com/linux/debian/gpg has it.
//
//go:embed docker.asc
var key string

// fingerprint is that of Docker's key (docs.docker.com/engine/install/debian).
const fingerprint = "9DC8 5822 9FC7 DD38 854A E2D8 8D81 803C 0EBF CD88"

// The engines.
const (
	dockerCE = "docker-ce"
	dockerIO = "docker.io"
)

var (
	hostPattern = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?$`)
	sizePattern = regexp.MustCompile(`^[1-9][0-9]*[kmg]$`) // docs.docker.com/engine/logging/drivers/json-file
	apiPattern  = regexp.MustCompile(`^[1-9][0-9]*\.[0-9]+$`)
)

// Validate returns everything that is wrong with the Config. Paths name its fields: "registries[0].ca".
func (c Config) Validate() (ps lab.Problems) {
	bad := func(path, text, hint, format string, args ...any) {
		ps = append(ps, lab.Problem{Path: path, Text: text, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	debian := c.Package == dockerIO
	if c.Package != "" && c.Package != dockerCE && !debian {
		bad("package", c.Package, "docker-ce or docker.io", "is not an engine")
	}
	if debian {
		for _, f := range [][2]string{{"containerd", c.Containerd}, {"buildx", c.Buildx}, {"compose", c.Compose},
			{"suite", c.Suite}, {"uri", c.URI}, {"key", c.Key}} {
			if f[1] != "" {
				bad(f[0], f[1], "remove it, or the package", "is of docker-ce, not of docker.io")
			}
		}
	} else if c.suite() == "" {
		bad("suite", "", `"bookworm"`, "is needed if version does not end in the codename")
	}
	for _, p := range c.parts() {
		for _, problem := range p.resource.Validate() {
			problem.Path = p.path
			ps = append(ps, problem)
		}
	}
	ps = append(ps, c.checkDaemon()...)
	ps = append(ps, c.checkRegistries()...)
	switch {
	case c.ClientAPI == "":
	case !apiPattern.MatchString(c.ClientAPI):
		bad("clientAPI", c.ClientAPI, `"1.44"`, "is not an API version")
	default:
		if w, ok := windowOf(c.Version); ok {
			if why, hint := w.excludes(c.ClientAPI); why != "" {
				bad("version", c.Version, hint, "%s", why)
			}
		}
	}
	return ps
}

// checkDaemon returns what is wrong with the configuration of the daemon.
func (c Config) checkDaemon() (ps lab.Problems) {
	for i, s := range c.DNS {
		if _, err := netip.ParseAddr(s); err != nil {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("dns[%d]", i), Text: s, Message: "is not an IP address"})
		}
	}
	if c.DataRoot != "" {
		for _, p := range (host.Directory{Path: c.DataRoot}).Validate() {
			p.Path = "dataRoot"
			ps = append(ps, p)
		}
	}
	if c.LogMaxSize != "" && !sizePattern.MatchString(c.LogMaxSize) {
		ps = append(ps, lab.Problem{Path: "logMaxSize", Text: c.LogMaxSize, Message: "is not a size", Hint: `"10m": a number and k, m or g`})
	}
	if c.LogMaxFiles < 0 || c.LogMaxFiles > 100 {
		ps = append(ps, lab.Problem{Path: "logMaxFiles", Text: fmt.Sprint(c.LogMaxFiles), Message: "is not from 1 to 100"})
	}
	for _, field := range []struct{ directive, instead string }{
		{"data-root", "dataRoot"}, {"graph", "dataRoot"}, {"dns", "dns"},
	} {
		if _, ok := c.Options[field.directive]; ok {
			ps = append(ps, lab.Problem{Path: "options." + field.directive, Message: "has a field of its own",
				Hint: "use " + field.instead})
		}
	}
	if _, ok := c.Options["hosts"]; ok {
		// "the following directives are specified both as a flag and in the configuration file: hosts"
		ps = append(ps, lab.Problem{Path: "options.hosts", Message: "the unit docker.service has -H already: dockerd would not start",
			Hint: "add a socket to docker.socket with a drop-in"})
	}
	if _, err := c.daemonJSON(); err != nil {
		ps = append(ps, lab.Problem{Path: "options", Message: err.Error()})
	}
	return ps
}

// checkRegistries returns what is wrong with the registries.
func (c Config) checkRegistries() (ps lab.Problems) {
	var hosts []string
	for i, r := range c.Registries {
		path := fmt.Sprintf("registries[%d]", i)
		if !hostPattern.MatchString(r.Host) {
			ps = append(ps, lab.Problem{Path: path + ".host", Text: r.Host, Message: "is not the name of a registry",
				Hint: `"gitea.arcodange.lab" or "gitea.arcodange.lab:3000", without https://`})
		}
		if slices.Contains(hosts, r.Host) {
			ps = append(ps, lab.Problem{Path: path + ".host", Text: r.Host, Message: "is there twice", Hint: "put all certificates into one ca"})
		}
		hosts = append(hosts, r.Host)
		if err := checkCertificates(r.CA); err != nil {
			ps = append(ps, lab.Problem{Path: path + ".ca", Message: err.Error()})
		}
	}
	return ps
}

func (c Config) engine() string {
	if c.Package == "" {
		return dockerCE
	}
	return c.Package
}

// suite returns the codename of the release whose packages are wanted.
func (c Config) suite() string {
	if c.Suite != "" {
		return c.Suite
	}
	if i := strings.LastIndexByte(c.Version, '~'); i >= 0 && c.engine() == dockerCE {
		return c.Version[i+1:]
	}
	return ""
}
