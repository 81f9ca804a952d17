package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger/ledgertest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// EdgeConfig is what the lab has outside of the house. Secrets that are shown once are kept in the Vault, below the KV engine of
// the apps; without a Vault, with the secrets of the stacks.
type EdgeConfig struct {
	Cloudflare *CloudflareConfig `yaml:"cloudflare"` // empty means nothing there
	OVH        *OVHConfig        `yaml:"ovh"`        // empty means nothing there
	Google     *GoogleConfig     `yaml:"google"`     // empty means nothing there

	Ledger *LedgerConfig `yaml:"ledger"` // what was made of that which can carry no mark; empty: nothing of that is removed
	Backup *BackupConfig `yaml:"backup"` // the bucket of Longhorn's backups; empty means none

	// Deliver copies secrets that the edge has made to where workflows look for them; empty means none.
	Deliver []DeliverConfig `yaml:"deliver"`
}

// edge is what is outside of the house, as a site reaches it.
type edge struct {
	cloudflare func() (cloudflare.Account, error)
	ovh        func() (ovh.Account, error)
	google     func() (gcs.Project, error)
	ledger     func() (*ledger.Ledger, error)
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
	if c := l.Edge.OVH; c != nil {
		e.ovh = func() (ovh.Account, error) {
			a, err := c.account(func(r lab.SecretRef) (lab.Secret, error) { return resolveSecret(r, l.dir.ReadFile) })
			a.Boundary = l.public()
			return a, err
		}
	}
	if c := l.Edge.Google; c != nil {
		e.google = func() (gcs.Project, error) {
			key, err := resolveSecret(c.Key, l.dir.ReadFile)
			return gcs.Project{ID: c.Project, Key: key, Boundary: l.public()}, err
		}
	}
	if l.Edge.Ledger != nil {
		e.ledger = func() (*ledger.Ledger, error) {
			project, err := e.google()
			led := l.ledger()
			led.Token, led.Boundary = project.Tokens(), l.public()
			return led, err
		}
	}
	return e
}

// sandboxEdge starts the clouds in this process. They have the zones and the domains that are not created, and nothing else.
func (l *Lab) sandboxEdge() (*edge, error) {
	var closers []func() error
	e := &edge{close: func() {
		for _, c := range closers {
			_ = c() // they end with the program
		}
	}}
	if l.Edge.Cloudflare != nil {
		fake, err := cloudflaretest.Start(cloudflaretest.Config{Zones: l.givenZones()})
		if err != nil {
			return nil, err
		}
		closers = append(closers, fake.Close)
		e.cloudflare = func() (cloudflare.Account, error) { return fake.Access(), nil }
	}
	if c := l.Edge.OVH; c != nil {
		fake, err := ovhtest.Start(ovhtest.Config{})
		if err != nil {
			e.close()
			return nil, err
		}
		closers = append(closers, fake.Close)
		for _, z := range c.Zones {
			fake.AddZone(z.Name)
		}
		for _, d := range l.dummyOVH().Delegations {
			fake.AddZone(d.Domain)
			fake.AddDomain(d.Domain, "dns10.ovh.net", "ns10.ovh.net")
		}
		e.ovh = func() (ovh.Account, error) { return fake.Access(), nil }
	}
	if l.Edge.Google != nil {
		fake, err := gcstest.Start(gcstest.Config{})
		if err != nil {
			e.close()
			return nil, err
		}
		closers = append(closers, fake.Close)
		e.google = func() (gcs.Project, error) { return fake.Access(), nil }
	}
	if l.Edge.Ledger != nil {
		fake, err := ledgertest.Start()
		if err != nil {
			e.close()
			return nil, err
		}
		closers = append(closers, fake.Close)
		e.ledger = func() (*ledger.Ledger, error) {
			led, own := l.ledger(), fake.Ledger(lab.Instance{}, "")
			led.Address, led.Bucket, led.Token = own.Address, own.Bucket, own.Token
			return led, nil
		}
	}
	return e, nil
}

// edgeReferences returns the references of the edge.
func (l *Lab) edgeReferences() (fields []secretField) {
	if l.Edge == nil {
		return nil
	}
	if c := l.Edge.Cloudflare; c != nil {
		fields = append(fields, secretField{"edge.cloudflare.token", c.Token})
	}
	if c := l.Edge.OVH; c != nil {
		fields = append(fields, c.references()...)
	}
	if c := l.Edge.Google; c != nil {
		fields = append(fields, secretField{"edge.google.key", c.Key})
	}
	return fields
}

// edgeStages returns the stages of the edge. They come after those that keep their secrets; Google first, where the ledger is, and
// the name servers of domains when they serve what they should.
func (l *Lab) edgeStages(after []string) (all []stage) {
	if l.Edge == nil {
		return nil
	}
	add := func(name string, problems func() lab.Problems, plan func(*site) pipeline.Planner, more ...string) {
		all = append(all, stage{name: name, after: slices.Concat(after, more), problems: problems, plan: plan})
	}
	var recorded []string
	if l.Edge.Google != nil {
		add(googleStage, l.googleProblems, l.googlePlan)
		if l.Edge.Ledger != nil {
			recorded = []string{googleStage}
		}
	}
	if l.Edge.Cloudflare != nil {
		add(cloudflareStage, func() lab.Problems { return append(l.cloudflareProblems(), l.ledgerProblems()...) }, l.cloudflarePlan, recorded...)
	}
	if l.Edge.OVH != nil {
		before := slices.Clone(recorded)
		if l.Edge.Cloudflare != nil && len(l.Edge.OVH.Delegate) > 0 {
			before = append(before, cloudflareStage)
		}
		add(ovhStage, func() lab.Problems { return append(l.ovhProblems(), l.ledgerProblems()...) }, l.ovhPlan, before...)
	}
	var clouds []string
	for _, st := range all {
		clouds = append(clouds, st.name)
	}
	if len(l.Edge.Deliver) > 0 {
		add(deliverStage, l.deliverProblems, l.deliverPlan, append(clouds, forgeStage)...)
	}
	if l.Edge.Backup != nil {
		add(backupStage, l.backupProblems, l.backupPlan, googleStage, clusterStage)
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

// chosen returns what is selected of a plan that is there beside an error of the rest.
func chosen(p *lab.Plan, failed error, only *pipeline.Selection) (*lab.Plan, error) {
	if p == nil {
		return nil, failed
	}
	p, err := p.Only(only.Globs()...)
	return p, errors.Join(failed, err)
}
