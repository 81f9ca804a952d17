package k3s

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// settings returns the options of a machine's config.yaml. join is the URL of the server that it joins; empty for the
// server that makes the cluster.
func (c Config) settings(name, join string) map[string]any {
	s := map[string]any{"token-file": tokenFile}
	list := func(option string, values []string) {
		if len(values) > 0 {
			s[option] = values
		}
	}
	if c.Docker {
		s["docker"] = true
	}
	if c.DataDir != "" {
		s["data-dir"] = c.DataDir
	}
	if len(c.Nameservers) > 0 {
		s["resolv-conf"] = resolvConf
	}
	maps.Copy(s, c.Options)
	switch {
	case c.server(name):
		s["agent-token-file"] = agentToken
		s["write-kubeconfig-mode"] = "0600"
		list("disable", c.Disable)
		list("tls-san", append([]string{c.Address}, c.TLSSANs...))
		if c.SecretsEncryption {
			s["secrets-encryption"] = true
		}
		if join != "" {
			s["server"] = join
		} else if len(c.Servers) > 1 {
			s["cluster-init"] = true
		}
		maps.Copy(s, c.ServerOptions)
	default:
		s["server"] = join
	}
	n := c.Nodes[name]
	if n.Address != "" {
		s["node-ip"] = n.Address
	}
	list("node-label", n.Labels)
	list("node-taint", n.Taints)
	maps.Copy(s, n.Options)
	return s
}

// settings is config.yaml, 0600: what is in it says much of the cluster. It holds no secret, so that its plan shows
// a difference.
type settings struct{ host.File }

func (c Config) settingsResource(name, join string) settings {
	text, err := yaml.Marshal(c.settings(name, join))
	if err != nil {
		panic(err) // checkOptions has marshalled it
	}
	return settings{host.File{Path: settingsFile, Content: string(text), Mode: 0o600}}
}

// Bind implements [host.Binder].
func (s settings) Bind(w *host.Whole) host.Resource { return settings{s.File.Bind(w).(host.File)} }

// Load implements [host.Loader].
func (s settings) Load() (host.Resource, error) { return s, nil }

// Resolve implements [host.Resolver].
func (s settings) Resolve(func(string, lab.SecretRef) lab.Secret) host.Resource { return s }

// From implements [host.Relative].
func (s settings) From(string) host.Resource { return s }

// Plan implements [host.Resource].
func (s settings) Plan(o *host.Observation) ([]host.Op, error) {
	ops, err := s.File.Plan(o)
	have, _ := o.Shown(settingsFile)
	for i := range ops {
		if ops[i].Payload != nil && !holdsSecret(string(have)) {
			ops[i].Diff += lab.Diff(settingsFile, have, []byte(s.Content))
		}
	}
	return ops, err
}

// holdsSecret reports whether a config.yaml, as somebody else has written it, may have a secret in it.
func holdsSecret(text string) bool {
	options, err := readSettings(text)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(secretFlags, func(name string) bool { _, ok := options[name]; return ok })
}

// readSettings reads a config.yaml.
func readSettings(text string) (map[string]any, error) {
	s := map[string]any{}
	err := yaml.Unmarshal([]byte(text), &s)
	return s, err
}

// checkOptions returns what is wrong with the options that the Config passes on.
func (c Config) checkOptions() (ps lab.Problems) {
	check := func(at string, options map[string]any, known []string) {
		for _, name := range slices.Sorted(maps.Keys(options)) {
			p := lab.Problem{Path: at + "." + name, Text: name}
			base := strings.TrimSuffix(name, "+") // "+" appends to what an earlier file has (docs.k3s.io/installation/configuration)
			field, own := ownFlags[base]
			switch {
			case slices.Contains(secretFlags, base):
				p.Message = "is a secret, which everybody who reads the config could see"
				p.Hint = "put it into a file on the machine, or into Kubernetes"
			case own && field == "":
				p.Message = "is set by this program"
			case own:
				p.Message, p.Hint = "has a field of its own", "use "+field
			case !slices.Contains(known, base):
				p.Message = "is not an option of k3s on these nodes"
				if slices.Contains(serverFlags, base) {
					p.Hint = "put it under serverOptions"
				} else if near := nearest(base, known); near != "" {
					p.Hint = "perhaps " + near
				}
			case base != name:
				p.Message, p.Hint = "ends in +: there is one file only", "write "+base
			default:
				if _, err := yaml.Marshal(map[string]any{name: options[name]}); err == nil {
					continue
				}
				p.Message = "cannot be written as YAML"
			}
			ps = append(ps, p)
		}
	}
	check("options", c.Options, nodeFlags)
	all := slices.Concat(nodeFlags, serverFlags)
	check("serverOptions", c.ServerOptions, all)
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		known := nodeFlags
		if c.server(name) {
			known = all
		}
		check("nodes."+name+".options", c.Nodes[name].Options, known)
	}
	return ps
}

// nearest returns the name that an unknown one is a misspelling of; empty if there is none.
func nearest(name string, known []string) (best string) {
	least := 4 // letters
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance returns how many letters must be inserted, removed or replaced to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// given returns what a node has for an option that cannot be changed, as text: that of its config.yaml or of its command
// line, or the default.
func given(options map[string]any, name string) string {
	v, ok := options[name]
	if !ok {
		return fixedFlags[name]
	}
	if list, ok := v.([]any); ok {
		var words []string
		for _, w := range list {
			words = append(words, fmt.Sprint(w))
		}
		return strings.Join(words, ",")
	}
	return fmt.Sprint(v)
}
