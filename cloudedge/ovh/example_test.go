package ovh_test

import (
	"context"
	"fmt"
	"log"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
)

func Example() {
	f, err := ovhtest.Start(ovhtest.Config{}) // a program would fill in an ovh.Account
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	f.AddZone("example.com", "www IN A 192.0.2.1")
	f.AddDomain("example.com", "dns104.ovh.net", "ns104.ovh.net")
	account, ctx := f.Access(), context.Background()

	spec := ovh.Spec{
		Zones: []ovh.Zone{{Name: "example.com", Records: []ovh.Record{{Type: "TXT", Name: "_dmarc", Targets: []string{"v=DMARC1; p=reject"}}}}},
		Delegations: []ovh.Delegation{{Domain: "example.com", NameServers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"},
			Other: func(context.Context) ([]ovh.Record, error) {
				return []ovh.Record{{Type: "TXT", Name: "_dmarc", Targets: []string{"v=DMARC1; p=reject"}}}, nil
			}}},
	}
	p, err := account.Plan(ctx, spec)
	for _, c := range p.Changes() {
		fmt.Println(c.Action, c.ID)
	}
	fmt.Println(err != nil) // www is not on the other side
	spec.Delegations[0].Dropped = []string{"A www"}
	if p, err = account.Plan(ctx, spec); err != nil {
		log.Fatal(err)
	}
	r, err := p.Apply(ctx, nil)
	fmt.Println(r.Summary(), err)
	fmt.Println(f.NameServers("example.com"))
	// Output:
	// create ovh/record:example.com/TXT/_dmarc
	// true
	// 2 changes: 2 done <nil>
	// [ada.ns.cloudflare.com bob.ns.cloudflare.com]
}

func ExampleActions() {
	for _, a := range ovh.Actions("remove-ds") {
		fmt.Println(a)
	}
	// Output:
	// dnsZone:apiovh:dnssec/delete
	// dnsZone:apiovh:get
	// domain:apiovh:dsRecord/create
	// domain:apiovh:dsRecord/get
	// domain:apiovh:get
	// domain:apiovh:task/get
}
