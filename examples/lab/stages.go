package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// site is what a run works on: the real lab, or that of the sandbox.
type site struct {
	machines []*host.Machine
	stacks   *stackSource // nil when the lab has no stacks
	database *database    // nil when the lab has none, or the run is not about it
	forge    *gitea       // the same
	vault    *vault       // the same
	edge     *edge        // the same
	close    func()

	// Of the sandbox: lan is how name servers are dialled; authority and nodes set where the programs of the certificate
	// authority and of the cluster come from. Nil means as the config says.
	lan       lab.Dialer
	authority func(*stepca.Config)
	nodes     func(*k3s.Config)

	// Of the sandbox: api is the API of the cluster. Nil means that of its first server.
	api func(k3s.Access) *kube.Cluster
}

// The stages, by the names that the lab has always had.
const (
	systemStage     = "01_system"
	dnsStage        = "01_system/dns"
	resolverStage   = "01_system/resolvers"
	authorityStage  = "01_system/step_ca"
	longhornStage   = "01_system/longhorn"
	nfsStage        = "01_system/nfs"
	nodeStage       = "01_system/k3s"
	clusterStage    = "01_system/cluster"
	setupStage      = "02_setup"
	runnersStage    = "03_cicd"
	forgeStage      = "03_cicd/gitea"
	gitopsStage     = "03_cicd/argocd"
	databaseStage   = "postgres"
	toolsStage      = "04_tools/cluster"
	initStage       = "04_tools/vault_init"
	unsealStage     = "04_tools/vault_unseal"
	vaultStage      = "04_tools/vault"
	cloudflareStage = "edge/cloudflare"
	googleStage     = "edge/google"
	backupStage     = "edge/backup"
	ovhStage        = "edge/ovh"
	deliverStage    = "edge/deliver"
)

// stage is a stage of the lab, as the config asks for it.
type stage struct {
	name  string
	after []string // stages

	components []component // what its machines have; empty when it is not of machines
	serial     bool        // one machine after the other

	// fleet returns the machines as they are to be changed, with what has to hold between them. Nil means all at once, or
	// one after the other if serial.
	fleet func(*site, []*host.Machine) host.Fleet

	// look finds out what the states depend on besides the config, and returns the errors of the machines that could not be
	// looked at, which are not planned then. Nil means that there is nothing.
	look func(context.Context, *site, *sources) map[*host.Machine]error

	// A stage that is not of machines has these instead: problems returns what is wrong with it, at places in
	// the document; plan plans it.
	problems func() lab.Problems
	plan     func(*site) pipeline.Planner
}

// outline returns the stages of the lab, each with those that it needs. What is beside the cluster does not wait for what
// runs in it. A component that is added here is validated before anything is dialled, and planned, without more.
func (l *Lab) outline() []stage {
	all := l.system()
	before := []string{all[len(all)-1].name}
	cluster := before // with its add-ons
	if l.partOf(clusterStage) != nil {
		all = append(all, l.inCluster(clusterStage, before...))
		cluster = []string{clusterStage}
	}
	var setup []component
	if l.Stacks != nil && l.Stacks.Postgres != nil {
		setup = append(setup, l.postgresStack())
	}
	if l.Stacks != nil && l.Stacks.Gitea != nil {
		setup = append(setup, l.giteaStack())
	}
	if len(setup) > 0 {
		all = append(all, stage{name: setupStage, after: before, components: setup})
		before = []string{setupStage}
	}
	if l.Stacks != nil && l.Stacks.Runner != nil {
		all = append(all, stage{name: runnersStage, after: before, components: []component{l.runnerStack()}})
	}
	repositories := before
	if l.Forge != nil {
		all = append(all, stage{name: forgeStage, after: before, problems: l.forgeProblems, plan: l.forgePlan})
		repositories = []string{forgeStage}
	}
	if l.partOf(gitopsStage) != nil {
		all = append(all, l.inCluster(gitopsStage, slices.Concat(cluster, repositories)...))
	}
	if l.Postgres != nil {
		all = append(all, stage{name: databaseStage, after: before, problems: l.databaseProblems, plan: l.databasePlan})
		before = []string{databaseStage} // where Vault makes users
	}
	if l.partOf(toolsStage) != nil {
		before = slices.Concat(cluster, before)
		all = append(all, l.inCluster(toolsStage, before...))
		if l.Cluster.Vault != nil {
			before = []string{toolsStage}
		}
	}
	if l.Vault != nil {
		all = append(all, stage{name: initStage, after: before, problems: l.vaultProblems, plan: l.vaultInitPlan},
			stage{name: unsealStage, after: []string{initStage}, plan: l.vaultUnsealPlan},
			stage{name: vaultStage, after: []string{unsealStage}, plan: l.vaultPlan})
		before = []string{vaultStage}
	}
	return append(all, l.edgeStages(before)...)
}

