package cloudflare

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// bucketDomain is a host name of a bucket as the API has it.
type bucketDomain struct {
	Domain  string `json:"domain"`
	Enabled bool   `json:"enabled"`
	MinTLS  string `json:"minTLS,omitempty"`
	ZoneID  string `json:"zoneId"`
	Status  struct {
		Ownership string `json:"ownership"`
		SSL       string `json:"ssl"`
	} `json:"status"`
}

// broken says what is wrong with a domain that does not become active by itself; "" if nothing is.
func (d bucketDomain) broken() string {
	for _, s := range []string{d.Status.Ownership, d.Status.SSL} {
		if s == "blocked" || s == "error" || s == "deactivated" {
			return "ownership " + d.Status.Ownership + ", certificate " + d.Status.SSL
		}
	}
	return ""
}

// bucketDomains are the host names of buckets. None is removed: whoever reads by one that is not named shall go on.
func (r *run) bucketDomains() reconcile.Kind {
	want := map[string]BucketDomain{}
	for _, b := range r.spec.Buckets {
		for _, d := range b.Domains {
			want[b.key()+"/"+host(d.Name)] = d
		}
	}
	return reconcile.Collection[BucketDomain, bucketDomain]{
		Name: "bucket-domain", Want: want,
		List: r.listBucketDomains,
		Diff: r.diffBucketDomain,
		Put:  r.putBucketDomain,
		After: func(key string, w BucketDomain) []string {
			after := []string{"bucket:" + key[:strings.LastIndexByte(key, '/')]}
			for _, z := range r.spec.Zones {
				if inZone(host(w.Name), host(z.Name)) {
					after = append(after, "zone:"+host(z.Name))
				}
			}
			return after
		},
	}
}

func (r *run) listBucketDomains(ctx context.Context) (map[string]bucketDomain, error) {
	all, err := r.existingBuckets(ctx)
	if err != nil {
		return nil, err
	}
	has := map[string]bucketDomain{}
	buckets := slices.DeleteFunc(slices.Clone(r.spec.Buckets), func(b Bucket) bool {
		_, exists := all[b.key()]
		return !exists || len(b.Domains) == 0
	})
	lists, err := reconcile.Each(ctx, r.account.parallel(), buckets, func(ctx context.Context, b Bucket) (l struct {
		Domains []bucketDomain `json:"domains"`
	}, err error) {
		err = r.send(ctx, r.bucketRequest(b.key(), http.MethodGet, nil, "domains", "custom"), &l)
		return l, err
	})
	if err != nil {
		return nil, err
	}
	for n, b := range buckets {
		for _, d := range lists[n].Domains {
			has[b.key()+"/"+host(d.Domain)] = d
		}
	}
	return has, nil
}

func bucketDomainFields(w BucketDomain, h bucketDomain) (f reconcile.Fields) {
	on := true
	f.Flag("enabled", &on, h.Enabled)
	f.Text("minTLS", w.MinTLS, h.MinTLS)
	return f
}

func (r *run) diffBucketDomain(key string, w BucketDomain, h *bucketDomain) reconcile.Delta {
	if h == nil {
		return bucketDomainFields(w, bucketDomain{}).Created(key)
	}
	if broken := h.broken(); broken != "" && h.Enabled {
		return reconcile.Delta{Err: r.fail("plan bucket-domain", key, "see the domain in the settings of the bucket", lab.ErrBlocked,
			"Cloudflare cannot serve it: "+broken)}
	}
	return r.unmarked("bucket-domain", key, bucketDomainFields(w, *h).Changed(key))
}

func (r *run) putBucketDomain(ctx context.Context, key string, w BucketDomain, h *bucketDomain) error {
	slash := strings.LastIndexByte(key, '/')
	bucket, domain := key[:slash], key[slash+1:]
	in := map[string]any{"enabled": true}
	if w.MinTLS != "" {
		in["minTLS"] = w.MinTLS
	}
	if h == nil {
		zone, err := r.zoneOf(ctx, domain)
		if err != nil {
			return err
		}
		create := map[string]any{"domain": domain, "zoneId": zone.ID}
		for name, value := range in {
			create[name] = value
		}
		err = r.send(ctx, r.bucketRequest(bucket, http.MethodPost, create, "domains", "custom"), nil)
		if status(err) != http.StatusConflict {
			return err
		}
	}
	return r.send(ctx, r.bucketRequest(bucket, http.MethodPut, in, "domains", "custom", domain), nil)
}
