package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// VaultConfig is the Vault of the lab, and what the apps have in it.
type VaultConfig struct {
	Address  string `yaml:"address,required"` // "https://vault.arcodange.lab"
	CA       string `yaml:"ca"`               // certificates in PEM that it is trusted by; empty means those of this machine
	Identity string `yaml:"identity"`         // the ID of the cluster that it must prove to be; empty means any

	// Shares and Threshold are how the key that unseals it is split when it is initialised. Empty means one share, as
	// this lab has always had it: the file with it is all that is needed to open the Vault.
	Shares    int `yaml:"shares"`
	Threshold int `yaml:"threshold"` // how many of the shares unseal it; empty means one, or as many as 3 of the shares

	// Keys is a reference to the file with the keys, as "vault operator init -format=json" prints it; empty means those
	// that are kept with the secrets of the stacks when it is initialised, as vault-init.
	Keys lab.SecretRef `yaml:"keys"`

	// Token is a reference to the token of who may do all that is planned; empty means a token of root, which is made
	// from the keys for each run and revoked at its end.
	Token lab.SecretRef `yaml:"token"`

	vaultprov.Apps `yaml:",inline"`

	Policies []vaultprov.Policy `yaml:"policies"` // more policies, such as those of ci.basePolicies; empty means none
}

// vault is a Vault as a site reaches it.
type vault struct {
	server vaultprov.Server
	init   vaultprov.Init
	keys   func(context.Context) (vaultprov.Keys, error)
	token  func() (lab.Secret, error) // zero: that of root
	apps   vaultprov.Apps
	root   *vaultprov.Session // of root, for the whole run; nil: there was none yet
	close  func() error       // of the sandbox's; nil if there is nothing to close
}

// records is where it is kept what is ours in the Vault.
const recordsMount = vaultprov.DefaultKV

// vaultApps returns what the apps have in the Vault, without secrets.
func (l *Lab) vaultApps() vaultprov.Apps {
	a := l.Vault.Apps
	a.Instances = l.Instances
	if p := l.Postgres; p != nil && a.Postgres == nil {
		a.Postgres = &vaultprov.Postgres{Host: p.Host, Port: p.Port}
	}
	return a
}

// initOf says how the Vault is initialised.
func (c *VaultConfig) initOf(sink lab.Sink) vaultprov.Init {
	i := vaultprov.Init{Sink: sink, Shares: c.Shares, Threshold: c.Threshold}
	if i.Shares == 0 {
		i.Shares = 1
	}
	return i
}

// vaultSpec returns what the Vault must hold.
func (l *Lab) vaultSpec(a vaultprov.Apps) vaultprov.Spec {
	s := a.Spec().With(vaultprov.Spec{Policies: l.Vault.Policies})
	s.Records = vaultprov.Records{Mount: recordsMount}
	if a.KV != "" {
		s.Records.Mount = a.KV
	}
	s.Prune = true
	return s
}

// vaultProblems returns what is wrong with the Vault, at places in the document.
func (l *Lab) vaultProblems() (ps lab.Problems) {
	server := vaultprov.Server{Address: l.Vault.Address, CA: l.Vault.CA}
	ps = append(ps, server.Validate()...)
	if l.Vault.Keys.IsZero() {
		ps = append(ps, l.Vault.initOf(nowhere{}).Validate()...)
		if l.Stacks == nil {
			ps = append(ps, lab.Problem{Path: "keys", Message: "are kept nowhere",
				Hint: `write a reference such as "file:~/.arcodange/cluster-keys.json", or stacks.secrets`})
		}
	}
	a := l.vaultApps()
	var named lab.Problems // about apps
	for _, p := range a.Validate() {
		path, app := strings.CutPrefix(p.Path, "instances")
		if p.Path = path; !app {
			ps = append(ps, p)
		} else if !strings.HasSuffix(path, ".app") && !strings.HasSuffix(path, ".env") { // reported with the apps
			named = append(named, p)
		}
	}
	if len(ps) == 0 {
		s := l.vaultSpec(a)
		ps = append(ps, l.ofVault(s, s.Validate())...)
	}
	ps = append(ps.Under("vault"), l.ofApps(named)...)
	if u, err := url.Parse(l.Vault.Address); err == nil && outside(l.boundary(), u.Hostname(), portOf(u)) {
		ps = append(ps, lab.Problem{Path: "vault.address", Text: l.Vault.Address, Message: "is outside of the boundary",
			Hint: "add its network to boundary.allow, if it belongs to the environment"})
	}
	return ps
}

