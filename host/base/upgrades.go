package base

import (
	"fmt"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// heldBack are never upgraded unattended: the upgrade of one stops every container, and k3s may not know the new one.
var heldBack = []string{"docker-ce", "docker-ce-cli", "docker.io", "containerd.io", "containerd", "runc", "k3s"}

// patternPattern are names of packages, in which * stands for anything.
var patternPattern = regexp.MustCompile(`^[a-z0-9*][a-z0-9+.*-]*$`)

// expression returns the regular expression of a name: unattended-upgrades compares it with the start of a name.
func expression(name string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".*") + "$"
}

// unattendedUpgrades installs security updates every day, and nothing else. apt reads the file after all others of
// other names; #clear (apt.conf(5)) removes what those have listed.
func unattendedUpgrades(holdBack []string) host.State {
	var b strings.Builder
	b.WriteString("#clear Unattended-Upgrade::Origins-Pattern;\n#clear Unattended-Upgrade::Allowed-Origins;\n" +
		"Unattended-Upgrade::Origins-Pattern {\n" +
		"\t\"origin=Debian,codename=${distro_codename},label=Debian-Security\";\n" +
		"\t\"origin=Debian,codename=${distro_codename}-security,label=Debian-Security\";\n};\n" +
		"Unattended-Upgrade::Automatic-Reboot \"false\";\nUnattended-Upgrade::Package-Blacklist {\n")
	for _, name := range append(heldBack[:len(heldBack):len(heldBack)], holdBack...) {
		// in a string of apt.conf a backslash is itself
		fmt.Fprintf(&b, "\t\"%s\";\n", expression(name))
	}
	b.WriteString("};\n")
	const every = "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n"
	enabled := true
	return host.State{
		host.Package{Name: "unattended-upgrades"},
		host.File{Path: "/etc/apt/apt.conf.d/20auto-upgrades", Content: every},
		host.File{Path: upgradesFile, Content: b.String()},
		host.Unit{Name: "apt-daily.timer", Enabled: &enabled, State: host.Started},
		host.Unit{Name: "apt-daily-upgrade.timer", Enabled: &enabled, State: host.Started},
		upgrades{},
	}
}

const upgradesFile = "/etc/apt/apt.conf.d/zz-lab-unattended"

// upgrades refuses a configuration of apt that undoes ours.
type upgrades struct{}

func (upgrades) ID() string             { return "apt:unattended" }
func (upgrades) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (u upgrades) Observe(q *host.Query) {
	q.Path(upgradesFile)
	q.Probe(u.ID(), "apt-config shell reboot "+automaticReboot+"/b enable "+periodicEnable)
}

const automaticReboot, periodicEnable = "Unattended-Upgrade::Automatic-Reboot", "APT::Periodic::Enable"

// Plan implements [host.Resource].
func (u upgrades) Plan(o *host.Observation) ([]host.Op, error) {
	answer := string(o.Probe(u.ID()).Output)
	refuse := func(key, why string) error {
		return &lab.Error{Op: "configure unattended upgrades", Hint: "on the machine: grep -r " + key + " /etc/apt/apt.conf*",
			Err: fmt.Errorf("%w: apt's configuration sets %s, and %s", lab.ErrConflict, key, why)}
	}
	switch {
	case strings.Contains(answer, "enable='0'"):
		return nil, refuse(periodicEnable, "no upgrades are made then")
	case o.Stat(upgradesFile).Type == host.NoFile || o.Pending("file:"+upgradesFile):
		return nil, nil // ours comes after all that is there now
	case strings.Contains(answer, "reboot='true'"):
		return nil, refuse(automaticReboot, "the upgrades reboot the machine then")
	}
	return nil, nil
}
