package main

import (
	"context"
	_ "embed"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/addon"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/gitops"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// ClusterConfig is what runs in the cluster. What is empty is left out; what was applied and is not written here any more
// is removed, but for what holds data.
type ClusterConfig struct {
	Identity string `yaml:"identity"` // the UID that its namespace kube-system must have; empty means any

	// TakeOver are field managers whose fields are taken over, such as kubectl-client-side-apply and Helm, when another
	// tool has applied the same objects before; empty means none.
	TakeOver []string `yaml:"takeOver"`

	// DNS is the address of the cluster's DNS server, which is asked after coredns was changed: when it does not know the
	// names of the cluster and of the lab's authority any more, the change is undone. Empty means 10.43.0.10, that of k3s.
	DNS netip.Addr `yaml:"dns"`

	CoreDNS     *addon.CoreDNS     `yaml:"coredns"`     // whom the cluster's DNS asks for the lab's names
	CertManager *addon.CertManager `yaml:"certManager"` // certificates
	StepIssuer  *StepIssuerConfig  `yaml:"stepIssuer"`  // lets certManager get them of the lab's authority
	Longhorn    *addon.Longhorn    `yaml:"longhorn"`    // storage
	Traefik     *addon.Traefik     `yaml:"traefik"`     // the ingress

	Vault           *addon.Vault           `yaml:"vault"`           // the server of section vault
	SecretsOperator *addon.SecretsOperator `yaml:"secretsOperator"` // writes what the Vault holds into Secrets
	CrowdSec        *CrowdSecConfig        `yaml:"crowdsec"`        // finds who attacks
	PgBouncer       *addon.PgBouncer       `yaml:"pgbouncer"`       // a pool of connections to the apps' databases

	ArgoCD *ArgoCDConfig `yaml:"argocd"` // deploys the apps
}

// StepIssuerConfig is the issuer of the lab's authority, which section stepca describes.
type StepIssuerConfig struct {
	Version string `yaml:"version,required"` // of the chart
}

// CrowdSecConfig is CrowdSec. The key of Traefik's bouncer is made once, and kept with the secrets of the stacks.
type CrowdSecConfig struct {
	addon.CrowdSec `yaml:",inline"`

	// DatabasePassword is a reference to the password of its user of PostgreSQL.
	DatabasePassword lab.SecretRef `yaml:"databasePassword,required"`
}

// ArgoCDConfig is Argo CD.
type ArgoCDConfig struct {
	gitops.Root `yaml:",inline"`

	Token lab.SecretRef `yaml:"token"` // a reference to the token of user; empty if there is no user
}

// placeholderCA is a certificate to validate with.
//
//go:embed placeholder.crt
var placeholderCA string

// part is the objects of one stage in the cluster.
type part struct {
	place string // of what is wrong, in the document

	// spec returns the objects; dummies stand for secrets. What is wrong is at fields of the place.
	spec func(ingredients) (kube.Spec, error)
}

// ingredients are what objects are made of that is no part of the config.
type ingredients struct {
	issuer      stepca.Issuer
	provisioner lab.Secret                  // the password of the issuer
	bouncer     lab.Secret                  // Traefik's key at CrowdSec
	database    lab.Secret                  // the password of CrowdSec
	pooler      lab.Secret                  // that of PgBouncer
	resolves    func(context.Context) error // proves the cluster's DNS; nil: it is not proved
	argo        lab.Secret                  // the token of Argo CD at the forge
}

// partOf returns what is applied in a stage; nil when there is nothing.
func (l *Lab) partOf(stage string) *part {
	c := l.Cluster
	if c == nil {
		return nil
	}
	switch stage {
	case clusterStage:
		if c.CoreDNS != nil || c.CertManager != nil || c.StepIssuer != nil || c.Longhorn != nil || c.Traefik != nil {
			return &part{"cluster", l.systemAddons}
		}
	case toolsStage:
		if c.Vault != nil || c.SecretsOperator != nil || c.CrowdSec != nil || c.PgBouncer != nil {
			return &part{"cluster", l.toolAddons}
		}
	case gitopsStage:
		if c.ArgoCD != nil && c.ArgoCD.Enabled {
			return &part{"cluster.argocd", l.gitopsRoot}
		}
	}
	return nil
}

// dns returns where the cluster's DNS server is.
func (c *ClusterConfig) dns() netip.Addr {
	if c.DNS.IsValid() {
		return c.DNS
	}
	return netip.AddrFrom4([4]byte{10, 43, 0, 10})
}

// resolves returns what proves that the cluster's DNS knows its names, asked from a node.
func (l *Lab) resolves(node lab.Dialer) func(context.Context) error {
	names := []string{"kubernetes.default.svc.cluster.local"}
	if l.StepCA != nil {
		names = append(names, l.StepCA.Host())
	}
	return addon.Resolves(node, netip.AddrPortFrom(l.Cluster.dns(), 53).String(), names...)
}

// placed is an add-on and the field that describes it.
type placed struct {
	field string
	addon addon.Addon
}

// addonSpec returns the objects of add-ons. What is wrong with any is in the error, at its field.
func (l *Lab) addonSpec(owner string, addons []placed) (kube.Spec, error) {
	s := kube.Spec{Owner: owner, TakeOver: slices.Concat(l.Cluster.TakeOver, addon.LonghornManagers), Prune: true}
	var errs []error
	for _, a := range addons {
		objects, err := a.addon.Objects()
		errs = append(errs, at(a.field, err))
		s.Objects = append(s.Objects, objects...)
	}
	return s, merged(errs...)
}

// systemAddons are those that all else needs.
func (l *Lab) systemAddons(from ingredients) (kube.Spec, error) {
	c := l.Cluster
	var all []placed
	if c.CoreDNS != nil {
		d := *c.CoreDNS
		d.Check = from.resolves
		all = append(all, placed{"coredns", &d})
	}
	if c.CertManager != nil {
		all = append(all, placed{"certManager", c.CertManager})
	}
	if c.StepIssuer != nil {
		i := from.issuer
		all = append(all, placed{"stepIssuer", &addon.StepIssuer{Version: c.StepIssuer.Version, URL: i.URL, CA: i.Root,
			Provisioner: i.Provisioner, KeyID: i.KeyID, Password: from.provisioner}})
	}
	if c.Longhorn != nil {
		all = append(all, placed{"longhorn", c.Longhorn})
	}
	if c.Traefik != nil {
		t := *c.Traefik
		if t.Bouncer != nil {
			b := *t.Bouncer
			b.Key, t.Bouncer = from.bouncer, &b
		}
		all = append(all, placed{"traefik", &t})
	}
	return l.addonSpec("system", all)
}

// toolAddons are the lab's tools.
func (l *Lab) toolAddons(from ingredients) (kube.Spec, error) {
	c := l.Cluster
	var all []placed
	if c.Vault != nil {
		all = append(all, placed{"vault", c.Vault})
	}
	if c.SecretsOperator != nil {
		all = append(all, placed{"secretsOperator", c.SecretsOperator})
	}
	if c.CrowdSec != nil {
		s := c.CrowdSec.CrowdSec
		s.BouncerKey, s.Database.Password = from.bouncer, from.database
		all = append(all, placed{"crowdsec", &s})
	}
	if c.PgBouncer != nil {
		p := *c.PgBouncer
		p.Password = from.pooler
		all = append(all, placed{"pgbouncer", &p})
	}
	return l.addonSpec("tools", all)
}

// gitopsRoot is Argo CD with the apps.
func (l *Lab) gitopsRoot(from ingredients) (kube.Spec, error) {
	root := l.Cluster.ArgoCD.Root
	root.Token = from.argo
	s, err := root.Spec()
	s.TakeOver = l.Cluster.TakeOver
	return s, err
}

// placeholders are ingredients to validate with, and to know the objects by.
func (l *Lab) placeholders() ingredients {
	s := lab.NewSecret("placeholder")
	from := ingredients{provisioner: s, bouncer: s, database: s, pooler: s,
		issuer: stepca.Issuer{URL: "https://ca.example:9000", Root: placeholderCA, Provisioner: "placeholder", KeyID: "placeholder"}}
	if a := l.Cluster.ArgoCD; a != nil && !a.Token.IsZero() {
		from.argo = s
	}
	return from
}

// clusterProblems returns what is wrong with the objects of a stage, at places in the document.
func (l *Lab) clusterProblems(stage string) func() lab.Problems {
	return func() (ps lab.Problems) {
		c, p := l.Cluster, l.partOf(stage)
		_, err := p.spec(l.placeholders())
		ps = append(ps, problemsOf(err)...).Under(p.place)
		add := func(place, message, hint string) {
			ps = append(ps, lab.Problem{Path: "cluster" + place, Message: message, Hint: hint})
		}
		switch {
		case l.K3s == nil:
			add("", "has no nodes", "write k3s")
		case l.Stacks == nil && (c.StepIssuer != nil || c.CrowdSec != nil || c.PgBouncer != nil):
			add("", "makes secrets, which need a place", "write stacks: {secrets: ~/.arcodange/stacks}")
		}
		if stage == clusterStage && c.StepIssuer != nil && l.StepCA == nil {
			add(".stepIssuer", "has no authority to get certificates of", "write stepca")
		}
		if stage == clusterStage && c.StepIssuer != nil && c.CertManager == nil {
			add(".stepIssuer", "is an issuer of cert-manager, which is not there", "write certManager beside it")
		}
		if stage == clusterStage && c.Traefik != nil && c.Traefik.Bouncer != nil && c.CrowdSec == nil {
			add(".traefik.bouncer", "asks CrowdSec, which is not there", "write crowdsec beside it")
		}
		if stage == toolsStage && c.PgBouncer != nil && l.Postgres == nil {
			add(".pgbouncer", "logs in as a user that nothing makes", "write postgres")
		}
		return ps
	}
}

// clusterReferences returns which of the secrets that the cluster gets cannot be read.
func (l *Lab) clusterReferences() (fields []secretField) {
	if l.Cluster == nil {
		return nil
	}
	if c := l.Cluster.CrowdSec; c != nil {
		fields = append(fields, secretField{"cluster.crowdsec.databasePassword", c.DatabasePassword})
	}
	if c := l.Cluster.ArgoCD; c != nil && c.Enabled {
		fields = append(fields, secretField{"cluster.argocd.token", c.Token})
	}
	return fields
}

// clusterPlan plans what is applied to the cluster in a stage.
func (l *Lab) clusterPlan(stage string) func(*site) pipeline.Planner {
	return func(s *site) pipeline.Planner {
		var sink lab.Sink
		if s.stacks != nil {
			sink = s.stacks.sink
		}
		return pipeline.Secrets(sink, func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
			if _, err := l.selected(s); err != nil {
				return nil, err
			}
			p := l.partOf(stage)
			spec, err := p.spec(l.placeholders())
			if err != nil {
				return nil, err
			}
			if !only.Reaches(spec.IDs()...) {
				return nil, pipeline.LeftOut("nothing of it is selected")
			}
			api, err := l.api(ctx, s)
			if err != nil {
				return nil, err
			}
			from, err := l.ingredients(ctx, s, k, stage)
			if err != nil {
				return nil, err
			}
			if spec, err = p.spec(from); err != nil {
				return nil, err
			}
			plan, failed := api.Plan(ctx, spec)
			if plan == nil {
				return nil, failed
			}
			plan, err = plan.Only(only.Globs()...)
			if err == nil && s.vault != nil {
				plan, err = withVault(plan, s.vault)
			}
			return plan, errors.Join(failed, err)
		})
	}
}