// ofVault returns problems of what comes of the section, with the fields of the section instead.
func (l *Lab) ofVault(s vaultprov.Spec, ps lab.Problems) (out lab.Problems) {
	own := len(s.Policies) - len(l.Vault.Policies) // the first that is the section's own
	for _, p := range ps {
		renumber := func(text string) string {
			return policyPlace.ReplaceAllStringFunc(text, func(place string) string {
				if n, _ := strconv.Atoi(policyPlace.FindStringSubmatch(place)[1]); n >= own {
					return fmt.Sprintf("policies[%d]", n-own)
				}
				return "one that the apps bring"
			})
		}
		p.Message = renumber(p.Message)
		if strings.HasPrefix(p.Path, "policies[") {
			p.Path = renumber(p.Path)
		}
		if path, ok := strings.CutPrefix(p.Path, "auths[1].jwt"); ok { // the only one beside that of the cluster
			p.Path = "issuer" + path
		}
		out = append(out, p)
	}
	return out
}

var policyPlace = regexp.MustCompile(`\bpolicies\[([0-9]+)\]`)

// vaultReferences returns which of the secrets that the Vault gets cannot be read.
func (l *Lab) vaultReferences() lab.Problems {
	if l.Vault == nil {
		return nil
	}
	_, err := l.Vault.Apps.Resolve(os.LookupEnv, l.dir.ReadFile)
	return problemsOf(err).Under("vault")
}

// portOf returns the port of a URL.
func portOf(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// vault returns the Vault of the config. It is nil when there is none.
func (l *Lab) vault(stacks *stackSource) *vault {
	if l.Vault == nil {
		return nil
	}
	c := l.Vault
	var sink lab.Sink = nowhere{}
	if stacks != nil {
		sink = stacks.sink
	}
	v := &vault{apps: l.vaultApps(), init: c.initOf(sink),
		server: vaultprov.Server{Address: c.Address, CA: c.CA, Cluster: c.Identity, Boundary: l.boundary()},
		token:  func() (lab.Secret, error) { return resolveSecret(c.Token, l.dir.ReadFile) }}
	v.keys = func(ctx context.Context) (vaultprov.Keys, error) {
		if c.Keys.IsZero() {
			return v.kept(ctx)
		}
		text, err := resolveSecret(c.Keys, l.dir.ReadFile)
		if err != nil {
			return vaultprov.Keys{}, err
		}
		return vaultprov.ParseKeys(text)
	}
	return v
}

// resolveSecret returns what a reference leads to, nothing if it leads nowhere.
func resolveSecret(r lab.SecretRef, file func(string) ([]byte, error)) (lab.Secret, error) {
	if r.IsZero() {
		return lab.Secret{}, nil
	}
	return r.Resolve(os.LookupEnv, file)
}

// kept returns the keys that the sink has.
func (v *vault) kept(ctx context.Context) (vaultprov.Keys, error) {
	text, err := v.init.Sink.Get(ctx, vaultInit)
	if err != nil {
		return vaultprov.Keys{}, err
	}
	return vaultprov.ParseKeys(text)
}

// answers waits for a server that was just installed: its image is downloaded, its volume made.
func (v *vault) answers(ctx context.Context, r *lab.Recorder) error {
	const patience = 10 * time.Minute
	var last error
	err := lab.Wait(ctx, lab.Poll{What: "the Vault at " + v.server.Address, Timeout: patience, Report: r.Wait},
		func(ctx context.Context) (bool, error) {
			_, last = v.server.Status(ctx)
			return last == nil, nil
		})
	return errors.Join(err, last)
}

// vaultInit is the name of the secret with the keys.
const vaultInit = "vault-init"

// shut ends the sessions, which revokes their tokens.
func (v *vault) shut(ctx context.Context) error {
	var errs []error
	if v.root != nil {
		errs = append(errs, v.root.Close(ctx))
	}
	v.root = nil
	if v.close != nil {
		errs = append(errs, v.close())
	}
	return errors.Join(errs...)
}

// vaultInitPlan initialises the Vault, if it is new.
func (l *Lab) vaultInitPlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		if !only.Reaches("vault/init", "init") {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		if !l.Vault.Keys.IsZero() {
			return lab.NewPlan() // it was initialised elsewhere
		}
		p, err := s.vault.server.Init(ctx, s.vault.init)
		if err != nil {
			return nil, err
		}
		return p.Only(only.Globs()...)
	}
}

