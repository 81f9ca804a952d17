package cloudflare

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

const (
	automatic    = 1 // the TTL that Cloudflare chooses
	recordsAPage = 1000
	mostInBatch  = 200 // records, of a zone with the free plan ("Batch record changes" in Cloudflare's documentation)
	maxComment   = 100 // characters, of a zone with the free plan
)

// rrset is a wanted record, which has several contents.
type rrset struct {
	Record
	zone, name string // whole
	contents   []rdata
}

// set is what a zone has of a name and a type.
type set struct {
	records []apiRecord
	beside  []apiRecord // of other types, with which they cannot be
}

func recordKey(zone, typ, name string) string { return zone + "/" + typ + "/" + within(name, zone) }

// wantedRecords are the records of all zones, by key.
func (s *Spec) wantedRecords() map[string]rrset {
	want := map[string]rrset{}
	for _, z := range s.Zones {
		zone := host(z.Name)
		for _, x := range z.Records {
			w := rrset{Record: x, zone: zone, name: whole(x.Name, zone)}
			for _, c := range x.Contents {
				if tunnel, found := strings.CutPrefix(c, tunnelPrefix); found {
					w.contents = append(w.contents, rdata{typ: x.Type, text: tunnelPrefix + tunnel})
				} else if d, err := parseRdata(x.Type, c); err == nil {
					w.contents = append(w.contents, d)
				}
			}
			want[recordKey(zone, x.Type, w.name)] = w
		}
	}
	return want
}

// recordMark is the mark in the comment of a record. A name that is too long for it is there by its hash.
func (r *run) recordMark(key string) string {
	_, name, _ := strings.Cut(key, "/")
	m := r.mark("record", name).String()
	if len(m) > maxComment || strings.ContainsAny(name, ";= ") {
		sum := sha256.Sum256([]byte(name))
		m = r.mark("record", hex.EncodeToString(sum[:8])).String()
	}
	return m
}

// comment is the mark, and then what the spec says, or what is there.
func (r *run) comment(key string, w rrset, has string) string {
	said := cmp.Or(w.Comment, unmarked(has))
	if said == "" {
		return r.recordMark(key)
	}
	return r.recordMark(key) + "; " + said
}

// unmarked is a comment without a mark.
func unmarked(comment string) string {
	var said []string
	for part := range strings.SplitSeq(comment, ";") {
		part = strings.TrimSpace(part)
		if part != "" && part != "managed-by=lab" && !strings.HasPrefix(part, "owner=") {
			said = append(said, part)
		}
	}
	return strings.Join(said, "; ")
}

// owner returns whose a record is: "" if it has no mark.
func (a apiRecord) owner() string {
	m, ok := mark.Parse(a.Comment)
	if !ok || m.Kind != "record" {
		return ""
	}
	return m.Stack
}

func (r *run) ours(a apiRecord) bool { return a.owner() == r.spec.stack() }

func (r *run) records() reconcile.Kind {
	want := r.spec.wantedRecords()
	return reconcile.Collection[rrset, set]{
		Name: "record", Want: want,
		List: func(ctx context.Context) (map[string]set, error) { return r.listRecords(ctx, want) },
		Diff: r.diffRecord,
		After: func(_ string, w rrset) []string {
			after := []string{"zone:" + w.zone}
			for _, c := range w.contents {
				if tunnel, found := strings.CutPrefix(c.text, tunnelPrefix); found {
					after = append(after, "tunnel:"+tunnel)
				}
			}
			return after
		},
		Owned: func(_ string, h set) bool { return slices.ContainsFunc(h.records, r.ours) },
		Loss:  lab.RiskDisrupt,
		Group: func(key string) string {
			zone, _, _ := strings.Cut(key, "/")
			return zone
		},
		Batch: r.batchRecords, Most: mostInBatch,
	}
}

// allRecords returns all records of a zone: 1,000 in a request. One that does not exist has none.
func (r *run) allRecords(ctx context.Context, name string) ([]apiRecord, error) {
	zones, err := r.zones(ctx)
	if err != nil {
		return nil, err
	}
	z, ok := zones[name]
	if !ok {
		return nil, nil
	}
	return list[apiRecord](ctx, r.client, request{path: path("zones", z.ID, "dns_records")}, recordsAPage)
}

