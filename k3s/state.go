package k3s

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// tokens are the secrets of a cluster, and the hash of its CA; empty while there is none.
type tokens struct {
	server, agent lab.Secret
	caHash        string

	// join is the URL of the server that the first one has joined, or is to join, since it lost what it had. Empty means
	// that it makes the cluster, or made it.
	join string
}

// joins returns the URL of the server that a machine joins; empty for the server that makes the cluster.
func (t tokens) joins(c Config, name string) string {
	if name == c.founder() {
		return t.join
	}
	return c.url()
}

// file returns the token file of a machine. The server that makes the cluster has the password alone: there is no CA yet.
func (t tokens) file(c Config, name string) lab.Secret {
	switch {
	case t.joins(c, name) == "":
		return lab.NewSecret(password(t.server.Reveal()) + "\n")
	case c.server(name):
		return lab.NewSecret(pinned(t.caHash, "server", t.server).Reveal() + "\n")
	}
	return lab.NewSecret(pinned(t.caHash, "node", t.agent).Reveal() + "\n")
}

// resource returns what brings the program to a machine.
func (b Binary) resource() host.Resource {
	if b.URL != "" {
		return host.Download{Path: program, URL: b.URL, SHA256: b.SHA256}
	}
	return host.File{Path: program, Source: b.Source, Mode: 0o755}
}

// software returns what a machine has before it is a node: the program and its other names.
func (c Config) software(arch string) host.State {
	s := host.State{c.Binaries[arch].resource()}
	for _, name := range []string{"kubectl", "crictl", "ctr"} {
		// As the installer does: what is there already is left.
		s = append(s, host.Command{Order: host.Order{After: []string{s[0].ID()}}, Name: "link " + name,
			Creates: "/usr/local/bin/" + name, Run: "ln -s k3s /usr/local/bin/" + name})
	}
	return s
}

// configuration returns what a node reads at its start.
func (c Config) configuration(name string, t tokens) host.State {
	s := host.State{host.Directory{Path: etc}, host.File{Path: tokenFile, Value: t.file(c, name)}}
	if c.server(name) {
		s = append(s, host.File{Path: agentToken, Value: lab.NewSecret(password(t.agent.Reveal()) + "\n")})
	}
	s = append(s, c.settingsResource(name, t.joins(c, name)))
	s = append(s, c.registries()...)
	return append(s, c.unitFile(name), c.dropIn(name),
		// What the installer was given as K3S_TOKEN or K3S_URL would override config.yaml.
		host.File{Path: "/etc/systemd/system/" + c.unit(name) + ".service.env", Absent: true})
}

// state returns what a machine of the cluster should be. stale is the run of its unit that must end, empty for none.
func (c Config) state(name, arch string, t tokens, stale string) host.State {
	software, configuration := c.software(arch), c.configuration(name, t)
	var restart []string
	for _, r := range append(host.State{software[0]}, configuration...) {
		if _, dir := r.(host.Directory); !dir {
			restart = append(restart, r.ID())
		}
	}
	s := append(software, configuration...)
	after := []string{}
	if len(c.Nameservers) > 0 {
		text := "# Of the pods, and of CoreDNS.\n"
		for _, ns := range c.Nameservers {
			text += "nameserver " + ns + "\n"
		}
		f := host.File{Path: resolvConf, Content: text}
		s, after = append(s, f), append(after, f.ID()) // read when a pod starts, not when k3s does
	}
	if len(c.Images) > 0 && !c.Docker {
		s = append(s, host.Directory{Path: c.dataDir() + "/agent/images"})
	}
	for _, m := range c.Images {
		r := m.resource(c)
		s, after = append(s, r), append(after, r.ID())
	}
	enabled := true
	unit := host.Unit{Order: host.Order{After: after}, Name: c.unit(name) + ".service", Enabled: &enabled,
		State: host.Started, RestartOn: restart}
	return append(s, unit, succeeded{unit: unit, invocation: stale})
}

// check returns what is wrong with the local files that are sent.
func (c Config) checkSources(arches map[string]bool) (ps lab.Problems) {
	for arch := range arches {
		b, ok := c.Binaries[arch]
		if !ok {
			ps = append(ps, lab.Problem{Path: "binaries." + arch, Message: "is missing, and a machine has this architecture"})
			continue
		}
		if b.Source == "" {
			continue
		}
		got, err := fileSum(b.Source)
		switch {
		case err != nil:
			ps = append(ps, lab.Problem{Path: "binaries." + arch + ".source", Text: b.Source, Message: err.Error()})
		case got != b.SHA256:
			ps = append(ps, lab.Problem{Path: "binaries." + arch + ".source", Text: b.Source,
				Message: fmt.Sprintf("has the SHA-256 %s", got), Hint: "download the release again, or correct sha256"})
		}
	}
	return ps
}

// Resolve returns the Config with the passwords of its registries, as read returns them, or [lab.Problems] that name every
// one that cannot be read.
func (c Config) Resolve(read func(lab.SecretRef) (lab.Secret, error)) (Config, error) {
	var ps lab.Problems
	registries := slices.Clone(c.Registries)
	for i, r := range registries {
		if r.Password.IsZero() {
			continue
		}
		s, err := read(r.Password)
		if err != nil {
			ps.AddError(fmt.Sprintf("registries[%d].password", i), err)
		}
		registries[i].Value = s
	}
	c.Registries = registries
	return c, ps.Err()
}
