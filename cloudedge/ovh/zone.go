package ovh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// pendingTag is the IAM tag of a zone whose records were changed and that was not refreshed since. Nothing else tells that: the
// records of the API are those of the next refresh, and what the name servers answer is not to be had from the API. It is set before
// the first change and removed after the refresh, so that the run after one that was cut off refreshes.
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

// setChange is what is to be done with the records of one type and name.
type setChange struct {
	rrset
	has, want content // without targets: there are none
	pruned    bool
}

// wanted returns what is wanted of a record, in one form.
func (rec *Record) wanted(ttl int) (content, error) {
	c := content{ttl: rec.TTL}
	if c.ttl == 0 {
		c.ttl = ttl
	}
	for _, t := range rec.Targets {
		t, err := canonical(strings.ToUpper(rec.Type), t, "")
		if err != nil {
			return c, err
		}
		c.targets = append(c.targets, t)
	}
	slices.Sort(c.targets)
	c.targets = slices.Compact(c.targets)
	return c, nil
}

// changes compares a zone with what is wanted of it.
func (r *run) changes(w Zone, h *zoneState) (all []setChange) {
	wanted := map[rrset]bool{}
	for _, rec := range w.Records {
		s := setOf(rec.Type, rec.Name)
		wanted[s] = true
		want, _ := rec.wanted(h.ttl) // [Spec.Validate] says what is wrong with it
		has := h.sets[s]
		if len(has.targets) == 0 && rec.Absent || !rec.Absent && want.equal(has) {
			continue
		}
		all = append(all, setChange{rrset: s, has: has, want: want})
	}
	for _, s := range h.names() {
		apex := s.Name == "" && s.Type == "NS" // they are OVH's
		if r.spec.Prune && !wanted[s] && !apex && r.owned(w.Name, s) {
			all = append(all, setChange{rrset: s, has: h.sets[s], pruned: true})
		}
	}
	return all
}

func (r *run) owned(zone string, s rrset) bool {
	return r.spec.Owned != nil && r.spec.Owned(RecordID(zone, s.Type, s.Name))
}

// zones are the zones with wanted records. All of a zone is one change: it has one writer, and is refreshed once.
func (r *run) zones() reconcile.Kind {
	want := map[string]Zone{}
	for _, z := range r.spec.Zones {
		want[z.Name] = z
	}
	return reconcile.Collection[Zone, *zoneState]{
		Name: "zone", Want: want,
		List: func(ctx context.Context) (map[string]*zoneState, error) {
			var names []string
			for name := range want {
				names = append(names, name)
			}
			states, err := each(ctx, r.client, names, r.zone)
			has := map[string]*zoneState{}
			for n, s := range states {
				if s != nil {
					has[names[n]] = s
				}
			}
			return has, err
		},
		Diff: func(key string, w Zone, h **zoneState) reconcile.Delta {
			if h == nil {
				return reconcile.Delta{Err: r.fail("plan zone", key, "order it first, or leave it out", lab.ErrNotFound,
					"the account has no such zone")}
			}
			return r.diffZone(w, *h)
		},
		Put: func(ctx context.Context, _ string, w Zone, h **zoneState) error { return r.putZone(ctx, w, *h) }}
}

func (r *run) diffZone(w Zone, h *zoneState) reconcile.Delta {
	changes := r.changes(w, h)
	if len(changes) == 0 {
		if h.pending {
			return reconcile.Delta{Action: lab.Run, Cause: "it was changed, and not refreshed since"}
		}
		return reconcile.Delta{}
	}
	var errs []error
	var before, after strings.Builder
	removed := 0
	d := reconcile.Delta{Action: lab.Update}
	for _, c := range changes {
		if len(c.has.targets) > 0 && !r.spec.Adopt && !r.owned(w.Name, c.rrset) {
			errs = append(errs, r.foreign("plan zone", w.Name, c.rrset.String()+" exists, differs, and is not known to be ours"))
		}
		for _, side := range []struct {
			b *strings.Builder
			content
		}{{&before, c.has}, {&after, c.want}} {
			for _, t := range side.targets {
				fmt.Fprintf(side.b, "%s %d %s\n", c.rrset, side.ttl, lab.Printable(t))
			}
		}
		if len(c.has.targets) > 0 {
			d.Risk = lab.RiskDisrupt
		}
		if c.pruned {
			removed++
		}
	}
	most := r.spec.MaxDeletes
	if most == 0 {
		most = max(5, len(h.sets)*3/10)
	}
	if removed > most {
		errs = append(errs, &lab.Error{Op: "plan removals", Target: r.account.target(), Path: w.Name,
			Set:  lab.Setting{Name: reconcile.SettingMaxDeletes, Value: strconv.Itoa(removed)},
			Hint: "see whether something is missing in what is wanted; if all of them shall be removed, allow as many",
			Err:  fmt.Errorf("%w: the records of %d names and types are to be removed, and %d may be", lab.ErrRefused, removed, most)})
	}
	if h.urn == "" {
		errs = append(errs, r.fail("plan zone", w.Name, "plan again later", lab.ErrConflict, "IAM does not know the zone"))
	}
	if len(errs) > 0 {
		return reconcile.Delta{Err: errors.Join(errs...)}
	}
	d.Cause = fmt.Sprintf("records of %d names and types differ", len(changes))
	if len(changes) == 1 {
		d.Cause = changes[0].rrset.String() + " differs"
	}
	d.Diff = lab.Diff(w.Name, []byte(before.String()), []byte(after.String()))
	return d
}

