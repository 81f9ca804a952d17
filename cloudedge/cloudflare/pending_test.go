package cloudflare_test

import (
	"slices"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
)

// TestPending: host names that are waited for are no change of a plan, and are told until they are active.
func TestPending(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := cloudflare.Spec{
		Buckets: []cloudflare.Bucket{{Name: "files", Domains: []cloudflare.BucketDomain{{Name: "files.example.fr"}}}},
		Pages:   []cloudflare.Page{{Name: "cms", Domains: []string{"www.example.fr"}}}}
	if _, err := w.apply(t, s); err != nil {
		t.Fatal(err)
	}
	var seen [][]string
	for range 4 {
		pending, err := w.account.Pending(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, pending)
		w.settled(t, s)
	}
	want := []string{"cloudflare/bucket-domain:files/files.example.fr: ownership pending, certificate initializing",
		"cloudflare/page-domain:cms/www.example.fr: initializing"}
	if !slices.Equal(seen[0], want) || len(seen[3]) != 0 {
		t.Errorf("%q", seen)
	}
}
