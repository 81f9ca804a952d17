package forge_test

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// ciWorkflow logs in to Vault as docs/forge.md shows it, and reads a secret.
//
//go:embed testdata/vault.yaml
var ciWorkflow string

// vaultSide is a Vault, as this test uses it.
type vaultSide struct {
	server *vaultprov.Server
	record vaultprov.KV // what is made once, in Vault
}

// vaultFor sets up a Vault that a job can log in to: the method gitea_jwt and the role gitea_cicd, for the id_tokens of an
// identity. Nil claims: only the engine.
func vaultFor(t *testing.T, v *real.VaultServer, claims *forge.JobClaims) vaultSide {
	t.Helper()
	s := &vaultprov.Server{Address: v.Address, Token: vaultprov.StaticToken(lab.NewSecret(v.Token))}
	spec := vaultprov.Spec{Mounts: []vaultprov.Mount{{Path: "kvv2", Type: "kv"}}}
	if claims != nil {
		spec.Auths = []vaultprov.Auth{{Path: "gitea_jwt", Type: "jwt",
			JWT: &vaultprov.JWTConfig{DiscoveryURL: claims.Issuer, Issuer: claims.Issuer}}}
		spec.Policies = []vaultprov.Policy{{Name: "cms-ops", Text: `path "kvv2/data/cms/config" { capabilities = ["read"] }`}}
		spec.JWTRoles = []vaultprov.JWTRole{{Name: "gitea_cicd", Audiences: []string{claims.ClientID}, Subject: claims.Subject,
			UserClaim: "preferred_username", Token: vaultprov.RoleToken{Policies: []string{"cms-ops"}, TTL: 10 * time.Minute}}}
	}
	p, err := s.Plan(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), confirmed(p)); err != nil || !r.Complete() {
		t.Fatal(err, r)
	}
	return vaultSide{s, vaultprov.KV{Server: s, Mount: "kvv2", Path: "ci"}}
}

// TestJobLogsInToVault pushes a workflow, which a real runner runs, and which logs in to a real Vault through gitea_jwt and
// the role gitea_cicd. Nobody gives it a token of Vault.
func TestJobLogsInToVault(t *testing.T) {
	real.Long(t)
	v := real.VaultDev(t)
	w := realWorld(t)
	record := vaultFor(t, v, nil).record

	// The identity, whose secrets are made once and kept in Vault.
	spec := forge.Spec{Key: fingerprints, Sink: record,
		Organizations: []forge.Organization{{Name: "arcodange-org"}},
		Repositories:  []forge.Repository{{Owner: "arcodange-org", Name: "cms", Actions: yes(), Private: yes()}},
		JobIdentities: []forge.JobIdentity{{Name: "gitea_cicd", Email: "gitea-cicd@example.com", Password: lab.NewSecret(jobPassword)},
			{Name: "other", Email: "other@example.com", Password: lab.NewSecret(jobPassword)}}}
	converge(t, w.server(), spec)
	claims, err := w.server().JobClaims(t.Context(), "gitea_cicd")
	if err != nil {
		t.Fatal(err)
	}
	vault := vaultFor(t, v, &claims)
	proof := lab.NewSecret("what only the job may read")
	if err := (vaultprov.KV{Server: vault.server, Mount: "kvv2", Path: "cms"}).Put(t.Context(), "config#proof", proof); err != nil {
		t.Fatal(err)
	}

	// What the job needs, where it looks for it.
	spec.Repositories[0].Variables = []forge.Variable{{Name: "JOBS_CLIENT_ID", Value: claims.ClientID}, {Name: "VAULT_ADDR", Value: v.Address}}
	converge(t, w.server(), spec)
	actions := &forge.ActionsSecrets{Server: w.server(), Of: "arcodange-org/cms", Key: fingerprints}
	deliver := func() *lab.Plan {
		p, err := forge.Deliver(t.Context(),
			forge.Delivery{Name: "JOBS_CLIENT_SECRET", Places: []forge.Place{
				{Sink: record, Name: forge.SecretName("gitea_cicd", forge.JobApplication)}, {Sink: actions}}},
			forge.Delivery{Name: "JOBS_REFRESH_TOKEN", Places: []forge.Place{
				{Sink: record, Name: forge.RefreshTokenName("gitea_cicd")}, {Sink: actions}}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if r, err := deliver().Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Fatal(err, r)
	}
	if p := deliver(); !p.Empty() {
		t.Fatalf("after it was delivered, there is to do:\n%v", p)
	}

	var registration struct{ Token string }
	w.must(t, "POST", "/admin/actions/runners/registration-token", nil, &registration)
	real.Runner(t, real.RunnerOptions{URL: w.upstream, Token: registration.Token, Name: "pi1"})
	w.push(t, "arcodange-org/cms", ".gitea/workflows/vault.yaml", ciWorkflow)
	log := w.runsWell(t, "arcodange-org/cms")
	if read := fmt.Sprintf("read: %x", sha256.Sum256([]byte(proof.Reveal()))); !strings.Contains(log, read) {
		t.Errorf("the job has not read the secret:\n%s", log)
	}
	secretOf := func(name string) lab.Secret {
		s, err := record.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	lawtest.NoSecret(t, []lab.Secret{proof, lab.NewSecret(v.Token), secretOf(forge.RefreshTokenName("gitea_cicd")),
		secretOf(forge.SecretName("gitea_cicd", forge.JobApplication))}, log)

	// The tokens of another identity, which the same server signs, are refused.
	other, err := w.server().JobClaims(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]forge.JobClaims{"gitea_cicd": claims, "other": other} {
		source := &vaultprov.GiteaIDToken{Address: w.upstream, ClientID: c.ClientID,
			ClientSecret: secretOf(forge.SecretName(name, forge.JobApplication)), Refresh: secretOf(forge.RefreshTokenName(name))}
		session, err := vault.server.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd", IDToken: source})
		if (err == nil) != (name == "gitea_cicd") {
			t.Errorf("%s logs in: %v", name, err)
		}
		if err == nil {
			if err := session.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// push commits a file to the default branch.
func (w *world) push(tb testing.TB, repository, file, content string) {
	tb.Helper()
	w.must(tb, "POST", "/repos/"+repository+"/contents/"+file,
		map[string]any{"content": base64.StdEncoding.EncodeToString([]byte(content)), "message": "add " + file}, nil)
}

// runsWell waits for the only run of a repository, and returns its log. It fails the test unless the run succeeds.
func (w *world) runsWell(tb testing.TB, repository string) string {
	tb.Helper()
	type run struct {
		ID                 int64
		Status, Conclusion string
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var runs struct {
			Runs []run `json:"workflow_runs"`
		}
		w.must(tb, "GET", "/repos/"+repository+"/actions/runs", nil, &runs)
		if len(runs.Runs) == 1 && runs.Runs[0].Status == "completed" {
			var jobs struct {
				Jobs []struct{ ID int64 } `json:"jobs"`
			}
			w.must(tb, "GET", fmt.Sprintf("/repos/%s/actions/runs/%d/jobs", repository, runs.Runs[0].ID), nil, &jobs)
			_, log := w.call(tb, "GET", fmt.Sprintf("/repos/%s/actions/jobs/%d/logs", repository, jobs.Jobs[0].ID), nil)
			if runs.Runs[0].Conclusion != "success" {
				tb.Fatalf("it ended in %s:\n%s", runs.Runs[0].Conclusion, log)
			}
			return string(log)
		}
		select {
		case <-tick.C:
		case <-tb.Context().Done():
			tb.Fatal(runs)
		}
	}
}
