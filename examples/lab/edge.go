package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// EdgeConfig is what the lab has outside of the house. Secrets that are shown once are kept in the Vault, below the KV engine of
// the apps; without a Vault, with the secrets of the stacks.
type EdgeConfig struct {
	Cloudflare *CloudflareConfig `yaml:"cloudflare"` // empty means nothing there

	// Deliver copies secrets that the edge has made to where workflows look for them; empty means none.
	Deliver []DeliverConfig `yaml:"deliver"`
}

// CloudflareConfig is what an account of Cloudflare must have. Its stack is the environment, unless it names another.
type CloudflareConfig struct {
	Account string `yaml:"account,required"` // the ID of the account: 32 hexadecimal digits

	// Token is a reference to an API token of the account that may do what is asked for: it can grant only what it has
	// itself.
	Token lab.SecretRef `yaml:"token,required"`

	cloudflare.Spec `yaml:",inline"`
}

// DeliverConfig is a secret that has a copy in Gitea Actions.
type DeliverConfig struct {
	Secret string `yaml:"secret,required"` // where it is kept: "cms/cloudflare#token"
	To     string `yaml:"to,required"`     // an organization or a repository: "arcodange-org/cms"
	As     string `yaml:"as,required"`     // the name of the secret there: "CLOUDFLARE_API_TOKEN"
}

// edge is what is outside of the house, as a site reaches it.
type edge struct {
	cloudflare func() (cloudflare.Account, error)
	close      func() // of the sandbox
}

// public returns what a client of a cloud may reach: what is public, and not denied. Its server is proved by its certificate, and
// a redirect to another is not followed.
func (l *Lab) public() *lab.Boundary {
	b := &lab.Boundary{Name: l.Environment, Deny: slices.Clone(l.Boundary.Deny)}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		b.Allow = append(b.Allow, netip.MustParsePrefix(all))
	}
	for _, own := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10"} { // RFC 6890
		b.Deny = append(b.Deny, netip.MustParsePrefix(own))
	}
	return b
}

// edge returns what is outside of the house. It is nil when the config has nothing of it.
func (l *Lab) edge() *edge {
	if l.Edge == nil {
		return nil
	}
	e := &edge{close: func() {}}
	if c := l.Edge.Cloudflare; c != nil {
		e.cloudflare = func() (cloudflare.Account, error) {
			token, err := resolveSecret(c.Token, l.dir.ReadFile)
			return cloudflare.Account{ID: c.Account, Token: token, Boundary: l.public()}, err
		}
	}
	return e
}

// sandboxEdge starts the clouds in this process, which are empty.
func (l *Lab) sandboxEdge() (*edge, error) {
	e := &edge{close: func() {}}
	if c := l.Edge.Cloudflare; c != nil {
		fake, err := cloudflaretest.Start(cloudflaretest.Config{Zones: c.given()})
		if err != nil {
			return nil, err
		}
		e.close = func() { _ = fake.Close() } // it ends with the program
		e.cloudflare = func() (cloudflare.Account, error) { return fake.Access(), nil }
	}
	return e, nil
}

// given returns the zones that the account must have before anything is done.
func (c *CloudflareConfig) given() (names []string) {
	created := map[string]bool{"*": true}
	for _, z := range c.Zones {
		if created[z.Name] = z.Create; !z.Create {
			names = append(names, z.Name)
		}
	}
	for _, t := range c.Tokens {
		for _, g := range t.Grants {
			for _, z := range g.Zones {
				if !created[z] && !slices.Contains(names, z) {
					names = append(names, z)
				}
			}
		}
	}
	return names
}

// edgeReferences returns the references of the edge.
func (l *Lab) edgeReferences() (fields []secretField) {
	if l.Edge == nil {
		return nil
	}
	if c := l.Edge.Cloudflare; c != nil {
		fields = append(fields, secretField{"edge.cloudflare.token", c.Token})
	}
	return fields
}

// edgeStages returns the stages of the edge. They come after those that keep their secrets.
func (l *Lab) edgeStages(after []string) (all []stage) {
	if l.Edge == nil {
		return nil
	}
	add := func(name string, problems func() lab.Problems, plan func(*site) pipeline.Planner) {
		all = append(all, stage{name: name, after: after, problems: problems, plan: plan})
	}
	if l.Edge.Cloudflare != nil {
		add(cloudflareStage, l.cloudflareProblems, l.cloudflarePlan)
	}
	if len(l.Edge.Deliver) > 0 {
		for _, st := range all {
			after = append(slices.Clone(after), st.name)
		}
		after = append(after, forgeStage)
		add(deliverStage, l.deliverProblems, l.deliverPlan)
	}
	return all
}

