package main

import (
	"context"
	"net/url"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
)

// ForgeConfig is what the lab's Gitea must have.
type ForgeConfig struct {
	Address string `yaml:"address,required"` // its ROOT_URL: "https://gitea.arcodange.lab"
	CA      string `yaml:"ca"`               // certificates in PEM that it is trusted by; empty means those of this machine

	// Token is a reference to an access token of a site administrator. That of the stack's administrator is made on its
	// machine: docker exec gitea-gitea-1 gitea admin user generate-access-token --username NAME --scopes all --raw
	Token lab.SecretRef `yaml:"token,required"`

	Identity string `yaml:"identity"` // the ID of a key that the server must have; empty means any

	forge.Spec `yaml:",inline"`
}

// gitea is a Gitea as a site reaches it.
type gitea struct {
	server func() (*forge.Server, error)
	issuer string       // whose id_tokens it signs
	close  func() error // of the sandbox's; nil if there is nothing to close
}

// forgeProblems returns what is wrong with what Gitea must have, at places in the document.
func (l *Lab) forgeProblems() (ps lab.Problems) {
	c := l.Forge
	server := forge.Server{Address: c.Address, CA: c.CA, Token: lab.NewSecret("placeholder")}
	ps = append(ps, problemsOf(server.Validate())...)
	spec := c.dummy()
	ps = append(ps, spec.Validate()...).Under("forge")
	if u, err := url.Parse(c.Address); err == nil && outside(l.boundary(), u.Hostname(), portOf(u)) {
		ps = append(ps, lab.Problem{Path: "forge.address", Text: c.Address, Message: "is outside of the boundary",
			Hint: "add its network to boundary.allow, if it belongs to the environment"})
	}
	return ps
}

// dummy returns the spec with a value for each of its references, to validate with.
func (c *ForgeConfig) dummy() forge.Spec {
	spec, _ := c.Spec.Resolve(func(string) (string, bool) { return "placeholder", true },
		func(string) ([]byte, error) { return []byte("placeholder"), nil }) // it cannot fail
	spec.Key, spec.Sink = lab.NewSecret("placeholder of 32 bytes, or of more"), nowhere{}
	return spec
}

// forgeReferences returns which of the secrets that Gitea gets cannot be read.
func (l *Lab) forgeReferences() lab.Problems {
	if l.Forge == nil {
		return nil
	}
	_, err := l.Forge.Spec.Resolve(os.LookupEnv, l.dir.ReadFile)
	return problemsOf(err).Under("forge")
}

// gitea returns the Gitea of the config. It is nil when there is none.
func (l *Lab) gitea() *gitea {
	c := l.Forge
	if c == nil {
		return nil
	}
	return &gitea{issuer: c.Address, server: func() (*forge.Server, error) {
		s := &forge.Server{Address: c.Address, CA: c.CA, Identity: c.Identity, Boundary: l.boundary()}
		var err error
		s.Token, err = c.Token.Resolve(os.LookupEnv, l.dir.ReadFile)
		return s, err
	}}
}

// forgePlan plans what Gitea must have.
func (l *Lab) forgePlan(s *site) pipeline.Planner {
	var sink lab.Sink
	if s.stacks != nil {
		sink = s.stacks.sink
	}
	return pipeline.Secrets(sink, func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
		spec := l.Forge.dummy()
		if !only.Reaches(spec.IDs()...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		spec, err := l.forgeSecrets(ctx, s, k)
		if err != nil {
			return nil, err
		}
		server, err := s.forge.server()
		if err != nil {
			return nil, err
		}
		p, failed := server.Plan(ctx, spec)
		return chosen(p, failed, only)
	})
}

// forgeSecrets returns what Gitea must have, with the secrets. Those of the sandbox are placeholders.
func (l *Lab) forgeSecrets(ctx context.Context, s *site, k *lab.Keyring) (forge.Spec, error) {
	spec, err := l.Forge.dummy(), error(nil)
	if s.forge.close == nil {
		if spec, err = l.Forge.Spec.Resolve(os.LookupEnv, l.dir.ReadFile); err != nil {
			return spec, l.locate(at("forge", err))
		}
	}
	if s.stacks != nil {
		spec.Sink = s.stacks.sink
	}
	spec.Key, err = k.Secret(ctx, "forge-fingerprints", nil)
	return spec, err
}

// shut ends what a run has with servers.
func (s *site) shut() {
	if s.vault != nil {
		_ = s.vault.shut(context.Background()) // a token of root that could not be revoked is reported by the next run's audit
	}
	if s.forge != nil && s.forge.close != nil {
		_ = s.forge.close() // it ends with the program
	}
}

// sandboxGitea starts a Gitea in this process.
func sandboxGitea() (*gitea, error) {
	fake, err := forgetest.Start(forgetest.Config{})
	if err != nil {
		return nil, err
	}
	server := fake.Access()
	return &gitea{issuer: fake.URL(), close: fake.Close,
		server: func() (*forge.Server, error) { return &server, nil }}, nil
}