// putZone changes the records of a zone, and has it served.
func (r *run) putZone(ctx context.Context, w Zone, h *zoneState) error {
	changes := r.changes(w, h)
	tags := "/v2" + path("iam", "resource", h.urn, "tag")
	if len(changes) > 0 {
		if r.spec.Backup != nil {
			if err := r.spec.Backup(ctx, w.Name, h.text); err != nil {
				return fmt.Errorf("back up zone %s: %w", w.Name, err)
			}
		}
		if !h.pending {
			if err := r.send(ctx, http.MethodPost, tags, map[string]string{"key": pendingTag, "value": "pending"}, nil); err != nil {
				return err
			}
		}
		if err := r.putSets(ctx, w.Name, h.ttl, changes); err != nil {
			return err
		}
	}
	if err := r.refresh(ctx, w); err != nil {
		return err
	}
	if err := r.send(ctx, http.MethodDelete, tags+path(pendingTag), nil, nil); err != nil && !absent(err) {
		return err
	}
	return nil
}

// zoneRecord is a record as the API has it. Its ID changes when somebody edits the zone as a text.
type zoneRecord struct {
	ID     int64   `json:"id"`
	Type   string  `json:"fieldType"`
	Name   *string `json:"subDomain"`
	Target string  `json:"target"`
	TTL    *int    `json:"ttl"` // 0 or null: that of the zone
}

// putSets makes the records those that are wanted: first what goes is removed, as a CNAME bears nothing beside it, and then what is
// missing is added. Nothing is served before the refresh.
func (r *run) putSets(ctx context.Context, zone string, ttl int, changes []setChange) error {
	missing := make([][]string, len(changes))
	for n, c := range changes {
		records, err := r.records(ctx, zone, c.rrset)
		if err != nil {
			return err
		}
		missing[n] = slices.Clone(c.want.targets)
		for _, rec := range records {
			at := zonePath(zone, "record", strconv.FormatInt(rec.ID, 10))
			target, err := canonical(c.Type, rec.Target, zone+".")
			k := slices.Index(missing[n], target)
			if err != nil || k < 0 { // not wanted, or there twice
				if err := r.send(ctx, http.MethodDelete, at, nil, nil); err != nil && !absent(err) {
					return err
				}
				continue
			}
			missing[n] = slices.Delete(missing[n], k, k+1)
			has := ttl
			if rec.TTL != nil && *rec.TTL != 0 {
				has = *rec.TTL
			}
			if has == c.want.ttl {
				continue
			}
			if err := r.send(ctx, http.MethodPut, at, map[string]any{"subDomain": c.Name, "target": rec.Target, "ttl": c.want.ttl},
				nil); err != nil {
				return err
			}
		}
	}
	for n, c := range changes {
		for _, target := range missing[n] {
			// The answer may have the ID 0: it is not used (ovh/terraform-provider-ovh, resource_domain_zone_record.go).
			if err := r.send(ctx, http.MethodPost, zonePath(zone, "record"), map[string]any{"fieldType": c.Type, "subDomain": c.Name,
				"target": target, "ttl": c.want.ttl}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// records reads the records of one type and name. The API's filter is one of SQL's LIKE, in which the underscore of _dmarc is any
// character. A record that is listed and not found is either new, which passes within a minute, or was removed long
// ago (ovh/terraform-provider-ovh, issue 275): it is waited for, and then is none.
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
				return looks > ghostLooks, nil
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

// ghostLooks is how often a record that is listed is looked for: a minute, at five seconds each.
const ghostLooks = 12

// refresh has the zone served, waiting for a refresh that is under way, and proves that its records are those that are wanted.
func (r *run) refresh(ctx context.Context, w Zone) error {
	err := r.until(ctx, "the refresh of "+w.Name, func(ctx context.Context) (bool, error) {
		err := r.send(ctx, http.MethodPost, zonePath(w.Name, "refresh"), nil, nil)
		if errors.Is(err, lab.ErrConflict) || errors.Is(err, lab.ErrBlocked) {
			return false, nil // another is under way
		}
		return true, err
	})
	if err != nil {
		return err
	}
	s := &zoneState{}
	if err := r.export(ctx, w.Name, s); err != nil {
		return err
	}
	if left := r.changes(w, s); len(left) > 0 {
		return r.fail("change zone", w.Name, "plan again", lab.ErrDrift, fmt.Sprintf("OVH has accepted %s, and has %s instead",
			left[0].rrset, left[0].has))
	}
	return nil
}
