package gitops_test

import (
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/gitops"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

var update = flag.Bool("update", false, "write the golden manifests")

// lab7 is the lab's root with its seven apps.
func lab7(updater string) gitops.Root {
	app := func(name, org string, digest bool) gitops.App {
		a := gitops.App{Instance: lab.App(name).In(lab.Prod), Org: org}
		if digest {
			if org == "" {
				org = "arcodange-org"
			}
			a.Images = []gitops.Image{{Name: a.Image("gitea.arcodange.lab", org) + ":latest"}}
		}
		return a
	}
	erp := app("erp", "", false)
	erp.Stateful = true
	return gitops.Root{Enabled: true, Version: "9.1.0", Host: "argocd.arcodange.lab", Forge: "https://gitea.arcodange.lab",
		ForgeCA: "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n", User: "argocd", Token: lab.NewSecret("token-of-argocd"),
		DefaultOrg: "arcodange-org", Updater: gitops.Updater{Enabled: true, Version: updater}, Apps: []gitops.App{
			app("url-shortener", "", false), app("tools", "", false), app("webapp", "", true), app("telegram-gateway", "arcodange", true), erp,
			app("cms", "", true), app("dance-lessons-coach", "arcodange", true)}}
}

// TestGolden holds the manifests of the lab's seven apps against what was reviewed.
func TestGolden(t *testing.T) {
	for _, version := range []string{"1.2.0", "1.0.0", "0.14.0"} {
		root := lab7(version)
		objects, err := root.Objects()
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, o := range objects {
			text = append(text, o.YAML())
		}
		golden(t, "lab-updater-"+version+".yaml", strings.Join(text, "---\n"))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s: %v\n%s", name, err, lab.Diff(name, want, []byte(got)))
	}
}

func TestNothingUnlessEnabled(t *testing.T) {
	root := lab7("1.0.0")
	root.Enabled = false
	spec, err := root.Spec()
	if err != nil || len(spec.Objects) > 0 || spec.Prune {
		t.Errorf("%v %v", spec, err)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*gitops.Root)
		says   string
	}{
		{"no apps", func(r *gitops.Root) { r.Apps = nil }, "apps: is empty"},
		{"no organisation", func(r *gitops.Root) { r.DefaultOrg = "" }, "defaultOrg: empty"},
		{"no version", func(r *gitops.Root) { r.Version = "" }, "version: empty"},
		{"a forge without TLS", func(r *gitops.Root) { r.Forge = "http://gitea.arcodange.lab" }, "forge: is not the URL"},
		{"a forge with a password", func(r *gitops.Root) { r.Forge = "https://a:b@gitea.arcodange.lab" }, "forge: is not the URL"},
		{"a user without a token", func(r *gitops.Root) { r.Token = lab.Secret{} }, "user: it needs a token"},
		{"no tag", func(r *gitops.Root) { r.Apps[2].Images[0].Name = "gitea.arcodange.lab:3000/a/webapp" }, "apps[2].images[0].name: has no tag"},
		{"a digest", func(r *gitops.Root) { r.Apps[2].Images[0].Name = "a/webapp:latest@sha256:abc" }, "apps[2].images[0].name"},
		{"an alias twice", func(r *gitops.Root) { r.Apps[2].Images = append(r.Apps[2].Images, r.Apps[2].Images[0]) },
			`alias: "app" is there twice`},
		{"nobody updates", func(r *gitops.Root) { r.Updater.Enabled = false }, "apps[2].images: nobody updates them"},
		{"an app twice, in two organisations", func(r *gitops.Root) { r.Apps = append(r.Apps, r.Apps[0]); r.Apps[7].Org = "other" }, "apps[7]"},
		{"a name that is none", func(r *gitops.Root) { r.Apps[0].App = "URL_shortener" }, "apps[0]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := lab7("1.0.0")
			test.change(&root)
			if err := root.Validate(); !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want %q", err, test.says)
			}
		})
	}
}

// TestApply applies the lab's root, and takes apps out of the list, on the fake and on a real API server with the
// real definitions.
func TestApply(t *testing.T) {
	t.Run("Fake", func(t *testing.T) { applied(t, k3stest.NewServer(), "") })
	t.Run("Real", func(t *testing.T) { applied(t, real.KubeAPIServer(t).Handler(), real.CRDs(t, "k3s")) })
}

func applied(t *testing.T, api http.Handler, helm string) {
	cluster := k3stest.Start(t, k3stest.WithHelm(api, nil)).Cluster()
	apply(t, cluster, kube.Spec{Owner: "definitions", Objects: parse(t, real.CRDs(t, "argo-cd")+"\n---\n"+helm)})
	apply(t, cluster, specOf(t, lab7("0.14.0")))
	fewer := func(n int) gitops.Root {
		root := lab7("0.14.0")
		root.Apps = root.Apps[:n]
		return root
	}
	if p, err := cluster.Plan(t.Context(), specOf(t, fewer(5))); !errors.Is(err, lab.ErrRefused) || !p.Empty() {
		t.Errorf("two apps of seven are removed at once: %v\n%v", err, p)
	}
	p, err := cluster.Plan(t.Context(), specOf(t, fewer(6)))
	if c := p.Changes(); err != nil || len(c) != 1 || c[0].Action != lab.Delete || c[0].Risk != lab.RiskDataLoss {
		t.Errorf("%v\n%v", err, p)
	}
	if r, err := p.Apply(t.Context(), nil); err == nil && r.Complete() {
		t.Error("an app was removed without a confirmation")
	}
}

func specOf(t *testing.T, root gitops.Root) kube.Spec {
	t.Helper()
	spec, err := root.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func apply(t *testing.T, c *kube.Cluster, spec kube.Spec) {
	t.Helper()
	p, err := c.Plan(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Fatalf("%v\n%v", err, r)
	}
	if p, err := c.Plan(t.Context(), spec); err != nil || !p.Empty() {
		t.Fatalf("after the apply: %v\n%v", err, p)
	}
}

func parse(t *testing.T, manifests string) []kube.Object {
	t.Helper()
	all, err := kube.ParseObjects([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
