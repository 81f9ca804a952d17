package vaultprov

import "gitea.arcodange.lab/arcodange-org/lab"

// TransitKey is a key of a transit engine, such as the one with which the Vault Secrets Operator encrypts what it
// keeps of its clients. It is never removed: what was encrypted with it could not be read any more.
type TransitKey struct {
	Mount string `yaml:"mount"` // of the engine; empty means "transit"
	Name  string `yaml:"name,required"`

	// Type is the algorithm, which does not change; empty means "aes256-gcm96".
	Type string `yaml:"type"`
}

func (t TransitKey) key() string { return mountOr(t.Mount, DefaultTransit) + "/" + t.Name }

func (t TransitKey) validate() lab.Problems { return validateRoleName("name", t.Name) }

// transitKeys are the keys of transit engines.
func (p *planner) transitKeys() kind {
	k := kind{name: "transit-key", want: map[string]object{},
		place: func(mount string) string { return mount + "/keys" },
		path: func(key string) string {
			mount, name := split(key)
			return mount + "/keys/" + name
		}}
	for _, t := range p.spec.TransitKeys {
		algorithm := t.Type
		if algorithm == "" {
			algorithm = "aes256-gcm96"
		}
		k.want[t.key()] = object{after: []string{"mount:" + mountOr(t.Mount, DefaultTransit)},
			want: fields{"type": algorithm}, fixed: []string{"type"}}
	}
	return k
}
