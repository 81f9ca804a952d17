package ovh

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

func domainPath(domain string, more ...string) string {
	return "/v1" + path(append([]string{"domain", domain}, more...)...)
}

// nameServer is one of a domain as the API has it.
type nameServer struct {
	Host     string `json:"host"`
	Used     bool   `json:"isUsed"`   // the registry has it
	ToDelete bool   `json:"toDelete"` // a task removes it
}

// domainState is a domain as the account has it.
type domainState struct {
	serverType string // hosted, external, and others
	dnssec     string // enabled, disabled, not_supported
	keys       int    // DS records that the registry has from here
	signed     bool   // the zone at OVH is signed by OVH
	servers    []nameServer
	missing    []string // records of the zone at OVH that are not on the other side
	unlisted   bool     // nobody says what is on the other side
}

// used are the name servers that the registry has, sorted; coming are those that it will have when a task has ended.
func (h *domainState) used() []string { return h.hosts(func(s nameServer) bool { return s.Used }) }

func (h *domainState) coming() []string {
	return h.hosts(func(s nameServer) bool { return !s.ToDelete })
}

func (h *domainState) hosts(which func(nameServer) bool) (all []string) {
	for _, s := range h.servers {
		if which(s) {
			all = append(all, hostName(s.Host))
		}
	}
	slices.Sort(all)
	return all
}

// settled reports whether the registry has these name servers, and no task is changing them.
func (h *domainState) settled(want []string) bool {
	return slices.Equal(h.used(), want) && slices.Equal(h.coming(), want)
}

// guarded reports whether a DS record is, or may be, at the registry.
func (h *domainState) guarded() bool { return h.keys > 0 || h.dnssec == "enabled" || h.signed }

// hostName is the name of a host as it is compared.
func hostName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (d *Delegation) hosts() (all []string) {
	for _, s := range d.NameServers {
		all = append(all, hostName(s))
	}
	slices.Sort(all)
	return all
}

// serverType is what OVH calls the wanted name servers: "hosted" for its own, "external" for others.
func (d *Delegation) serverType() string {
	for _, h := range d.hosts() {
		if !strings.HasSuffix(h, ".ovh.net") && !strings.HasSuffix(h, ".ovh.ca") && !strings.HasSuffix(h, ".anycast.me") {
			return "external"
		}
	}
	return "hosted"
}

func (r *run) wantedDelegations() map[string]Delegation {
	want := map[string]Delegation{}
	for _, d := range r.spec.Delegations {
		want[d.Domain] = d
	}
	return want
}

// listDomains reads the wanted domains, once in a comparison. Only where name servers differ, the zone at OVH is
// compared with what is on the other side.
func (r *run) listDomains(ctx context.Context) (map[string]*domainState, error) {
	return once(r.reads, "domains", func() (map[string]*domainState, error) {
		want := r.wantedDelegations()
		names := slices.Sorted(maps.Keys(want))
		states, err := each(ctx, r.client, names, func(ctx context.Context, name string) (*domainState, error) {
			return r.domain(ctx, want[name])
		})
		has := map[string]*domainState{}
		for n, s := range states {
			if s != nil {
				has[names[n]] = s
			}
		}
		return has, err
	})
}

func (r *run) domain(ctx context.Context, w Delegation) (*domainState, error) {
	var d struct {
		Type   string `json:"nameServerType"`
		DNSSEC string `json:"dnssecState"`
	}
	if err := r.get(ctx, domainPath(w.Domain), &d); err != nil {
		if absent(err) {
			err = nil
		}
		return nil, err
	}
	h := &domainState{serverType: d.Type, dnssec: d.DNSSEC}
	var err error
	if h.servers, err = r.nameServers(ctx, w.Domain); err != nil {
		return nil, err
	}
	if h.settled(w.hosts()) {
		return h, nil // nothing else is asked for
	}
	var keys []int64
	if err := r.get(ctx, domainPath(w.Domain, "dsRecord"), &keys); err != nil {
		return nil, err
	}
	h.keys = len(keys)
	zone, err := r.zone(ctx, w.Domain)
	if err != nil || zone == nil {
		return h, err
	}
	h.signed = zone.signed
	if w.serverType() == "hosted" {
		return h, nil // the other side is the zone itself
	}
	if w.Other == nil {
		h.unlisted = true
		return h, nil
	}
	other, err := w.Other(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the records of %s on the other side: %w", w.Domain, err)
	}
	h.missing = missing(w, zoneContent{sets: r.planned(w.Domain, zone)}, other)
	return h, nil
}

func (r *run) nameServers(ctx context.Context, domain string) ([]nameServer, error) {
	var ids []int64
	if err := r.get(ctx, domainPath(domain, "nameServer"), &ids); err != nil {
		return nil, err
	}
	return each(ctx, r.client, ids, func(ctx context.Context, id int64) (s nameServer, err error) {
		err = r.get(ctx, domainPath(domain, "nameServer", strconv.FormatInt(id, 10)), &s)
		if absent(err) {
			return nameServer{ToDelete: true}, nil // a task has removed it meanwhile
		}
		return s, err
	})
}