// vaultUnsealPlan unseals the Vault.
func (l *Lab) vaultUnsealPlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		id := "unseal/" + hostOf(s.vault.server.Address)
		if !only.Reaches(id, hostOf(s.vault.server.Address)) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		keys, err := s.vault.keys(ctx)
		if err != nil {
			return nil, err
		}
		p, err := vaultprov.Unseal(ctx, keys, &s.vault.server)
		if err != nil {
			return nil, err
		}
		return p.Only(only.Globs()...)
	}
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return address
}

// vaultPlan plans what the Vault must hold.
func (l *Lab) vaultPlan(s *site) pipeline.Planner {
	var sink lab.Sink
	if s.stacks != nil {
		sink = s.stacks.sink
	}
	return pipeline.Secrets(sink, func(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
		v := s.vault
		if !only.Reaches(l.vaultSpec(v.apps).IDs()...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		spec, err := l.vaultSecrets(ctx, v.apps, k)
		if err != nil {
			return nil, err
		}
		server, err := v.loggedIn(ctx)
		if err != nil {
			return nil, err
		}
		p, failed := server.Plan(ctx, spec)
		return chosen(p, failed, only)
	})
}

// vaultSecrets returns what the Vault must hold, with the secrets.
func (l *Lab) vaultSecrets(ctx context.Context, a vaultprov.Apps, k *lab.Keyring) (vaultprov.Spec, error) {
	a, err := a.Resolve(os.LookupEnv, l.dir.ReadFile)
	if err != nil {
		return vaultprov.Spec{}, l.locate(at("vault", err))
	}
	if p := a.Postgres; p != nil && p.EditorPassword.IsZero() && l.Postgres != nil {
		made := *p
		if made.EditorPassword, err = l.Postgres.editorPassword(ctx, k, l.dir.ReadFile); err != nil {
			return vaultprov.Spec{}, err
		}
		a.Postgres = &made
	}
	s := l.vaultSpec(a)
	s.FingerprintKey, err = k.Secret(ctx, "vault-fingerprints", nil)
	return s, err
}

// loggedIn returns the server with a token.
func (v *vault) loggedIn(ctx context.Context) (*vaultprov.Server, error) {
	server := v.server
	token, err := v.token()
	if err != nil {
		return nil, err
	}
	if !token.IsZero() {
		server.Token = vaultprov.StaticToken(token)
		return &server, nil
	}
	if v.root == nil { // one for all stages
		keys, err := v.keys(ctx)
		if err != nil {
			return nil, err
		}
		if v.root, err = server.Root(ctx, keys); err != nil {
			v.root = nil
			return nil, err
		}
	}
	server.Token = v.root
	return &server, nil
}

// sandboxVault starts a Vault in this process, which is new.
func (l *Lab) sandboxVault(stacks *stackSource, database *database, forge *gitea) (*vault, error) {
	fake, err := vaulttest.Start(vaulttest.Config{Uninitialized: true})
	if err != nil {
		return nil, err
	}
	v := l.vault(stacks)
	v.server = vaultprov.Server{Address: fake.Address()}
	v.token = func() (lab.Secret, error) { return lab.Secret{}, nil }
	v.keys = v.kept
	v.close = fake.Close
	if v.apps.Issuer != nil && forge != nil {
		v.apps.Issuer = &vaultprov.JWTConfig{DiscoveryURL: forge.issuer}
	}
	if p := v.apps.Postgres; p != nil && database != nil {
		known := *p // it connects to none
		known.EditorPassword = database.spec.Editor.Password
		v.apps.Postgres = &known
	}
	return v, nil
}
