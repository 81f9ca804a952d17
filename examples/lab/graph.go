package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/graph"
)

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
	d.stacks()
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
	d.graph.Edges = append(d.graph.Edges, graph.Edge{From: from, To: to})
}

// stages draws each stage above what it builds, and above those that it comes after.
func (d *drawing) stages() {
	for _, st := range d.Lab.stages(&site{stacks: &stackSource{}, database: &database{}}) {
		id := d.node("stage", st.Name, "stage")
		for _, before := range st.After {
			d.arrow(id, "stage/"+before)
		}
		switch st.Name {
		case systemStage:
			for _, h := range d.Hosts {
				d.arrow(id, "machine/"+h.Name)
			}
		case databaseStage:
			for _, i := range d.Instances {
				d.arrow(id, "database/"+i.Database())
			}
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

// stacks draws each stack below its stage, and above its machine. One on several machines is several.
func (d *drawing) stacks() {
	c := d.Stacks
	if c == nil {
		return
	}
	on := func(stage, name, pattern string, needs ...string) {
		hosts, err := d.inventory.Select(pattern)
		if err != nil {
			return // it was told when the config was read
		}
		for _, h := range hosts {
			label := name
			if len(hosts) > 1 {
				label += " on " + h.Name
			}
			id := d.node("stack", label, "stack")
			d.arrow("stage/"+stage, id)
			d.arrow(id, "machine/"+h.Name)
			for _, n := range needs {
				d.arrow(id, "stack/"+n)
			}
		}
	}
	postgres, gitea := "", ""
	if c.Postgres != nil {
		postgres = cmp.Or(c.Postgres.Name, "postgres")
		on(setupStage, postgres, c.Postgres.On)
	}
	if c.Gitea != nil {
		gitea = cmp.Or(c.Gitea.Name, "gitea")
		var needs []string
		if c.giteaHere() {
			needs = append(needs, postgres)
		}
		on(setupStage, gitea, c.Gitea.On, needs...)
	}
	if c.Runner != nil {
		on(runnersStage, cmp.Or(c.Runner.Name, "runner"), c.Runner.On, gitea)
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