// edgeSink returns where secrets of the edge are kept.
func (l *Lab) edgeSink(ctx context.Context, s *site) (lab.Sink, error) {
	if l.Vault == nil {
		if s.stacks == nil {
			return nowhere{}, nil
		}
		return s.stacks.sink, nil
	}
	server, err := s.vault.loggedIn(ctx)
	mount := vaultprov.DefaultKV
	if l.Vault.KV != "" {
		mount = l.Vault.KV
	}
	return vaultprov.KV{Server: server, Mount: mount}, err
}

// kept reports what is wrong when secrets of a part of the edge can be kept nowhere.
func (l *Lab) kept(place string) (ps lab.Problems) {
	if l.Vault == nil && l.Stacks == nil {
		ps = append(ps, lab.Problem{Path: place, Message: "makes secrets, which need a place", Hint: "write vault, or stacks.secrets"})
	}
	return ps
}

func (l *Lab) cloudflareSpec(sink lab.Sink) cloudflare.Spec {
	s := l.Edge.Cloudflare.Spec
	s.Sink = sink
	if s.Stack == "" {
		s.Stack = l.Environment
	}
	return s
}

func (l *Lab) cloudflareProblems() lab.Problems {
	a := cloudflare.Account{ID: l.Edge.Cloudflare.Account, Token: lab.NewSecret("placeholder")}
	s := l.cloudflareSpec(nowhere{})
	return append(append(a.Validate(), s.Validate()...).Under("edge.cloudflare"), l.kept("edge.cloudflare")...)
}

// cloudflarePlan plans what the account at Cloudflare must have.
func (l *Lab) cloudflarePlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		spec := l.cloudflareSpec(nowhere{})
		if !only.Reaches(spec.IDs()...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		account, err := s.edge.cloudflare()
		if err != nil {
			return nil, err
		}
		if spec.Sink, err = l.edgeSink(ctx, s); err != nil {
			return nil, err
		}
		p, failed := account.Plan(ctx, spec)
		return chosen(p, failed, only)
	}
}

// chosen returns what is selected of a plan that is there beside an error of the rest.
func chosen(p *lab.Plan, failed error, only *pipeline.Selection) (*lab.Plan, error) {
	if p == nil {
		return nil, failed
	}
	p, err := p.Only(only.Globs()...)
	return p, errors.Join(failed, err)
}

func (l *Lab) deliverProblems() (ps lab.Problems) {
	if l.Forge == nil {
		ps = append(ps, lab.Problem{Path: "edge.deliver", Message: "copies to a Gitea that is not there", Hint: "write forge"})
	}
	seen := map[string]int{}
	for i, d := range l.Edge.Deliver {
		at := fmt.Sprintf("edge.deliver[%d]", i)
		if first, twice := seen[d.To+" "+d.As]; twice {
			ps.Add(at+".as", "is the copy of another secret in deliver[%d]", first)
		}
		seen[d.To+" "+d.As] = i
		if d.As == "" || strings.ToUpper(d.As) != d.As {
			ps = append(ps, lab.Problem{Path: at + ".as", Text: d.As, Message: "is not the name of a secret", Hint: "write it in capitals"})
		}
	}
	return append(ps, l.kept("edge.deliver")...)
}

// deliverPlan copies secrets to Gitea Actions.
func (l *Lab) deliverPlan(s *site) pipeline.Planner {
	var own lab.Sink
	if s.stacks != nil {
		own = s.stacks.sink
	}
	return pipeline.Secrets(own, func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
		var ids []string
		for _, d := range l.Edge.Deliver {
			ids = append(ids, "secret:"+d.name(), "deliver/secret:"+d.name())
		}
		if !only.Reaches(ids...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		record, err := l.edgeSink(ctx, s)
		if err != nil {
			return nil, err
		}
		server, err := s.forge.server()
		if err != nil {
			return nil, err
		}
		key, err := k.Secret(ctx, "forge-fingerprints", nil)
		if err != nil {
			return nil, err
		}
		copies := map[string]*forge.ActionsSecrets{}
		var all []forge.Delivery
		for _, d := range l.Edge.Deliver {
			if copies[d.To] == nil {
				copies[d.To] = &forge.ActionsSecrets{Server: server, Of: d.To, Stack: l.Forge.Stack, Key: key}
			}
			all = append(all, forge.Delivery{Name: d.name(),
				Places: []forge.Place{{Sink: record, Name: d.Secret}, {Sink: copies[d.To], Name: d.As}}})
		}
		p, failed := forge.Deliver(ctx, all...)
		return chosen(p, failed, only)
	})
}

// name is what the delivery is called in plans: where the copy is.
func (d DeliverConfig) name() string { return d.To + "/" + d.As }