func (r *run) listRecords(ctx context.Context, want map[string]rrset) (map[string]set, error) {
	if r.spec.Tunnels != nil { // whose IDs are in contents
		if _, err := r.existingTunnels(ctx); err != nil {
			return nil, err
		}
	}
	var zones []string
	for _, z := range r.spec.Zones {
		if z.Records != nil {
			zones = append(zones, host(z.Name))
		}
	}
	lists, err := reconcile.Each(ctx, r.account.parallel(), zones, r.allRecords)
	if err != nil {
		return nil, err
	}
	has := map[string]set{}
	for n, zone := range zones {
		byName := map[string][]apiRecord{}
		for _, a := range lists[n] {
			name := host(a.Name)
			key := recordKey(zone, a.Type, name)
			s := has[key]
			s.records = append(s.records, a)
			has[key] = s
			byName[name] = append(byName[name], a)
		}
		for key, w := range want {
			if w.zone != zone {
				continue
			}
			s := has[key]
			for _, a := range byName[w.name] {
				if excludes(w, a) {
					s.beside = append(s.beside, a)
				}
			}
			if len(s.records)+len(s.beside) > 0 {
				has[key] = s
			}
		}
	}
	return has, nil
}

// excludes reports whether a record cannot be beside a wanted one of another type. At the zone itself, Cloudflare resolves
// a CNAME to addresses, so that it can be beside others.
func excludes(w rrset, a apiRecord) bool {
	addresses := []string{"A", "AAAA"}
	switch {
	case a.Type == w.Type:
		return false
	case w.Type != "CNAME" && a.Type != "CNAME":
		return false
	case w.name == w.zone:
		return slices.Contains(addresses, w.Type) || slices.Contains(addresses, a.Type)
	}
	return true
}

// operations are what is done in a batch to make a set what is wanted.
type operations struct {
	deletes []apiRecord
	patches []patch
	posts   []rdata
	differ  reconcile.Fields // what is wanted and what is there, for people
}

type patch struct {
	apiRecord
	to rdata
}

func (o operations) empty() bool { return len(o.deletes)+len(o.patches)+len(o.posts) == 0 }

// operations compares a wanted set with what is there. What stays is paired by content; what is left over of both is paired
// by patches, so that a name never is without an answer in between.
func (r *run) operations(key string, w rrset, h *set) (o operations) {
	if h == nil {
		h = &set{}
	}
	var texts, had []string
	left := slices.DeleteFunc(slices.Clone(h.records), func(a apiRecord) bool { return !r.ours(a) })
	left = append(left, slices.DeleteFunc(slices.Clone(h.records), r.ours)...) // ours first
	for _, a := range h.records {
		had = append(had, a.content())
	}
	var missing []rdata
	for _, c := range w.contents {
		c.text = r.resolved(c.text)
		texts = append(texts, c.String())
		n := slices.IndexFunc(left, func(a apiRecord) bool { return a.content() == c.String() })
		if n < 0 {
			missing = append(missing, c)
			continue
		}
		if a := left[n]; len(r.recordFields(key, w, a).Differ()) > 0 {
			o.patches = append(o.patches, patch{a, c})
		}
		left = slices.Delete(left, n, n+1)
	}
	if w.Type == "TXT" { // those of others say other things, and are left
		other := func(a apiRecord) bool { return !r.ours(a) && !slices.ContainsFunc(texts, a.contradicts) }
		left = slices.DeleteFunc(left, other)
		had = nil
		for _, a := range h.records {
			if !other(a) || slices.Contains(texts, a.content()) {
				had = append(had, a.content())
			}
		}
	}
	for len(missing) > 0 && len(left) > 0 {
		o.patches = append(o.patches, patch{left[0], missing[0]})
		missing, left = missing[1:], left[1:]
	}
	o.posts = missing
	o.deletes = append(left, h.beside...)
	o.differ.Lines("contents", texts, had)
	for _, p := range o.patches {
		for _, f := range r.recordFields(key, w, p.apiRecord) {
			if f.Want != f.Has {
				o.differ = append(o.differ, f)
			}
		}
	}
	for _, a := range h.beside {
		o.differ.Exact(a.Type, "removed, since it cannot be beside "+w.Type, a.content())
	}
	return o
}

