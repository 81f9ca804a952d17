package cloudflare

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// zone is a zone as the API has it.
type zone struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Status      string   `json:"status"`
	NameServers []string `json:"name_servers"`
}

// inZone reports whether a name is that of the zone, or below it.
func inZone(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// zones returns the zones of the account, by their names: 50 in a request.
func (r *run) zones(ctx context.Context) (map[string]zone, error) {
	return once(r.reads, "zones", func() (map[string]zone, error) {
		all, err := list[zone](ctx, r.client, request{path: "/zones", query: url.Values{"account.id": {r.account.ID}}}, 50)
		if err != nil {
			return nil, err
		}
		has := map[string]zone{}
		for _, z := range all {
			has[strings.ToLower(z.Name)] = z
		}
		return has, nil
	})
}

// zoneOf returns the zone that a name is in.
func (r *run) zoneOf(ctx context.Context, name string) (zone, error) {
	all, err := r.zones(ctx)
	if err != nil {
		return zone{}, err
	}
	for rest, more := name, true; more; _, rest, more = strings.Cut(rest, ".") {
		if z, ok := all[rest]; ok {
			return z, nil
		}
	}
	return zone{}, r.fail("find zone", name, "create the zone first, or see whether the token may read it", lab.ErrNotFound,
		fmt.Sprintf("the account has no zone of it; it has %s", strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
}
