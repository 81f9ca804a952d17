package ovh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// pendingTag is the IAM tag of a zone whose records were changed and that was not refreshed since. Nothing else tells
// that: the records of the API are those of the next refresh, and what the name servers answer is not to be had from
// the API. It is set before the first change and removed after the refresh, so that the run after one that was cut off
// refreshes.
const pendingTag = "lab-refresh"

func zonePath(zone string, more ...string) string {
	return "/v1" + path(append([]string{"domain", "zone", zone}, more...)...)
}

// zoneState is a zone as the account has it.
type zoneState struct {
	zoneContent
	text    string // as it was exported
	urn     string // as IAM knows it
	pending bool   // it was changed, and not refreshed
	signed  bool   // by DNSSEC
}

// zone reads a zone, once in a comparison. It returns nil if the account has none of this name.
func (r *run) zone(ctx context.Context, name string) (*zoneState, error) {
	return once(r.reads, "zone "+name, func() (*zoneState, error) {
		var z struct {
			Signed bool `json:"dnssecActivated"`
			IAM    *struct {
				URN  string            `json:"urn"`
				Tags map[string]string `json:"tags"`
			} `json:"iam"`
		}
		if err := r.get(ctx, zonePath(name), &z); err != nil {
			if absent(err) {
				err = nil
			}
			return nil, err
		}
		s := &zoneState{signed: z.Signed}
		if z.IAM != nil {
			s.urn = z.IAM.URN
			s.pending = z.IAM.Tags[pendingTag] != ""
		}
		return s, r.export(ctx, name, s)
	})
}

// export reads the records of a zone, all in one request: the API lists their IDs alone.
func (r *run) export(ctx context.Context, name string, s *zoneState) (err error) {
	if err := r.get(ctx, zonePath(name, "export"), &s.text); err != nil {
		return err
	}
	if s.zoneContent, err = parseZone(name, s.text); err != nil {
		return r.fail("read zone", name, "change what it says in OVH's pages, and report it", lab.ErrConflict, err.Error())
	}
	return nil
}

// planned is what a zone has when a plan is done.
func (r *run) planned(name string, has *zoneState) map[rrset]content {
	sets := maps.Clone(has.sets)
	for s := range has.sets {
		if r.goes(name, s) {
			delete(sets, s)
		}
	}
	for _, w := range r.wantedRecords() {
		if w.zone == name && !w.Absent {
			sets[w.rrset], _ = w.content(has.ttl)
		}
	}
	return sets
}

// besides returns the records of a zone that cannot be beside others of the same name: a CNAME bears nothing beside it.
func besides(has *zoneState, s rrset) (others []rrset) {
	for _, other := range has.names() {
		if other.Name == s.Name && other != s && (other.Type == "CNAME" || s.Type == "CNAME") {
			others = append(others, other)
		}
	}
	return others
}

// goes reports whether records are to be removed: it is said so, or they are ours and not wanted.
func (r *run) goes(zone string, s rrset) bool {
	if w, wanted := r.wantedRecords()[recordKey(zone, s)]; wanted {
		return w.Absent
	}
	apex := s.Name == "" && s.Type == "NS" // they are OVH's
	return r.spec.Prune && !apex && r.owned(zone, s)
}

func (r *run) owned(zone string, s rrset) bool {
	return r.spec.Owned != nil && r.spec.Owned(RecordID(zone, s.Type, s.Name))
}

// zones reads all wanted zones.
func (r *run) zones(ctx context.Context) (map[string]*zoneState, error) {
	var names []string
	for _, z := range r.spec.Zones {
		names = append(names, z.Name)
	}
	states, err := each(ctx, r.client, names, r.zone)
	has := map[string]*zoneState{}
	for n, s := range states {
		if s != nil {
			has[names[n]] = s
		}
	}
	return has, err
}