// system returns the parts of stage 01_system, in the lab's own order. What is in one part may be found out by asking what
// an earlier one has made.
func (l *Lab) system() []stage {
	first := []component{l.base()}
	first = append(first, l.dataDisks()...)
	if l.Docker != nil {
		first = append(first, l.engine())
	}
	all := []stage{{name: systemStage, components: append(first, l.placements()...),
		serial: l.System.Reboot}} // never two machines down at once
	add := func(st stage) {
		st.after = []string{all[len(all)-1].name}
		all = append(all, st)
	}
	if l.DNS != nil {
		add(stage{name: dnsStage, components: []component{l.piHoles()}, fleet: l.piHoleFleet})
		add(stage{name: resolverStage, components: []component{l.resolvers()}})
	}
	if l.StepCA != nil {
		add(stage{name: authorityStage, problems: l.authorityProblems, plan: l.authorityPlan})
	}
	if l.Longhorn != nil {
		add(stage{name: longhornStage, components: []component{l.longhorn()}, look: l.initiators})
	}
	if len(l.NFS) > 0 {
		add(stage{name: nfsStage, components: l.shares()})
	}
	if l.K3s != nil {
		add(stage{name: nodeStage, problems: l.nodeProblems, plan: l.nodePlan})
	}
	return all
}

// inCluster returns a stage whose objects are applied to the cluster.
func (l *Lab) inCluster(name string, after ...string) stage {
	return stage{name: name, after: after, problems: l.clusterProblems(name), plan: l.clusterPlan(name)}
}

// stages returns the stages as they are planned and applied on a site.
func (l *Lab) stages(s *site) (out []pipeline.Stage) {
	for _, st := range l.outline() {
		p := pipeline.Stage{Name: st.name, After: st.after}
		if p.Plan = l.machinePlan(st, s); st.plan != nil {
			p.Plan = st.plan(s)
		}
		out = append(out, p)
	}
	return out
}

// machinePlan plans the components of a stage on the machines that have any.
func (l *Lab) machinePlan(st stage, s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		from := sources{}
		plan := func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
			from.secrets = k
			var missed map[*host.Machine]error
			states, err := l.states(ctx, st, s, from)
			if err == nil && st.look != nil && reached(only, states) {
				missed = st.look(ctx, s, &from)
				states, err = l.states(ctx, st, s, from)
			}
			if err != nil {
				return nil, err
			}
			f := host.Fleet{Machines: slices.DeleteFunc(slices.Clone(s.machines), func(m *host.Machine) bool {
				_, has := states[m]
				return !has
			})}
			if st.fleet != nil {
				f = st.fleet(s, f.Machines)
			}
			if st.serial {
				f.Serial = 1
			}
			return pipeline.Machines(f, func(m *host.Machine) (host.State, error) { return states[m], missed[m] })(ctx, only)
		}
		if s.stacks == nil {
			return plan(ctx, only, nil)
		}
		from.lock = s.stacks.lock
		return pipeline.Secrets(s.stacks.sink, plan)(ctx, only)
	}
}

// reached reports whether a selection is about anything in the states.
func reached(only *pipeline.Selection, states map[*host.Machine]host.State) (any bool) {
	for m, s := range states {
		any = only.Reaches(pipeline.Offered(m, s)...) || any
	}
	return any
}

// states returns what the machines of a site should be in a stage, for those that have anything of it.
func (l *Lab) states(ctx context.Context, st stage, s *site, from sources) (map[*host.Machine]host.State, error) {
	states := map[*host.Machine]host.State{}
	var errs []error
	for _, m := range s.machines {
		h, err := l.inventory.Host(m.Name())
		if err != nil {
			return nil, err
		}
		all, err := l.all(ctx, st.components, h, from)
		if err == nil && len(all) > 0 {
			states[m], err = l.resolved(all)
		}
		if err != nil && !slices.ContainsFunc(errs, func(o error) bool { return o.Error() == err.Error() }) {
			errs = append(errs, err) // what keeps one secret from being read does so for all machines
		}
	}
	return states, errors.Join(errs...)
}

// resolved returns the pieces as a state, with the values of its references to secrets.
func (l *Lab) resolved(all pieces) (host.State, error) {
	s, err := all.state().Resolve(os.LookupEnv, l.dir.ReadFile)
	if ps := problemsOf(err); len(ps) > 0 {
		return nil, l.locate(all.placed(ps).Err())
	}
	return s, err
}

// databasePlan provisions the apps' databases.
func (l *Lab) databasePlan(s *site) pipeline.Planner {
	if why := l.databaseElsewhere(); why != "" {
		return func(context.Context, *pipeline.Selection) (*lab.Plan, error) { return nil, pipeline.LeftOut(why) }
	}
	var sink lab.Sink
	if s.stacks != nil {
		sink = s.stacks.sink
	}
	return pipeline.Secrets(sink, s.database.plan)
}

// databaseElsewhere says why a run that is limited to some machines is not about the databases, ""
// when it is: their server is on none of the machines.
func (l *Lab) databaseElsewhere() string {
	if len(l.Limited) == 0 {
		return ""
	}
	for _, h := range l.Hosts {
		if l.Postgres.Host != h.Name && l.Postgres.Host != h.Address {
			continue
		}
		if slices.Contains(l.Limited, h) {
			return ""
		}
		return "the server is on " + h.Name
	}
	return fmt.Sprintf("the server, %s, is none of the machines", l.Postgres.Host)
}
