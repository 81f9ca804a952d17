package cloudflare_test

import (
	"context"
	"fmt"
	"log"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
)

func Example() {
	f, err := cloudflaretest.Start(cloudflaretest.Config{Zones: []string{"example.com"}}) // a program would fill in an Account
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	account, ctx := f.Access(), context.Background()

	spec := cloudflare.Spec{Zones: []cloudflare.Zone{{Name: "example.com", Records: []cloudflare.Record{
		{Name: "@", Type: "MX", Contents: []string{"10 mx.example.org", "20 mx2.example.org"}},
		{Name: "www", Type: "A", Contents: []string{"192.0.2.1"}},
	}}}}
	p, err := account.Plan(ctx, spec)
	if err != nil {
		log.Fatal(err)
	}
	r, err := p.Apply(ctx, nil)
	fmt.Println(r.Summary(), err)

	spec.Zones[0].Records[1].Contents = []string{"192.0.2.2"} // the address is changed, and none is added
	p, err = account.Plan(ctx, spec)
	fmt.Printf("%v%v\n", p, err)
	// Output:
	// 2 changes: 2 done <nil>
	// cloudflare
	//   ~ update  record:example.com/A/www: contents differ [disrupt]
	//       --- example.com/A/www
	//       +++ example.com/A/www
	//       @@ -1,2 +1,2 @@
	//        contents:
	//       -  - 192.0.2.1
	//       +  - 192.0.2.2
	// 1 change: 1 to update; risk disrupt
	// <nil>
}