// contradicts reports whether a text is of the same kind as that of the record, of which a name has one: with two of
// "v=spf1", mail is judged by neither (RFC 7208, 4.5), and so it is with two of "v=DMARC1" (RFC 7489, 6.6.3).
func (a apiRecord) contradicts(text string) bool {
	kind := func(text string) string {
		end := strings.IndexAny(text, " ;")
		if end < 0 {
			end = len(text)
		}
		if kind := strings.ToLower(text[:end]); strings.HasPrefix(kind, "v=") {
			return kind
		}
		return ""
	}
	return kind(text) != "" && kind(text) == kind(a.content())
}

// recordFields are what is compared beside the content.
func (r *run) recordFields(key string, w rrset, a apiRecord) (f reconcile.Fields) {
	proxied := a.Proxied
	if w.Proxied != nil {
		proxied = *w.Proxied
	}
	f.Flag("proxied", w.Proxied, a.Proxied)
	if w.TTL != 0 && !proxied { // that of a proxied record is always automatic
		f.Exact("ttl", fmt.Sprint(w.TTL), fmt.Sprint(a.TTL))
	}
	if r.ours(a) || r.spec.Adopt {
		f.Exact("comment", r.comment(key, w, a.Comment), a.Comment)
	} else {
		f.Text("comment", w.Comment, unmarked(a.Comment))
	}
	return f
}

func (r *run) diffRecord(key string, w rrset, h *set) reconcile.Delta {
	o := r.operations(key, w, h)
	if o.empty() {
		return reconcile.Delta{}
	}
	var touched []apiRecord
	if h != nil {
		touched = slices.Clone(o.deletes)
		for _, p := range o.patches {
			touched = append(touched, p.apiRecord)
		}
		if w.Type != "TXT" && len(o.posts) > 0 { // a second address, or a second mail server, beside somebody else's
			touched = append(touched, h.records...)
		}
	}
	for _, a := range touched {
		if a.Meta.ReadOnly {
			return reconcile.Delta{Err: r.fail("plan record", key, "leave it out here: it goes with what it was made for", lab.ErrConflict,
				"Cloudflare has made a record "+a.Type+" of this name, which cannot be changed")}
		}
		if r.ours(a) {
			continue
		}
		if owner := a.owner(); owner != "" || !r.spec.Adopt {
			return reconcile.Delta{Err: r.foreign("record", key, owner)}
		}
	}
	if h == nil || len(h.records) == 0 && len(h.beside) == 0 {
		f := reconcile.Fields{{Name: "contents", Want: o.differ[0].Want}}
		f.Flag("proxied", w.Proxied, false)
		if w.TTL != 0 {
			f.Exact("ttl", fmt.Sprint(w.TTL), "")
		}
		return f.Created(key)
	}
	d := o.differ.Changed(key)
	if d.Action == "" {
		d = reconcile.Delta{Action: lab.Update, Cause: "a record is there twice"}
	}
	if d.Risk = lab.RiskDisrupt; len(o.deletes)+len(o.patches) == 0 || slices.Equal(o.differ.Differ(), []string{"comment"}) {
		d.Risk = lab.RiskNone
	}
	return d
}

// batchRecords changes records of a zone in one request, which Cloudflare does whole or not at all: first what is deleted, then
// what is changed, then what is created. If it has one of them already, which a lost answer had made or a list did not have
// yet, the zone is read again, and what is left is sent once more.
func (r *run) batchRecords(ctx context.Context, zone string, items []reconcile.Item[rrset, set]) error {
	z, err := r.zoneOf(ctx, zone)
	if err != nil {
		return err
	}
	err = r.sendBatch(ctx, z, items)
	if !r.outdated(err) {
		return err
	}
	return patiently(ctx, func() (bool, error) {
		again, failed := r.again(ctx, items)
		if failed != nil {
			return true, errors.Join(err, failed)
		}
		err = r.sendBatch(ctx, z, again)
		return !r.outdated(err), err
	})
}

// outdated reports whether the zone has other records than the list said: one that is to be created, or none that is to be
// changed.
func (r *run) outdated(err error) bool {
	return says(err, codeRecordExists, codeSameRecord, codeAddressExists, codeAliasExists, codeNoRecord)
}

