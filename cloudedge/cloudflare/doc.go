// Package cloudflare provisions an account of Cloudflare: R2 buckets, scoped API tokens, zones with their settings and
// records, tunnels, Pages projects and Turnstile widgets. It observes the account, plans what differs, and applies exactly
// that; the plan after an apply is empty. There is no state but the account itself, and the secrets in a sink.
//
//	a := &cloudflare.Account{ID: id, Token: token, Boundary: boundary}
//	p, err := a.Plan(ctx, cloudflare.Spec{
//		Sink: vault,
//		Tokens: []cloudflare.Token{{Name: "cms", Secret: "cms/cloudflare", Grants: []cloudflare.Grant{
//			{Permissions: []string{"DNS Write"}, Zones: []string{"example.com"}}}}},
//		Zones: []cloudflare.Zone{{Name: "example.com", Records: []cloudflare.Record{
//			{Name: "www", Type: "CNAME", Contents: []string{"example.pages.dev"}}}}},
//	})
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
//
// The real Cloudflare was never asked: everything here was tried on package cloudflaretest, which is held against the API
// documents that Cloudflare publishes, and against cloudflare-go. Begin with a plan, in an account that holds nothing of value.
//
// # What is compared
//
// Only what the spec says: what Cloudflare computes, and what the spec leaves empty, is left. A name finds its object, and
// no identifier is kept anywhere: zones and buckets are found by their names, buckets by their jurisdiction too, which
// every request about them says. Policies of tokens are compared as sets of a permission, on a resource. What cannot be
// changed, such as the jurisdiction of a bucket, is a conflict that is reported, and nothing is ever replaced.
//
// # Whose it is
//
// The comments of records hold a mark, "managed-by=lab;owner=STACK/record/TYPE/NAME"; tokens and tunnels are called
// lab/STACK/NAME, and lifecycle rules of buckets lab-NAME. What has the name of a wanted object, differs from it, and has no
// such mark, is a conflict; [Spec.Adopt] takes it over. What has the mark of another stack is a conflict always. Buckets,
// settings, Pages projects, widgets and their host names can carry no mark: those that are wanted are taken for ours, unless
// [Spec.Owned] says otherwise.
//
// With [Spec.Prune], records, tokens and tunnels of ours that are not wanted any more are removed, after everything else
// was made. Zones, buckets, Pages projects, widgets and settings are never removed, and neither is a record that Cloudflare
// has made, such as that of a bucket's host name.
//
// # Records
//
// A [Record] is all that a name has of one type: an address that differs is changed, and none is added beside it. All records
// of a zone are changed in batches, of 200 at most as the free plan has it; Cloudflare does each batch whole or not at
// all, with what is deleted first, so that a name whose type changes is never without an answer. A batch
// that is refused for one record is made for none. Long texts are split in strings of 255 bytes; quotes, dots at the end, upper
// case and letters beyond a-z make no difference. TXT records of others are left beside ours, unless both say
// "v=spf1", or the like, of which a name has one: that is a conflict, as is a mail server or an address of others.
//
// # Secrets
//
// The value of a token is shown once. The sink is proved to be writable, the token is made, its value is stored, read back and
// proved by asking Cloudflare as the token. A run that is cut off leaves at most one token of ours that nobody
// knows, which the next run removes. A token whose value is lost, or that is older than [Token.MaxAge], gets a successor; the
// one before is removed after its grace, if it was ever used, and at once if it was not. Two runs at once end with one
// token. One that somebody has disabled, and the value of a user's token that works, are reported and not replaced. The
// tokens of tunnels and the secrets of widgets are shown again: they are put back into the sink where they lack or differ.
// [S3] computes the credentials for the S3 API of R2 from a token.
//
// # Cost
//
// A plan of an account that is as wanted costs: one request for each jurisdiction and each 20 to 1,000 buckets (as many as
// Cloudflare gives at once), and for each wanted bucket one for r2.dev and one each for lifecycle, CORS and host names, if those are
// wanted; one for each 50 tokens, one for the permission groups, and one for each wanted token; one for each 50 zones,
// one for each 1,000 records of a wanted zone, and one for each wanted setting; one for each 100 tunnels, and one or two for each
// wanted tunnel; one or two for each Pages project; one for each 50 widgets and one for each wanted one. 1,000 records cost 2
// requests, and 9 to create them, where Terraform's provider sends one request for each record, each time.
//
// Four requests are sent a second, and [Account.Parallel] are under way at once. Reads are sent again when they fail; what
// writes is sent again only if Cloudflare says that it was not done, with 429. cloudflare-go is not used: it sends a POST
// again whose answer was lost, and takes an answer that says "success": false for an empty one.
//
// # Errors
//
// What is wrong with a spec comes as [lab.Problems]; what Cloudflare said as a [*ServerError] in a [*lab.Error], with the sentinel
// of package lab that fits. A host name of a bucket or a project that is waited for is no change and no error, and one that
// Cloudflare has blocked is an error; [Account.Pending] says which are waited for.
//
// # Limits
//
// Tokens are those of the account, not of a user. Host names of buckets and projects are added and changed, and never
// removed. Of records, those are known that a lab needs: A, AAAA, CAA, CNAME, MX, NS, SRV and TXT. The codes of R2's errors are
// those of its documentation. The documents that Cloudflare publishes and the tests use are of 2024: they have no batches of
// records, whose parts are checked one by one, and no widgets, which are made as the reference says.
package cloudflare
