package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
)

// OVHConfig is what an account of OVH must have. It is logged in to as an OAuth2 client, or with the three keys of an application.
// Its stack is the environment, unless it names another.
type OVHConfig struct {
	ClientID     string        `yaml:"clientID"`     // of an OAuth2 client; empty means that an application logs in
	ClientSecret lab.SecretRef `yaml:"clientSecret"` // a reference to the client's secret

	ApplicationKey    string        `yaml:"applicationKey"`    // of an application; empty means that an OAuth2 client logs in
	ApplicationSecret lab.SecretRef `yaml:"applicationSecret"` // a reference to the application's secret
	ConsumerKey       lab.SecretRef `yaml:"consumerKey"`       // a reference to the consumer key

	// Delegate are domains whose name servers become those of their zones at Cloudflare, once each record that OVH serves is
	// there; empty means none.
	Delegate []string `yaml:"delegate"`

	// Backups is a directory that gets a zone as text before its records are changed; empty means that nobody does.
	Backups string `yaml:"backups"`

	ovh.Spec `yaml:",inline"`
}

// account returns how the account is reached, with the secrets that read returns.
func (c *OVHConfig) account(read func(lab.SecretRef) (lab.Secret, error)) (ovh.Account, error) {
	a := ovh.Account{ClientID: c.ClientID, ApplicationKey: c.ApplicationKey}
	var errs [3]error
	a.ClientSecret, errs[0] = read(c.ClientSecret)
	a.ApplicationSecret, errs[1] = read(c.ApplicationSecret)
	a.ConsumerKey, errs[2] = read(c.ConsumerKey)
	return a, errors.Join(errs[:]...)
}

// references returns the references to the secrets that it is logged in with.
func (c *OVHConfig) references() (fields []secretField) {
	for _, f := range []secretField{{"edge.ovh.clientSecret", c.ClientSecret}, {"edge.ovh.applicationSecret", c.ApplicationSecret},
		{"edge.ovh.consumerKey", c.ConsumerKey}} {
		if !f.ref.IsZero() {
			fields = append(fields, f)
		}
	}
	return fields
}

// ovhSpec returns what the account must have. servers and other are of the zones at Cloudflare.
func (l *Lab) ovhSpec(sink lab.Sink, servers func(domain string) []string,
	other func(ctx context.Context, domain string) ([]ovh.Record, error)) ovh.Spec {
	c := l.Edge.OVH
	s := c.Spec
	s.Sink = sink
	if s.Stack == "" {
		s.Stack = l.Environment
	}
	s.Delegations = slices.Clone(s.Delegations)
	for _, domain := range c.Delegate {
		s.Delegations = append(s.Delegations, ovh.Delegation{Domain: domain, NameServers: servers(domain),
			Other: func(ctx context.Context) ([]ovh.Record, error) { return other(ctx, domain) }})
	}
	if c.Backups != "" {
		s.Backup = l.backupZone
	}
	return s
}

// dummyOVH is the spec to validate, and to know the IDs by.
func (l *Lab) dummyOVH() ovh.Spec {
	return l.ovhSpec(nowhere{}, func(string) []string { return []string{"a.ns.example.", "b.ns.example."} }, nil)
}

// backupZone writes a zone as text into the directory of backups.
func (l *Lab) backupZone(_ context.Context, zone, text string) error {
	dir, err := l.dir.Path(l.Edge.OVH.Backups)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, zone+"-"+time.Now().UTC().Format("20060102T150405.000Z")+".zone")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &lab.Error{Op: "back up zone", Target: zone, Path: dir, Err: err}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return &lab.Error{Op: "back up zone", Target: zone, Path: file, Err: err}
	}
	return nil
}

func (l *Lab) ovhProblems() (ps lab.Problems) {
	c := l.Edge.OVH
	a, _ := c.account(func(r lab.SecretRef) (lab.Secret, error) {
		if r.IsZero() {
			return lab.Secret{}, nil
		}
		return lab.NewSecret("placeholder"), nil
	})
	s := l.dummyOVH()
	ps = append(ps, append(a.Validate(), s.Validate()...).Under("edge.ovh")...)
	if len(s.Clients) > 0 {
		ps = append(ps, l.kept("edge.ovh")...)
	}
	for i, d := range c.Delegate {
		at := fmt.Sprintf("edge.ovh.delegate[%d]", i)
		cf := l.Edge.Cloudflare
		if cf == nil || !slices.ContainsFunc(l.cloudflareSpec(nowhere{}).Zones, func(z cloudflare.Zone) bool { return z.Name == d }) {
			ps = append(ps, lab.Problem{Path: at, Text: d, Message: "is no zone of edge.cloudflare",
				Hint: "name it there, or write a delegation with its name servers"})
		}
	}
	return ps
}

// ovhPlan plans what the account at OVH must have.
func (l *Lab) ovhPlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		if spec := l.dummyOVH(); !only.Reaches(spec.IDs()...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		account, err := s.edge.ovh()
		if err != nil {
			return nil, err
		}
		sink, err := l.edgeSink(ctx, s)
		if err != nil {
			return nil, err
		}
		servers, other := map[string][]string{}, map[string][]ovh.Record{}
		for _, domain := range l.Edge.OVH.Delegate {
			if servers[domain], other[domain], err = atCloudflare(ctx, s, domain); err != nil {
				return nil, err
			}
		}
		spec := l.ovhSpec(sink, func(domain string) []string { return servers[domain] },
			func(_ context.Context, domain string) ([]ovh.Record, error) { return other[domain], nil })
		return l.recorded(ctx, s, func(owned func(string) bool) (*lab.Plan, []string, bool, error) {
			spec.Owned = owned
			p, err := account.Plan(ctx, spec)
			p, err = chosen(p, err, only)
			return p, spec.IDs(), spec.Prune && len(only.Globs()) == 0, err
		})
	}
}

// atCloudflare returns the name servers of a zone at Cloudflare, and what they serve.
func atCloudflare(ctx context.Context, s *site, domain string) (servers []string, all []ovh.Record, err error) {
	account, err := s.edge.cloudflare()
	if err != nil {
		return nil, nil, err
	}
	if servers, err = account.NameServers(ctx, domain); err != nil {
		return nil, nil, err
	}
	records, err := account.Records(ctx, domain)
	for _, r := range records {
		name := strings.TrimSuffix(strings.TrimSuffix(r.Name, domain), ".")
		all = append(all, ovh.Record{Type: r.Type, Name: name, Targets: []string{r.Content}, TTL: r.TTL})
	}
	return servers, all, err
}
