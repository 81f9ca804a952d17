package forge_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
)

// A token is kept in a directory, here in the place of Vault, and copied to where the jobs of a repository look for it.
func ExampleDeliver() {
	gitea, err := forgetest.Start(forgetest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer gitea.Close()
	ctx, server := context.Background(), gitea.Access()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	apply := func(p *lab.Plan, err error) {
		if err == nil {
			_, err = p.Apply(ctx, nil)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	apply(server.Plan(ctx, forge.Spec{Organizations: []forge.Organization{{Name: "apps"}},
		Repositories: []forge.Repository{{Owner: "apps", Name: "cms"}}}))

	record := lab.SecretDir{Path: filepath.Join(dir, "secrets")}
	actions := &forge.ActionsSecrets{Server: &server, Of: "apps/cms", Key: lab.NewSecret("only-for-this-test-0123456789-0123456789")}
	deliver := func() (*lab.Plan, error) {
		return forge.Deliver(ctx, forge.Delivery{Name: "CF_TOKEN", Value: lab.NewSecret("from Cloudflare"),
			Places: []forge.Place{{Sink: record, Name: "cms-cloudflare"}, {Sink: actions}}})
	}
	apply(deliver())
	p, err := deliver()
	fmt.Println(p, err)
	fmt.Println("a job sees:", gitea.Secret("apps/cms", "CF_TOKEN"))
	// Output:
	// nothing to do
	//  <nil>
	// a job sees: from Cloudflare
}
