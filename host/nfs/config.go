package nfs

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Config is what a machine shares, and what it mounts of others. The zero Config does neither.
type Config struct {
	Exports []Export `yaml:"exports"` // what others may mount; empty means nothing
	Shares  []Share  `yaml:"shares"`  // what is mounted here; empty means nothing
}

// Export is a directory that other machines can mount.
type Export struct {
	Path         string   `yaml:"path,required"`    // a mount point, of letters, digits and - _ . /
	Clients      []string `yaml:"clients,required"` // IP addresses, at least one
	ReadOnly     bool     `yaml:"readOnly"`         // clients cannot write
	NoRootSquash bool     `yaml:"noRootSquash"`     // root of a client is root here, and can read and change everything
}

// Share is a directory of another machine that is mounted here.
type Share struct {
	Server   string   `yaml:"server,required"` // its address; a name needs DNS, which may need the machines
	Path     string   `yaml:"path,required"`   // on the server
	At       string   `yaml:"at,required"`     // the mount point here
	ReadOnly bool     `yaml:"readOnly"`        // nothing is written to it from here
	Options  []string `yaml:"options"`         // options of the mount besides those of the package; empty means none
}

var (
	pathPattern = regexp.MustCompile(`^/[A-Za-z0-9_./-]+$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

// Validate returns everything that is wrong with the Config. Paths name its fields: "exports[0].clients[1]".
func (c Config) Validate() (ps lab.Problems) {
	seen := map[string]string{}
	for i, e := range c.Exports {
		at := fmt.Sprintf("exports[%d]", i)
		ps = append(ps, e.problems().Under(at)...)
		ps = append(ps, twice(seen, "export "+e.Path, at+".path", e.Path)...)
	}
	for i, s := range c.Shares {
		at := fmt.Sprintf("shares[%d]", i)
		ps = append(ps, s.problems().Under(at)...)
		ps = append(ps, twice(seen, "mount "+s.At, at+".at", s.At)...)
	}
	return ps
}

// twice returns a problem if something else has the key already.
func twice(seen map[string]string, key, path, text string) (ps lab.Problems) {
	if other, ok := seen[key]; ok {
		ps = append(ps, lab.Problem{Path: path, Text: text, Message: "the same as " + other})
	}
	seen[key] = path
	return ps
}

func (e Export) problems() (ps lab.Problems) {
	checkPath(&ps, "path", e.Path)
	if len(e.Clients) == 0 {
		ps = append(ps, lab.Problem{Path: "clients", Message: "nobody is named", Hint: "list the addresses of the clients"})
	}
	for i, client := range e.Clients {
		path := fmt.Sprintf("clients[%d]", i)
		a, err := netip.ParseAddr(client)
		switch {
		case err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
			ps = append(ps, lab.Problem{Path: path, Text: client, Message: "is not the address of a machine",
				Hint: "name each client by its IP address: no names, networks or *"})
		case a.String() != client:
			ps = append(ps, lab.Problem{Path: path, Text: client, Message: "is not how the address is written",
				Hint: a.String()})
		case slices.Contains(e.Clients[:i], client):
			ps = append(ps, lab.Problem{Path: path, Text: client, Message: "is listed twice"})
		}
	}
	return ps
}

func (s Share) problems() (ps lab.Problems) {
	if _, err := netip.ParseAddr(s.Server); err != nil && !hostPattern.MatchString(s.Server) {
		ps = append(ps, lab.Problem{Path: "server", Text: s.Server, Message: "is neither an address nor a host name"})
	}
	checkPath(&ps, "path", s.Path)
	checkPath(&ps, "at", s.At)
	if len(ps) == 0 {
		ps = append(ps, s.mount().Validate()...)
	}
	return ps
}

func checkPath(ps *lab.Problems, field, path string) {
	if !pathPattern.MatchString(path) {
		*ps = append(*ps, lab.Problem{Path: field, Text: path,
			Message: "is not a mount point: an absolute path of letters, digits and - _ . /"})
	}
}