// withVault lets a plan that installs or upgrades the server of the Vault end when it answers: the next stage needs it.
func withVault(p *lab.Plan, v *vault) (*lab.Plan, error) {
	for _, c := range p.Changes() {
		if strings.HasSuffix(c.ID, "helmchart.helm.cattle.io:kube-system/vault") && c.Action != lab.Delete {
			gate := lab.Step{Name: "vault/answers", After: []string{"tools"}, Run: v.answers}
			return lab.NewPlan(append(p.Steps(), gate)...)
		}
	}
	return p, nil
}

// api returns how the API of the cluster is reached: from its first server, over SSH, so that its port need not be open.
func (l *Lab) api(ctx context.Context, s *site) (*kube.Cluster, error) {
	access, err := k3s.ReadAccess(ctx, s.machines, *l.K3s, l.Environment)
	if err != nil {
		return nil, err
	}
	if s.api != nil {
		return s.api(access), nil
	}
	conn, err := s.founder(l).Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &kube.Cluster{Name: l.Environment, Kubeconfig: access.Kubeconfig(), Boundary: conn, Identity: l.Cluster.Identity}, nil
}

// founder returns the first server of the cluster, which the run is about.
func (s *site) founder(l *Lab) *host.Machine {
	return s.machines[slices.IndexFunc(s.machines, func(m *host.Machine) bool { return m.Name() == l.K3s.Servers[0] })]
}