// missing returns the records of a zone that are not among others. Those of the zone itself that say who serves it, SOA
// and NS, are the other side's own.
func missing(w Delegation, zone zoneContent, others []Record) (all []string) {
	there := map[rrset][]string{}
	for _, o := range others {
		name := hostName(o.Name)
		if name == w.Domain {
			name = ""
		}
		s := setOf(o.Type, strings.TrimSuffix(name, "."+w.Domain))
		for _, t := range o.Targets {
			if _, host := hosts[s.Type]; host && !strings.HasSuffix(t, ".") {
				t += "." // others write names of hosts without it
			}
			if target, err := canonical(s.Type, t, ""); err == nil {
				there[s] = append(there[s], target)
			}
		}
	}
	dropped := map[rrset]bool{}
	for _, d := range w.Dropped {
		t, name, _ := strings.Cut(d, " ")
		dropped[setOf(t, name)] = true
	}
	for _, s := range zone.names() {
		if dropped[s] || s == (rrset{Type: "NS"}) {
			continue
		}
		for _, t := range zone.sets[s].targets {
			if !slices.Contains(there[s], t) {
				all = append(all, s.String()+" "+lab.Printable(t))
			}
		}
	}
	return all
}

// delegations are which name servers the registry has of the domains.
func (r *run) delegations() reconcile.Kind {
	return reconcile.Collection[Delegation, *domainState]{
		Name: "delegation", Want: r.wantedDelegations(),
		List: r.listDomains,
		Diff: func(key string, w Delegation, h **domainState) reconcile.Delta {
			if h == nil {
				return reconcile.Delta{Err: r.fail("plan delegation", key, "transfer it first, or leave it out", lab.ErrNotFound,
					"the account has no such domain")}
			}
			return r.diffDelegation(w, *h)
		},
		Put: r.putDelegation,
		After: func(key string, _ Delegation) []string {
			after := []string{"refresh:" + key}
			for record, w := range r.wantedRecords() {
				if w.zone == key && !w.Absent { // what is removed is removed last
					after = append(after, "record:"+record)
				}
			}
			slices.Sort(after)
			return after
		},
	}
}

func (r *run) diffDelegation(w Delegation, h *domainState) reconcile.Delta {
	want := w.hosts()
	if h.settled(want) {
		return reconcile.Delta{}
	}
	refused := func(kind error, hint string, s lab.Setting, what string) reconcile.Delta {
		return reconcile.Delta{Err: &lab.Error{Op: "plan delegation", Target: r.account.target(), Path: w.Domain, Hint: hint, Set: s,
			Err: fmt.Errorf("%w: %s", kind, what)}}
	}
	if slices.Equal(h.coming(), want) { // a task is under way
		return reconcile.Delta{Action: lab.Run, Cause: "its name servers are being changed"}
	}
	switch {
	case h.guarded() && w.RemoveDS:
		return refused(lab.ErrBlocked, "apply, and plan again a day later", lab.Setting{},
			"its name servers are changed when its DS record is gone, and no resolver remembers it")
	case h.guarded():
		return refused(lab.ErrRefused, "remove the DS record first", lab.Setting{Name: SettingRemoveDS},
			"it is signed by DNSSEC: with other name servers, resolvers would refuse every answer")
	case h.unlisted:
		return refused(lab.ErrRefused, "say what is on the other side", lab.Setting{},
			"nobody says which records are on the other side, and the zone at OVH is lost with its name servers")
	case len(h.missing) > 0:
		return refused(lab.ErrRefused, "create them there, or say that they are dropped", lab.Setting{},
			fmt.Sprintf("%d records that OVH serves are not on the other side: %s", len(h.missing), strings.Join(h.missing, "; ")))
	}
	d := delta(w.Domain, true, field{"type", w.serverType(), h.serverType}, field{"name servers", set(want), set(h.used())})
	d.Risk = lab.RiskDisrupt
	return d
}

// task is what OVH does later, with the registry.
type task struct {
	ID       int64  `json:"id"`
	Status   string `json:"status"`
	Function string `json:"function"`
	Comment  string `json:"comment"`
}

// putDelegation changes the name servers, and waits until the registry has them. Where an earlier run has asked for
// them, it only waits.
func (r *run) putDelegation(ctx context.Context, key string, w Delegation, h **domainState) error {
	want := w.hosts()
	if !slices.Equal((*h).coming(), want) {
		if t := w.serverType(); (*h).serverType != t {
			if err := r.send(ctx, http.MethodPut, domainPath(key), map[string]string{"nameServerType": t}, nil); err != nil {
				return err
			}
		}
		type server struct {
			Host string `json:"host"`
		}
		var in struct {
			NameServers []server `json:"nameServers"`
		}
		for _, s := range want {
			in.NameServers = append(in.NameServers, server{s})
		}
		var t task
		if err := r.send(ctx, http.MethodPost, domainPath(key, "nameServers", "update"), in, &t); err != nil {
			return err
		}
		if err := r.follow(ctx, key, t); err != nil {
			return err
		}
	}
	return r.until(ctx, "the name servers of "+key, func(ctx context.Context) (bool, error) {
		servers, err := r.nameServers(ctx, key)
		return err == nil && (&domainState{servers: servers}).settled(want), err
	})
}

// follow waits for the end of a task, and returns an error unless it was done.
func (r *run) follow(ctx context.Context, domain string, t task) error {
	at := domainPath(domain, "task", strconv.FormatInt(t.ID, 10))
	return r.until(ctx, fmt.Sprintf("task %d of %s", t.ID, domain), func(ctx context.Context) (bool, error) {
		if err := r.get(ctx, at, &t); err != nil {
			if absent(err) {
				err = nil // it is not to be seen at once
			}
			return false, err
		}
		switch t.Status {
		case "done":
			return true, nil
		case "todo", "doing":
			return false, nil
		}
		what := fmt.Sprintf("task %d ended as %s", t.ID, r.shown(t.Status))
		if t.Comment != "" {
			what += ": " + r.shown(t.Comment)
		}
		return true, r.fail("follow", at, "see the domain's operations in OVH's pages, and plan again", lab.ErrBlocked, what)
	})
}