// again compares the records with what the zone has now. What would change a record of somebody else's is an error.
func (r *run) again(ctx context.Context, items []reconcile.Item[rrset, set]) ([]reconcile.Item[rrset, set], error) {
	want := map[string]rrset{}
	for _, i := range items {
		if i.Want != nil {
			want[i.Key] = *i.Want
		}
	}
	has, err := r.listRecords(ctx, want)
	if err != nil {
		return nil, err
	}
	left := slices.Clone(items)
	for n, i := range left {
		left[n].Has = nil
		if s, ok := has[i.Key]; ok {
			left[n].Has = &s
		}
		if i.Want != nil {
			if d := r.diffRecord(i.Key, *i.Want, left[n].Has); d.Err != nil {
				return nil, d.Err
			}
		}
	}
	return left, nil
}

func (r *run) sendBatch(ctx context.Context, z zone, items []reconcile.Item[rrset, set]) error {
	deletes, patches, posts := []any{}, []any{}, []any{}
	gone := map[string]bool{}
	remove := func(a apiRecord) {
		if !gone[a.ID] {
			gone[a.ID] = true
			deletes = append(deletes, map[string]string{"id": a.ID})
		}
	}
	for _, i := range items {
		if i.Want == nil {
			if i.Has != nil {
				for _, a := range i.Has.records {
					if r.ours(a) && !a.Meta.ReadOnly {
						remove(a)
					}
				}
			}
			continue
		}
		o := r.operations(i.Key, *i.Want, i.Has)
		for _, a := range o.deletes {
			remove(a)
		}
		for _, p := range o.patches {
			body := r.recordBody(i.Key, *i.Want, p.to, p.Comment)
			body["id"] = p.ID
			patches = append(patches, body)
		}
		for _, c := range o.posts {
			body := r.recordBody(i.Key, *i.Want, c, "")
			if body["ttl"] == nil {
				body["ttl"] = automatic
			}
			posts = append(posts, body)
		}
	}
	if len(deletes)+len(patches)+len(posts) == 0 {
		return nil
	}
	return r.send(ctx, request{method: http.MethodPost, path: path("zones", z.ID, "dns_records", "batch"),
		in: map[string]any{"deletes": deletes, "patches": patches, "posts": posts}}, nil)
}

// recordBody is a record as it is sent. The comment is always sent: without it, it might be gone.
func (r *run) recordBody(key string, w rrset, d rdata, comment string) map[string]any {
	d.text = r.resolved(d.text)
	body := d.body()
	body["name"], body["type"] = w.name, w.Type
	body["comment"] = r.comment(key, w, comment)
	if w.TTL != 0 {
		body["ttl"] = w.TTL
	}
	if w.Proxied != nil {
		body["proxied"] = *w.Proxied
		if *w.Proxied {
			body["ttl"] = automatic
		}
	}
	return body
}

// ZoneRecord is one record that a zone has.
type ZoneRecord struct {
	Name    string // whole, in lower case, without a dot at its end
	Type    string // of any kind that Cloudflare has
	Content string // as in a zone file: "10 mx.example.com"; the text of a TXT record without quotes
	TTL     int    // seconds; 1 is automatic
	Proxied bool   // what is served is an address of Cloudflare's
}

// Records returns all that a zone of the account has, in the order of names and types, whoever has made it: what is served
// once the name servers of the domain are Cloudflare's. The error is a [lab.ErrNotFound] when there is no such zone.
func (a *Account) Records(ctx context.Context, zoneName string) ([]ZoneRecord, error) {
	if err := a.Validate().Err(); err != nil {
		return nil, err
	}
	r := &run{client: a.client(), reads: &reconcile.Reads{}}
	defer r.close()
	zoneName = host(zoneName)
	if z, err := r.zoneOf(ctx, zoneName); err != nil {
		return nil, err
	} else if host(z.Name) != zoneName {
		return nil, r.fail("read records", zoneName, "", lab.ErrNotFound, "the account has no such zone")
	}
	all, err := r.allRecords(ctx, zoneName)
	if err != nil {
		return nil, err
	}
	records := make([]ZoneRecord, len(all))
	for n, x := range all {
		records[n] = ZoneRecord{host(x.Name), x.Type, x.content(), x.TTL, x.Proxied}
	}
	slices.SortFunc(records, func(a, b ZoneRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Content, b.Content))
	})
	return records, nil
}
