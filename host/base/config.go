package base

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Config is the base of a machine, the same for all machines. The zero Config gives a machine its
// name, the names of its peers and a patient apt, and leaves everything else as it is.
type Config struct {
	Timezone string `yaml:"timezone"` // "Europe/Paris"; empty leaves it

	// NTP are time servers, at least one of them by its IP address: names need DNS, which may need
	// the machines. A chrony that is installed gets them, and otherwise systemd-timesyncd. Empty leaves them.
	NTP []string `yaml:"ntp"`

	Packages []string          `yaml:"packages"` // installed everywhere; empty means none
	Users    []host.User       `yaml:"users"`    // accounts; empty means none
	Keys     []string          `yaml:"keys"`     // public keys that may log in as the SSH user; others are left
	Sysctl   map[string]string `yaml:"sysctl"`   // kernel parameters; others are left
	Modules  []string          `yaml:"modules"`  // kernel modules; others are left
	Cgroups  bool              `yaml:"cgroups"`  // the memory controller on Raspberry Pis, which k3s needs
	NoSwap   bool              `yaml:"noSwap"`   // no swap, which the kubelet does not like

	Journal Journal `yaml:"journal"` // limits of systemd's journal; the zero Journal leaves them

	Unattended bool `yaml:"unattended"` // install security updates every day, without rebooting

	// HoldBack are packages that unattended upgrades leave alone, besides those of Docker, containerd, runc and k3s: names,
	// in which * stands for anything. Empty means none.
	HoldBack []string `yaml:"holdBack"`

	Reboot bool `yaml:"reboot"` // reboot a machine that needs it
}

// Validate returns everything that is wrong with the Config. Paths name its fields: "packages[1]",
// "users[0].name".
func (c Config) Validate() (ps lab.Problems) {
	first := map[string]string{} // path by the ID of a resource
	for _, p := range c.parts(Machine{Name: "machine", User: "user"}) {
		ps = append(ps, p.problems()...)
		if other, ok := first[p.resource.ID()]; ok {
			ps = append(ps, lab.Problem{Path: p.path, Text: p.resource.ID(), Message: "the same as " + other,
				Hint: "remove one of them"})
		}
		first[p.resource.ID()] = p.path
	}
	ps = append(ps, c.Journal.Validate().Under("journal")...)
	for i, name := range c.HoldBack {
		if !patternPattern.MatchString(name) {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("holdBack[%d]", i), Text: name, Message: "is not the name of a package",
				Hint: "letters a-z, digits and + - ., and * for anything"})
		}
	}
	for i, server := range c.NTP {
		if !serverPattern.MatchString(server) {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("ntp[%d]", i), Text: server, Message: "is not a name or an IP address"})
		}
	}
	if len(c.HoldBack) > 0 && !c.Unattended {
		ps = append(ps, lab.Problem{Path: "holdBack", Message: "has no effect without unattended",
			Hint: "set unattended: true, or remove it"})
	}
	if len(c.NTP) > 0 && !slices.ContainsFunc(c.NTP, isIP) {
		ps = append(ps, lab.Problem{Path: "ntp", Hint: "add the router's",
			Message: "no server is named by its IP address: after a power cut there may be no DNS before there is the right time"})
	}
	return ps
}

var serverPattern = regexp.MustCompile(`^[A-Za-z0-9.:-]+$`)

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