// refreshes are of zones that were changed by a run which was cut off, and where nothing else is to be changed.
func (r *run) refreshes() reconcile.Kind {
	want := map[string]Zone{}
	for _, z := range r.spec.Zones {
		want[z.Name] = z
	}
	return reconcile.Collection[Zone, *zoneState]{
		Name: "refresh", Want: want,
		List: r.zones,
		Diff: func(key string, w Zone, h **zoneState) reconcile.Delta {
			if h == nil && len(w.Records) == 0 { // otherwise, its records say so
				return reconcile.Delta{Err: r.noZone("plan zone", key)}
			}
			if h == nil || !(*h).pending || !maps.EqualFunc((*h).sets, r.planned(key, *h), content.equal) {
				return reconcile.Delta{}
			}
			return reconcile.Delta{Action: lab.Run, Cause: "it was changed, and not refreshed since"}
		},
		Put: func(ctx context.Context, key string, _ Zone, h **zoneState) error {
			return r.publish(ctx, key, *h, (*h).sets)
		},
	}
}

func (r *run) noZone(op, path string) error {
	return r.fail(op, path, "write the whole domain's zone, of which others are names, or order it first", lab.ErrNotFound,
		"the account has no such zone")
}

// tags is the path of the IAM tags of a zone.
func (h *zoneState) tags() string { return "/v2" + path("iam", "resource", h.urn, "tag") }

// putRecords changes records of a zone, which has one writer, and has them served.
func (r *run) putRecords(ctx context.Context, zone string, items []reconcile.Item[wantedRecord, content]) error {
	h, err := r.zone(ctx, zone)
	if err != nil {
		return err
	}
	if h == nil || h.urn == "" {
		return r.fail("change zone", zone, "plan again", lab.ErrDrift, "it is gone")
	}
	if r.spec.Backup != nil {
		_, err := once(r.reads, "backup "+zone, func() (bool, error) { return true, r.spec.Backup(ctx, zone, h.text) })
		if err != nil {
			return fmt.Errorf("back up zone %s: %w", zone, err)
		}
	}
	err = r.send(ctx, http.MethodPost, h.tags(), map[string]string{"key": pendingTag, "value": "pending"}, nil)
	if err != nil && status(err) != http.StatusConflict { // it is there
		return err
	}
	sets := map[rrset]content{} // without targets: there are none
	for _, i := range items {
		_, s := splitKey(i.Key)
		c := content{}
		if i.Want != nil && !i.Want.Absent {
			c, _ = i.Want.content(h.ttl)
			for _, other := range besides(h, s) { // the plan says so
				sets[other] = content{}
			}
		}
		sets[s] = c
	}
	if err := r.putSets(ctx, zone, h.ttl, sets); err != nil {
		return err
	}
	return r.publish(ctx, zone, h, sets)
}

// zoneRecord is a record as the API has it. Its ID changes when somebody edits the zone as a text.
type zoneRecord struct {
	ID     int64   `json:"id"`
	Type   string  `json:"fieldType"`
	Name   *string `json:"subDomain"`
	Target string  `json:"target"`
	TTL    *int    `json:"ttl"` // 0 or null: that of the zone
}

