package main

import (
	"context"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
)

// CloudflareConfig is what an account of Cloudflare must have. Its stack is the environment, unless it names another.
type CloudflareConfig struct {
	Account string `yaml:"account,required"` // the ID of the account: 32 hexadecimal digits

	// Token is a reference to an API token of the account that may do what is asked for: it can grant only what it has
	// itself.
	Token lab.SecretRef `yaml:"token,required"`

	Sites []cloudflare.Site `yaml:"sites"` // what web sites need, beside the rest; empty means none

	cloudflare.Spec `yaml:",inline"`
}

// givenZones returns the zones that the account must have before anything is done.
func (l *Lab) givenZones() (names []string) {
	s := l.cloudflareSpec(nowhere{})
	created := map[string]bool{"*": true}
	for _, z := range s.Zones {
		if created[z.Name] = z.Create; !z.Create {
			names = append(names, z.Name)
		}
	}
	for _, t := range s.Tokens {
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

// cloudflareSpec returns what the account must have, for the sites too.
func (l *Lab) cloudflareSpec(sink lab.Sink) cloudflare.Spec {
	s := l.Edge.Cloudflare.Spec
	for _, site := range l.Edge.Cloudflare.Sites {
		more := site.Spec()
		s.Buckets, s.Tokens = slices.Concat(s.Buckets, more.Buckets), slices.Concat(s.Tokens, more.Tokens)
		s.Zones, s.Tunnels = slices.Concat(s.Zones, more.Zones), slices.Concat(s.Tunnels, more.Tunnels)
		s.Pages, s.Widgets = slices.Concat(s.Pages, more.Pages), slices.Concat(s.Widgets, more.Widgets)
	}
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
		return l.recorded(ctx, s, func(owned func(string) bool) (*lab.Plan, []string, bool, error) {
			spec.Owned = owned
			p, err := account.Plan(ctx, spec)
			p, err = chosen(p, err, only)
			return p, spec.IDs(), spec.Prune && len(only.Globs()) == 0, err
		})
	}
}