// ingredients returns what the objects of a stage are made of.
func (l *Lab) ingredients(ctx context.Context, s *site, k *lab.Keyring, stage string) (from ingredients, err error) {
	c := l.Cluster
	var errs []error
	read := func(r lab.SecretRef) lab.Secret {
		if s.api != nil { // the sandbox has none of them, and gives them to nobody
			return lab.NewSecret("placeholder")
		}
		v, err := resolveSecret(r, l.dir.ReadFile)
		errs = append(errs, err)
		return v
	}
	if stage == clusterStage && c.StepIssuer != nil {
		from.issuer, from.provisioner, err = l.issuer(ctx, s)
		errs = append(errs, err)
	}
	if stage == clusterStage && c.CoreDNS != nil && s.api == nil {
		conn, err := s.founder(l).Conn(ctx)
		errs = append(errs, err)
		from.resolves = l.resolves(conn)
	}
	if c.CrowdSec != nil && stage != gitopsStage {
		from.bouncer, err = k.Secret(ctx, "crowdsec-bouncer", nil)
		errs = append(errs, err)
	}
	if c.CrowdSec != nil && stage == toolsStage {
		from.database = read(c.CrowdSec.DatabasePassword)
	}
	if c.PgBouncer != nil && stage == toolsStage {
		from.pooler, err = l.Postgres.poolerPassword(ctx, k, l.dir.ReadFile)
		errs = append(errs, err)
	}
	if c.ArgoCD != nil && stage == gitopsStage && !c.ArgoCD.Token.IsZero() {
		from.argo = read(c.ArgoCD.Token)
	}
	return from, errors.Join(errs...)
}

// issuer returns what cert-manager needs to know of the lab's authority.
func (l *Lab) issuer(ctx context.Context, s *site) (i stepca.Issuer, password lab.Secret, err error) {
	active := l.StepCA.ActiveMachine()
	at := slices.IndexFunc(s.machines, func(m *host.Machine) bool { return m.Name() == active })
	if at < 0 {
		return i, password, &lab.Error{Op: "read authority", Target: active, Hint: "select it too",
			Err: lab.ErrNotFound}
	}
	if i, err = l.StepCA.Issuer(ctx, s.machines[at]); err != nil {
		return i, password, err
	}
	password, err = s.stacks.sink.Get(ctx, stepca.ProvisionerPassword)
	return i, password, err
}
