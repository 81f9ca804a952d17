package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// nodeProblems returns what is wrong with the nodes of the cluster, at places in the document.
func (l *Lab) nodeProblems() (ps lab.Problems) {
	ps = l.K3s.Validate()
	if l.Stacks == nil {
		ps = append(ps, lab.Problem{Message: "its tokens are kept nowhere", Hint: "write stacks.secrets"})
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"servers", l.K3s.Servers}, {"agents", l.K3s.Agents}} {
		for i, name := range list.names {
			if !slices.ContainsFunc(l.Hosts, func(h *inventory.Host) bool { return h.Name == name }) {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", list.field, i), Text: name, Message: "is no machine of the inventory"})
			}
		}
	}
	return ps.Under("k3s")
}

// nodeReferences returns which of the secrets that the nodes get cannot be read.
func (l *Lab) nodeReferences() lab.Problems {
	if l.K3s == nil {
		return nil
	}
	_, err := l.nodes()
	return problemsOf(err).Under("k3s")
}

// nodes returns the config of the nodes with its secrets.
func (l *Lab) nodes() (k3s.Config, error) {
	return l.K3s.Resolve(func(r lab.SecretRef) (lab.Secret, error) { return r.Resolve(os.LookupEnv, l.dir.ReadFile) })
}

// selected returns the machines of the nodes. Since each depends on the others, a run is about all of them or none: the
// error is a [pipeline.LeftOut] when one is missing.
func (l *Lab) selected(s *site) (machines []*host.Machine, err error) {
	var missing []string
	for _, name := range slices.Concat(l.K3s.Servers, l.K3s.Agents) {
		i := slices.IndexFunc(s.machines, func(m *host.Machine) bool { return m.Name() == name })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		machines = append(machines, s.machines[i])
	}
	if len(missing) > 0 {
		return nil, pipeline.LeftOut("of its nodes, " + strings.Join(missing, " and ") + " are not selected")
	}
	return machines, nil
}

// nodePlan plans the nodes of the cluster.
func (l *Lab) nodePlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		machines, err := l.selected(s)
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, m := range machines {
			for _, what := range []string{"join", "drain", "uncordon", "snapshot"} {
				ids = append(ids, "k3s/"+what+"/"+m.Name())
			}
		}
		if !only.Reaches(ids...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		c, err := l.nodes()
		if err != nil {
			return nil, err
		}
		if s.nodes != nil {
			s.nodes(&c)
		}
		p, failed := k3s.Plan(ctx, machines, c, s.stacks.sink)
		return chosen(p, failed, only)
	}
}