// putSets makes the records those that are wanted: first what goes is removed, and then what is missing is added.
// Nothing is served before the refresh.
func (r *run) putSets(ctx context.Context, zone string, ttl int, sets map[rrset]content) error {
	order := zoneContent{sets: sets}.names()
	missing := map[rrset][]string{}
	for _, s := range order {
		records, err := r.records(ctx, zone, s)
		if err != nil {
			return err
		}
		want := sets[s]
		missing[s] = slices.Clone(want.targets)
		for _, rec := range records {
			at := zonePath(zone, "record", strconv.FormatInt(rec.ID, 10))
			target, err := canonical(s.Type, rec.Target, zone+".")
			k := slices.Index(missing[s], target)
			if err != nil || k < 0 { // not wanted, or there twice
				if err := r.send(ctx, http.MethodDelete, at, nil, nil); err != nil && !absent(err) {
					return err
				}
				continue
			}
			missing[s] = slices.Delete(missing[s], k, k+1)
			has := ttl
			if rec.TTL != nil && *rec.TTL != 0 {
				has = *rec.TTL
			}
			if has == want.ttl {
				continue
			}
			if err := r.send(ctx, http.MethodPut, at, map[string]any{"subDomain": s.Name, "target": rec.Target, "ttl": want.ttl},
				nil); err != nil {
				return err
			}
		}
	}
	for _, s := range order {
		for _, target := range missing[s] {
			// The answer may have the ID 0: it is not used (ovh/terraform-provider-ovh,
			// resource_domain_zone_record.go).
			if err := r.send(ctx, http.MethodPost, zonePath(zone, "record"), map[string]any{"fieldType": s.Type, "subDomain": s.Name,
				"target": target, "ttl": sets[s].ttl}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// records reads the records of one type and name. The API's filter is one of SQL's LIKE, in which the underscore of
// _dmarc is any character. A record that is listed and not found is either new, which passes within a minute, or was
// removed long ago (ovh/terraform-provider-ovh, issue 275): it is waited for, and then is none.
func (r *run) records(ctx context.Context, zone string, s rrset) ([]zoneRecord, error) {
	var ids []int64
	if err := r.get(ctx, zonePath(zone, "record")+"?subDomain="+url.QueryEscape(s.Name), &ids); err != nil {
		return nil, err
	}
	all, err := each(ctx, r.client, ids, func(ctx context.Context, id int64) (rec zoneRecord, err error) {
		looks := 0
		err = r.until(ctx, fmt.Sprintf("record %d of %s", id, zone), func(ctx context.Context) (bool, error) {
			err := r.get(ctx, zonePath(zone, "record", strconv.FormatInt(id, 10)), &rec)
			if looks++; absent(err) {
				return looks > lateLooks, nil
			}
			return true, err
		})
		return rec, err
	})
	var of []zoneRecord
	for _, rec := range all {
		if rec.Name == nil {
			rec.Name = new(string)
		}
		if rec.ID != 0 && setOf(rec.Type, *rec.Name) == s {
			of = append(of, rec)
		}
	}
	return of, err
}

// lateLooks is how often what must be there is looked for: a minute, at five seconds each.
const lateLooks = 12

// publish has the zone served, waiting for a refresh that is under way, proves that its records are as they were sent,
// and then forgets that it was changed.
func (r *run) publish(ctx context.Context, zone string, h *zoneState, sets map[rrset]content) error {
	err := r.until(ctx, "the refresh of "+zone, func(ctx context.Context) (bool, error) {
		err := r.send(ctx, http.MethodPost, zonePath(zone, "refresh"), nil, nil)
		if errors.Is(err, lab.ErrConflict) || errors.Is(err, lab.ErrBlocked) {
			return false, nil // another is under way
		}
		return true, err
	})
	if err != nil {
		return err
	}
	now, looks, differs := &zoneState{}, 0, rrset{}
	err = r.until(ctx, "the records of "+zone, func(ctx context.Context) (bool, error) {
		if err := r.export(ctx, zone, now); err != nil {
			return false, err
		}
		differs = rrset{}
		for s, c := range sets {
			if has := now.sets[s]; len(c.targets)+len(has.targets) > 0 && !c.equal(has) {
				differs = s
			}
		}
		looks++
		return differs == rrset{} || looks > lateLooks, nil
	})
	if err != nil {
		return err
	}
	if differs != (rrset{}) {
		return r.fail("change zone", zone, "plan again", lab.ErrDrift, fmt.Sprintf("OVH has accepted %s, and has %s instead",
			differs, now.sets[differs]))
	}
	if err := r.send(ctx, http.MethodDelete, h.tags()+path(pendingTag), nil, nil); err != nil && !absent(err) {
		return err
	}
	return nil
}
