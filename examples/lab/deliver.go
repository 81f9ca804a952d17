package main

import (
	"context"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
)

// DeliverConfig is a secret that has a copy in Gitea Actions.
type DeliverConfig struct {
	Secret string `yaml:"secret,required"` // where it is kept: "cms/cloudflare#token"
	To     string `yaml:"to,required"`     // an organization or a repository: "arcodange-org/cms"
	As     string `yaml:"as,required"`     // the name of the secret there: "CLOUDFLARE_API_TOKEN"
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
