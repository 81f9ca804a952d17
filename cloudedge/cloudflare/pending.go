package cloudflare

import (
	"context"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// Pending returns which host names of buckets and Pages projects in the spec Cloudflare does not serve yet, each as the ID of
// its change and a text: "cloudflare/page-domain:cms/www.example.com: initializing". A plan has nothing to do about them: they
// become active by themselves, once their records are served and their certificates are made. One that the account does not
// have is not among them.
func (a *Account) Pending(ctx context.Context, spec Spec) ([]string, error) {
	if err := append(a.Validate(), spec.Validate()...).Err(); err != nil {
		return nil, err
	}
	r := &run{client: a.client(), spec: spec, reads: &reconcile.Reads{}}
	defer r.close()
	var pending []string
	if len(spec.Buckets) > 0 {
		all, err := r.listBucketDomains(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range spec.Buckets {
			for _, d := range b.Domains {
				key := b.key() + "/" + host(d.Name)
				if s := all[key].Status; s.Ownership+s.SSL != "" && (s.Ownership != "active" || s.SSL != "active") {
					pending = append(pending, step+"/bucket-domain:"+key+": ownership "+s.Ownership+", certificate "+s.SSL)
				}
			}
		}
	}
	if len(spec.Pages) > 0 {
		all, err := r.listPageDomains(ctx)
		if err != nil {
			return nil, err
		}
		for key, d := range all {
			wanted := slices.ContainsFunc(spec.Pages, func(p Page) bool {
				return slices.ContainsFunc(p.Domains, func(name string) bool { return p.Name+"/"+host(name) == key })
			})
			if wanted && d.Status != "active" {
				pending = append(pending, step+"/page-domain:"+key+": "+d.Status)
			}
		}
	}
	slices.Sort(pending)
	return pending, nil
}
