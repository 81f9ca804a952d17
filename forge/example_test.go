package forge_test

import (
	"context"
	"fmt"
	"log"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
)

func Example() {
	f, err := forgetest.Start(forgetest.Config{}) // a program would fill in a forge.Server
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	server, ctx := f.Access(), context.Background()

	private := true
	spec := forge.Spec{
		Key:           lab.NewSecret("made once, kept by a lab.Keyring"),
		Organizations: []forge.Organization{{Name: "apps", Visibility: "private"}},
		Repositories: []forge.Repository{{Owner: "apps", Name: "cms", Private: &private, Topics: []string{"app"},
			Secrets: []forge.Secret{{Name: "CF_TOKEN", Value: lab.NewSecret("from Vault")}}}},
	}
	p, err := server.Plan(ctx, spec)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range p.Changes() {
		fmt.Println(c.Action, c.ID)
	}
	r, err := p.Apply(ctx, nil)
	fmt.Println(r.Summary(), err)

	spec.Repositories[0].Secrets[0].Value = lab.NewSecret("a newer one")
	p, err = server.Plan(ctx, spec)
	fmt.Printf("%v%v\n", p, err)
	// Output:
	// create forge/organization:apps
	// create forge/repository:apps/cms
	// create forge/secret:apps/cms/CF_TOKEN
	// 3 changes: 3 done <nil>
	// forge
	//   ~ update  secret:apps/cms/CF_TOKEN: its value differs
	// 1 change: 1 to update
	// <nil>
}
