package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/graph"
)

// graphCommand is the command that draws.
func graphCommand() *cobra.Command {
	cmd, c := command("graph", "draw the lab, or the order in which a plan is made")
	cmd.Long = `Draw the lab, for a page or a viewer: its stages, stacks, apps, databases, groups
and machines. An arrow says that a thing needs, has or builds the one that it
points to.

With --order, plan now, and draw the order of the changes instead; with --plan,
that of a plan file. An arrow points to what is made after.`
	flags := cmd.Flags()
	var order bool
	var plan, out string
	cli.Choice(cmd, flags, "format", "mermaid, for pages that draw it, or svg", "mermaid", "svg")
	flags.BoolVar(&order, "order", false, "draw the order of the changes of a plan that is made now")
	flags.StringVar(&plan, "plan", "", "draw the order of the changes in this plan `file`, written by plan --out")
	flags.StringVar(&out, "out", "", "write into this `file`; without it, to standard output")
	cmd.MarkFlagsMutuallyExclusive("order", "plan")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		silent, err := cli.NewPrinter(io.Discard, cli.Options{}) // only the drawing is printed
		if err != nil {
			return err
		}
		r := runner{call: *c, out: silent, terminal: cli.TerminalOf(cmd), started: time.Now()}
		g, err := r.graph(cmd.Context(), order, plan)
		if err != nil {
			return err
		}
		text, err := drawn(g, cmd.Flag("format").Value.String())
		switch {
		case err != nil:
		case out != "": // what it shows of the lab is nobody else's business
			err = cli.WriteFile(out, []byte(text), 0o600)
		default:
			_, err = io.WriteString(cmd.OutOrStdout(), text)
		}
		return err
	}
	return cmd
}

// graph returns what is to be drawn: the order of the changes of a plan file, or of a plan that is made
// now, or otherwise the lab.
func (r *runner) graph(ctx context.Context, order bool, planFile string) (*graph.Graph, error) {
	if planFile != "" {
		changes, err := cli.Reviewed(planFile)
		if err != nil {
			return nil, err
		}
		return planGraph("The order of the plan "+planFile, changes)
	}
	if _, err := r.read(); err != nil {
		return nil, err
	}
	if !order {
		return r.lab.labGraph(), nil
	}
	changes, err := r.changes(ctx)
	if err != nil {
		return nil, err
	}
	return planGraph("The order of the plan of "+r.lab.Domain, changes)
}

