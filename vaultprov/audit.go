package vaultprov

import (
	"context"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Audit is an audit device. Vault answers no request that it can write to none of them: give it two, or one that does
// not fill up. A device cannot be changed: what another key hashes could not be compared any more.
type Audit struct {
	Path        string            `yaml:"path,required"` // its name: "file"
	Type        string            `yaml:"type,required"` // "file", "syslog" or "socket"
	Description string            `yaml:"description"`
	Options     map[string]string `yaml:"options"` // such as file_path
}

func (a Audit) validate() (ps lab.Problems) {
	ps = append(ps, validateMount("path", a.Path)...)
	switch a.Type {
	case "file":
		if a.Options["file_path"] == "" {
			ps.Add("options.file_path", "empty: name the file, or stdout")
		}
	case "syslog", "socket":
	default:
		ps.Add("type", "%q is none of file, syslog and socket", a.Type)
	}
	return ps
}

// audits are the audit devices, all read at once. While Vault enables one, it answers other requests with status 500,
// some of them after they were done.
func (p *planner) audits() kind {
	k := kind{name: "audit", want: map[string]object{}, prunes: true, loss: lab.RiskDisrupt, alone: true,
		path: func(key string) string { return "sys/audit/" + key }}
	k.all = func(ctx context.Context) (map[string]map[string]any, error) {
		var answer map[string]map[string]any
		err := p.client.read(ctx, "sys/audit", &answer)
		all := map[string]map[string]any{}
		for key, has := range answer {
			all[strings.TrimSuffix(key, "/")] = has
		}
		return all, err
	}
	for _, a := range p.spec.Audits {
		k.want[strings.Trim(a.Path, "/")] = object{want: fields{"type": a.Type, "description": a.Description,
			"options": a.Options}, fixed: []string{"type", "description", "options"}}
	}
	return k
}
