package pgprov_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// fake starts a server for an example; a program would say pgprov.ParseDSN.
func fake(c pgtest.Config) (*pgtest.Server, pgprov.Server) {
	f, err := pgtest.Start(c)
	if err != nil {
		log.Fatal(err)
	}
	return f, f.Access()
}

func Example() {
	f, server := fake(pgtest.Config{})
	defer f.Close()
	ctx := context.Background()

	spec := pgprov.Spec{
		Editor:    pgprov.Login{Password: lab.NewSecret("from Vault")},
		Pooler:    pgprov.Login{Password: lab.NewSecret("from Vault too")},
		Instances: []pgprov.Instance{{Instance: lab.App("erp").In("sandbox"), Extensions: []string{"citext"}}},
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

	p, err = server.Plan(ctx, spec)
	fmt.Println(p.Summary(), err)
	// Output:
	// create pg/role:credentials_editor
	// create pg/role:pgbouncer_auth
	// create pg/erp-sandbox/role:erp_sandbox_role
	// create pg/erp-sandbox/database:erp-sandbox
	// create pg/erp-sandbox/grant:erp_sandbox_role:credentials_editor
	// update pg/erp-sandbox/grants:erp-sandbox
	// create pg/erp-sandbox/extension:citext
	// create pg/erp-sandbox/schema:pgbouncer
	// create pg/erp-sandbox/function:pgbouncer.user_lookup(text)
	// 9 changes: 9 done <nil>
	// nothing to do <nil>
}

func ExampleSpec_allowPG15() {
	f, server := fake(pgtest.Config{Major: 15})
	defer f.Close()
	_, err := server.Plan(context.Background(), pgprov.Spec{})
	fmt.Println(errors.Is(err, lab.ErrRefused), lab.Hints(err))
	_, err = server.Plan(context.Background(), pgprov.Spec{AllowPG15: true})
	fmt.Println(err)
	// Output:
	// true [upgrade to PostgreSQL 16 or later, or accept PostgreSQL 15]
	// <nil>
}

func ExampleServer_identity() {
	f, server := fake(pgtest.Config{Identity: "7300000000000000001"})
	defer f.Close()
	server.Identity = "7399999999999999999" // production's
	_, err := server.Plan(context.Background(), pgprov.Spec{})
	fmt.Println(errors.Is(err, lab.ErrRefused))
	// Output: true
}

func ExampleServer_Drop() {
	f, server := fake(pgtest.Config{})
	defer f.Close()
	ctx := context.Background()
	sandbox := lab.App("erp").In("sandbox")
	p, err := server.Plan(ctx, pgprov.Spec{Instances: []pgprov.Instance{{Instance: sandbox}}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.Apply(ctx, nil); err != nil {
		log.Fatal(err)
	}

	p, err = server.Drop(ctx, pgprov.DropSpec{Instances: []lab.Instance{sandbox}})
	fmt.Print(p)
	fmt.Println(err)
	_, err = p.Apply(ctx, nil)
	fmt.Println(errors.Is(err, lab.ErrRefused))
	typed := "pg/erp-sandbox/database:erp-sandbox" // by a person
	r, err := p.Apply(ctx, &lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm(typed)}})
	fmt.Println(r.Summary(), err)
	// Output:
	// pg/erp-sandbox
	//   - delete  database:erp-sandbox: asked for [dataloss]
	//   - delete  role:erp_sandbox_role: asked for
	//       --- role:erp_sandbox_role
	//       +++ role:erp_sandbox_role
	//       @@ -1 +0,0 @@
	//       -member credentials_editor
	// 2 changes: 2 to delete; risk dataloss
	// <nil>
	// true
	// 2 changes: 2 done <nil>
}

func ExampleSandboxOf() {
	_, err := pgprov.SandboxOf(lab.App("erp").In(lab.Prod))
	fmt.Println(err)
	// Output: take as sandbox erp: refused: it is production
}
