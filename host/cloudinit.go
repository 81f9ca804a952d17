package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const hostsFile = "/etc/hosts"

// cloudHosts keeps cloud-init from writing /etc/hosts at every boot, where a state has lines in it
// (https://docs.cloud-init.io, module "Update Etc Hosts"). A user-data file has precedence over all other
// configuration: if it is that which says so, a person must change it.
type cloudHosts struct{}

// cloudHostsFile is read after the other configuration files of cloud-init.
const cloudHostsFile = "/etc/cloud/cloud.cfg.d/99-zz-lab-hosts.cfg"

func (cloudHosts) ID() string { return "cloudinit:hosts" }

func (cloudHosts) Validate() lab.Problems { return nil }

func (cloudHosts) Merge(other Resource) (Resource, bool) {
	_, ok := other.(cloudHosts)
	return cloudHosts{}, ok
}

func (c cloudHosts) file() File {
	return File{Path: cloudHostsFile, Content: "manage_etc_hosts: false\n"}
}

func (c cloudHosts) Observe(q *Query) {
	q.Probe(c.ID(), shell("cloud-hosts"))
	c.file().Observe(q)
}

func (c cloudHosts) Plan(o *Observation) ([]Op, error) {
	config, userData := "", ""
	for line := range strings.Lines(string(o.Probe(c.ID()).Output)) {
		file, setting, _ := strings.Cut(strings.TrimSpace(line), ":")
		_, value, _ := strings.Cut(setting, ":")
		value, _, _ = strings.Cut(value, "#")
		value = strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`))
		manages := file
		if slices.Contains([]string{"", "false", "no", "off", "~", "null"}, value) {
			manages = ""
		}
		if strings.HasPrefix(file, "/etc/cloud/") {
			config = manages
		} else {
			config, userData = "", manages
		}
	}
	if userData != "" {
		return nil, &lab.Error{Op: "keep /etc/hosts", Hint: "set manage_etc_hosts: false in " + userData,
			Err: fmt.Errorf("%w: cloud-init writes /etc/hosts at every boot, as %s says", lab.ErrConflict, userData)}
	}
	if config == "" {
		return nil, nil
	}
	ops, err := c.file().Plan(o)
	for i := range ops {
		ops[i].Cause = "cloud-init writes /etc/hosts at every boot, as " + lab.Printable(config) + " says"
	}
	return ops, err
}

// Implies implements [Implier]: the name of the machine is in /etc/hosts.
func (Hostname) Implies() []Resource { return []Resource{cloudHosts{}} }

// Implies implements [Implier].
func (l Line) Implies() []Resource { return implyHosts(l.Path) }

// Implies implements [Implier].
func (b Block) Implies() []Resource { return implyHosts(b.Path) }

func implyHosts(file string) []Resource {
	if file == hostsFile {
		return []Resource{cloudHosts{}}
	}
	return nil
}