// changes plans all stages and returns their changes, each once.
func (r *runner) changes(ctx context.Context) (all []lab.Change, err error) {
	if err := r.visit(ctx); err != nil {
		return nil, err
	}
	defer r.site.close()
	stages := pipeline.Pipeline{Stages: r.lab.stages(r.site), Only: r.only}
	results, err := stages.Plan(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, s := range results {
		for _, c := range s.Plan.Changes() {
			if !seen[c.ID] {
				all = append(all, c)
			}
			seen[c.ID] = true
		}
	}
	return all, nil
}

// drawn returns a graph in a format: "mermaid" or "svg".
func drawn(g *graph.Graph, format string) (string, error) {
	switch format {
	case "mermaid":
		return g.Mermaid()
	case "svg":
		return g.SVG()
	}
	return "", cli.Usage("format %q: mermaid or svg", format)
}

// labGraph draws the lab: apps and their databases, stages and the stacks that they build, groups, and the
// machines below all of them. An arrow says that a thing needs, has or builds the one that it points to.
func (l *Lab) labGraph() *graph.Graph {
	d := &drawing{Lab: l, graph: &graph.Graph{Title: "The lab " + l.Domain + ", environment " + l.Environment}}
	d.stages()
	d.apps()
	d.machines()
	return d.graph
}

// drawing is a graph of the lab that is being made.
type drawing struct {
	*Lab
	graph *graph.Graph
}

// node adds a node that is there once. The ID begins with the kind, so that a stack and a group may have the
// same name.
func (d *drawing) node(kind, name, detail string) (id string) {
	id = kind + "/" + name
	if !slices.ContainsFunc(d.graph.Nodes, func(n graph.Node) bool { return n.ID == id }) {
		d.graph.Nodes = append(d.graph.Nodes, graph.Node{ID: id, Label: name, Detail: detail, Kind: kind})
	}
	return id
}

// arrow adds an edge, to a node that may be added later.
func (d *drawing) arrow(from, to string) {
	if e := (graph.Edge{From: from, To: to}); !slices.Contains(d.graph.Edges, e) {
		d.graph.Edges = append(d.graph.Edges, e)
	}
}

// stages draws each stage above those that it comes after, and above what it builds: the stacks and other
// components with a name of their own, and the machines.
func (d *drawing) stages() {
	for _, st := range d.outline() {
		id := d.node("stage", st.name, "stage")
		for _, before := range st.after {
			d.arrow(id, "stage/"+before)
		}
		for _, c := range st.components {
			if c.place == "system" || strings.HasPrefix(c.place, "resources") {
				for _, h := range d.hosts(c) {
					d.arrow(id, "machine/"+h.Name)
				}
				continue
			}
			d.component(id, c)
		}
		if st.name == databaseStage {
			for _, i := range d.Instances {
				d.arrow(id, "database/"+i.Database())
			}
		}
	}
}

// component draws a component between its stage and its machines. One on several machines is several.
func (d *drawing) component(stage string, c component) {
	kind, name := "component", c.place[strings.LastIndexByte(c.place, '.')+1:]
	var needs []string
	if st := d.Stacks; strings.HasPrefix(c.place, "stacks.") {
		kind = "stack"
		switch name {
		case "postgres":
			name = cmp.Or(st.Postgres.Name, name)
		case "gitea":
			if name = cmp.Or(st.Gitea.Name, name); st.giteaHere() {
				needs = []string{"stack/" + cmp.Or(st.Postgres.Name, "postgres")}
			}
		case "runner":
			if name = cmp.Or(st.Runner.Name, name); st.Gitea != nil {
				needs = []string{"stack/" + cmp.Or(st.Gitea.Name, "gitea")}
			}
		}
	}
	hosts := d.hosts(c)
	for _, h := range hosts {
		label := name
		if len(hosts) > 1 {
			label += " on " + h.Name
		}
		id := d.node(kind, label, kind)
		d.arrow(stage, id)
		d.arrow(id, "machine/"+h.Name)
		for _, n := range needs {
			d.arrow(id, n)
		}
	}
}

// apps draws each app, its databases, and the server that they are on.
func (d *drawing) apps() {
	server := ""
	if p := d.Postgres; p != nil && (d.Stacks == nil || d.Stacks.Postgres == nil) {
		server = d.node("stack", fmt.Sprintf("%s:%d", p.Host, cmp.Or(p.Port, 5432)), "PostgreSQL, not of the lab")
	} else if p != nil {
		server = "stack/" + cmp.Or(d.Stacks.Postgres.Name, "postgres")
	}
	for _, i := range d.Instances {
		app := d.node("app", string(i.App), "app")
		if d.Postgres == nil {
			continue
		}
		db := d.node("database", i.Database(), "database, "+cmp.Or(i.Env, lab.Prod))
		d.arrow(app, db)
		d.arrow(db, server)
	}
}

// machines draws the groups and the machines in them.
func (d *drawing) machines() {
	for _, g := range d.Inventory.Groups {
		id := d.node("group", g.Name, "group")
		for _, h := range g.Hosts {
			d.arrow(id, "machine/"+h)
		}
		for _, c := range g.Children {
			d.arrow(id, "group/"+c)
		}
	}
	for _, h := range d.inventory.Hosts() {
		detail := h.Address
		if h.Local {
			detail = "this computer"
		}
		if len(h.Jump) > 0 {
			detail += " by " + strings.Join(h.Jump, ", ")
		}
		d.node("machine", h.Name, detail)
	}
}

// planGraph draws the order in which the changes of a plan are made: an arrow points to what is made after.
// Changes of one machine are together. What follows from other arrows is left out.
func planGraph(title string, changes []lab.Change) (*graph.Graph, error) {
	g := &graph.Graph{Title: title}
	for _, c := range changes {
		group, label := splitID(c.ID)
		n := graph.Node{ID: c.ID, Label: c.Action.Sign() + " " + label, Kind: string(c.Action), Group: group}
		if c.Risk > lab.RiskNone {
			n.Detail = "risk: " + c.Risk.String()
		}
		if c.Deferred {
			n.Detail = strings.TrimPrefix(n.Detail+", deferred", ", ")
		}
		g.Nodes = append(g.Nodes, n)
		for _, before := range c.After {
			g.Edges = append(g.Edges, graph.Edge{From: before, To: c.ID})
		}
	}
	return g, g.Reduce()
}

// splitID parts the ID of a change into the step, "host/pi1", and what follows it. An ID without a step is its
// own label.
func splitID(id string) (step, rest string) {
	kind, rest, ok := strings.Cut(id, "/")
	if !ok || strings.Contains(kind, ":") {
		return "", id
	}
	name, rest, ok := strings.Cut(rest, "/")
	if !ok || strings.Contains(name, ":") { // "pg/role:x"
		return kind, strings.TrimPrefix(id, kind+"/")
	}
	return kind + "/" + name, rest
}
