package stepca

import (
	_ "embed"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// The account that step-ca runs as, and its unit.
const (
	account  = "step"
	unitName = "step-ca.service"
)

// Temporary directories of the creation of the authority.
const (
	stageDir = directory + ".tmp"
	initDir  = "/run/.lab-step-ca"
)

//go:embed step-ca.service
var unitText string

// unitFile returns the unit: hardened as Smallstep's own.
func (c Config) unitFile() host.UnitFile {
	return host.UnitFile{Name: unitName, Content: strings.Replace(unitText, "PROGRAM", c.StepCA.path(serverName), 1)}
}

// Software returns what every machine of the CA has before there is an authority: the account, the
// programs and the unit. It is right when Validate finds nothing.
func (c Config) Software() host.State {
	// The group on its own: an account whose creation was cut off may have none.
	s := host.State{host.Group{Name: account, System: true},
		host.User{Name: account, Group: account, System: true, Home: directory, Comment: "step-ca"}}
	s = append(s, c.Step.resources(clientName)...)
	s = append(s, c.StepCA.resources(serverName)...)
	return append(s, c.unitFile())
}

// initialisation returns the command that makes the authority, see [standing.judge]. It must not be
// part of a state unless that says so.
func (c Config) initialisation(machines []string, passwords map[string]lab.Secret) host.Command {
	var after []string
	for _, r := range c.Software() {
		after = append(after, r.ID())
	}
	return host.Command{
		Order: host.Order{After: after}, Name: "step ca init", Creates: rootFile,
		Run: shell("init", "dir", directory, "stage", stageDir, "work", initDir, "step", c.Step.path(clientName), "title", c.title(),
			"names", strings.Join(c.names(machines), " "), "port", fmt.Sprint(c.port()), "url", c.URL(),
			"provisioner", c.provisioner()),
		Temps: []string{stageDir + "/", initDir + "/"},
		Values: map[string]lab.Secret{
			"root_password": passwords[RootPassword], "intermediate_password": passwords[IntermediatePassword],
			"provisioner_password": passwords[ProvisionerPassword],
		},
	}
}

// authority is what all machines of a CA have the same.
type authority struct {
	root         string // the root certificate, PEM
	intermediate string // the intermediate certificate, PEM
	settings     string // ca.json, as the Config wants it

	sums    map[string]string     // SHA-256 in hex of what is secret, by path
	secrets map[string]lab.Secret // by path; those that every machine has already are not there
	shown   string                // the difference in ca.json
}

// state returns what a machine of the CA should be, once there is an authority: [Config.Software],
// the authority, the running unit, and trust in the root.
func (c Config) state(a authority) host.State {
	s := c.Software()
	for _, d := range []string{"", "/certs", "/config", "/secrets", "/db"} {
		s = append(s, host.Directory{Path: directory + d, Mode: 0o700, Owner: account, Group: account})
	}
	restart := []string{c.unitFile().ID()}
	for _, r := range append(c.Step.resources(clientName), c.StepCA.resources(serverName)...) {
		restart = append(restart, r.ID())
	}
	for _, m := range []material{
		{path: rootFile, sum: sum(a.root), text: a.root},
		{path: intermediateFile, sum: sum(a.intermediate), text: a.intermediate},
		{path: intermediateKeyFile, sum: a.sums[intermediateKeyFile], value: a.secrets[intermediateKeyFile]},
		{path: passwordFile, sum: a.sums[passwordFile], value: a.secrets[passwordFile]},
	} {
		// step-ca does not read the password again when it reloads (github.com/smallstep/certificates/issues/429)
		s, restart = append(s, m), append(restart, m.ID())
	}
	settings := material{path: caJSON, sum: sum(a.settings), text: a.settings, diff: a.shown}
	enabled := true
	unit := host.Unit{Order: host.Order{After: []string{database{}.ID()}}, Name: unitName, Enabled: &enabled,
		State: host.Started, RestartOn: restart, ReloadOn: []string{settings.ID()}}
	s = append(s, settings, database{}, unit, reload{})
	return append(s, c.Trust(a.root)...)
}
