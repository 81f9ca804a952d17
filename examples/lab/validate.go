package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// validateCommand validates a config, as every run does at its start: the states of all stages are built,
// with dummy secrets and a dummy lock, and nothing is reached.
func validateCommand() *cobra.Command {
	c := &call{verb: "validate"}
	cmd := &cobra.Command{Use: c.verb, Short: "show what is wrong with the config, without reaching anything",
		Args: cli.Words(0, 0), RunE: func(cmd *cobra.Command, _ []string) error { return execute(cmd, *c) }}
	var all pflag.FlagSet
	c.flags(&all)
	for _, name := range []string{"config", "sandbox"} {
		cmd.Flags().AddFlag(all.Lookup(name))
	}
	return cmd
}

// validated says what a config that is right is of.
func (r *runner) validated(config string) {
	var stages []string
	for _, st := range r.lab.outline() {
		stages = append(stages, st.name)
	}
	r.out.Printf("%s is right: %s in %s.\n", config, count(len(r.lab.Hosts), "machine"), strings.Join(stages, ", "))
	r.object(nil, -1, nil)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// confirmable returns an error for each ID that no change of the lab can have, so that a slip in the
// confirmation of a change that may lose data is found before anything is begun.
func (l *Lab) confirmable(confirmed []string) error {
	if len(confirmed) == 0 {
		return nil
	}
	var known []string
	from := l.dummies()
	for _, st := range l.outline() {
		for _, h := range l.chosen() {
			all, err := l.all(context.Background(), st.components, h, from)
			if err != nil {
				return err
			}
			for _, r := range all.state() {
				known = append(known, idsOf(h.Name, r)...)
			}
		}
	}
	if l.Postgres != nil {
		known = append(known, (&database{spec: l.databaseSpec()}).ids()...)
	}
	whole := l.unforeseen()
	var ps lab.Problems
	for _, id := range confirmed {
		if slices.ContainsFunc(whole, func(plan string) bool { return strings.HasPrefix(id, plan+"/") && id != plan+"/" }) {
			continue
		}
		if slices.ContainsFunc(known, func(k string) bool { return id == k || strings.HasPrefix(id, k+"/") }) {
			continue
		}
		p := lab.Problem{Path: "--confirm", Text: id, Message: "is not the ID of a change",
			Hint: "copy it from the plan, as host/pi1/disk:data"}
		if near := lab.Nearest(id, known); near != "" {
			p.Hint = "nearest: " + near
		}
		ps = append(ps, p)
	}
	return ps.Err()
}

// unforeseen returns the names of plans that may have changes which only a look at the server tells: what is there and no
// longer wanted is removed.
func (l *Lab) unforeseen() (plans []string) {
	if l.K3s != nil {
		plans = append(plans, "k3s")
	}
	for _, stage := range []string{clusterStage, toolsStage, gitopsStage} {
		p := l.partOf(stage)
		if p == nil {
			continue
		}
		if spec, err := p.spec(l.placeholders()); err == nil {
			plans = append(plans, spec.Owner)
		}
	}
	if l.Forge != nil {
		plans = append(plans, "forge")
	}
	if l.Vault != nil {
		plans = append(plans, "vault")
	}
	if l.Edge != nil && l.Edge.Cloudflare != nil {
		plans = append(plans, "cloudflare")
	}
	if l.Edge != nil && l.Edge.OVH != nil {
		plans = append(plans, "ovh")
	}
	if l.Edge != nil && l.Edge.Google != nil {
		plans = append(plans, "gcs")
	}
	return plans
}

// idsOf returns the IDs that the changes of a resource of a machine begin with.
func idsOf(machine string, r host.Resource) []string {
	ids := []string{"host/" + machine + "/" + r.ID()}
	if set, ok := r.(host.Set); ok {
		for _, part := range set.Resources() {
			ids = append(ids, idsOf(machine, part)...)
		}
	}
	return ids
}
