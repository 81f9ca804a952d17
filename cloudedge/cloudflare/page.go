package cloudflare

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// project is a Pages project as the API has it.
type project struct {
	Name   string `json:"name"`
	Branch string `json:"production_branch"`
}

// pageDomain is a host name of a project as the API has it.
type pageDomain struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// projects are the Pages projects. None is removed: its deployments go with it.
func (r *run) projects() reconcile.Kind {
	want := map[string]Page{}
	for _, p := range r.spec.Pages {
		want[p.Name] = p
	}
	return reconcile.Collection[Page, project]{
		Name: "page", Want: want,
		List: func(ctx context.Context) (map[string]project, error) {
			keys := slices.Sorted(maps.Keys(want))
			found, err := reconcile.Each(ctx, r.account.parallel(), keys, func(ctx context.Context, key string) (p project, err error) {
				err = r.get(ctx, r.inAccount("pages", "projects", key), &p)
				if absent(err) {
					return project{}, nil
				}
				return p, err
			})
			has := map[string]project{}
			for n, key := range keys {
				if err == nil && found[n].Name != "" {
					has[key] = found[n]
				}
			}
			return has, err
		},
		Diff: func(key string, w Page, h *project) reconcile.Delta {
			f := reconcile.Fields{}
			if h == nil {
				f.Text("branch", cmp.Or(w.Branch, "main"), "")
				return f.Created(key)
			}
			f.Text("branch", w.Branch, h.Branch)
			d := f.Changed(key)
			if d.Action != "" {
				d.Risk = lab.RiskDisrupt
			}
			return r.unmarked("page", key, d)
		},
		Put: func(ctx context.Context, key string, w Page, h *project) error {
			if h == nil {
				err := r.send(ctx, request{method: http.MethodPost, path: r.inAccount("pages", "projects"),
					in: map[string]any{"name": key, "production_branch": cmp.Or(w.Branch, "main")}}, nil)
				if status(err) != http.StatusConflict {
					return err
				}
				if w.Branch == "" { // it has been made meanwhile, by a run that was cut off
					return nil
				}
			}
			return r.send(ctx, request{method: http.MethodPatch, path: r.inAccount("pages", "projects", key),
				in: map[string]any{"production_branch": w.Branch}}, nil)
		},
	}
}

// pageDomains are the host names of projects. None is removed.
func (r *run) pageDomains() reconcile.Kind {
	want := map[string]string{}
	for _, p := range r.spec.Pages {
		for _, d := range p.Domains {
			want[p.Name+"/"+host(d)] = p.Name
		}
	}
	return reconcile.Collection[string, pageDomain]{
		Name: "page-domain", Want: want,
		List: r.listPageDomains,
		Diff: func(key, _ string, h *pageDomain) reconcile.Delta {
			switch {
			case h == nil:
				return reconcile.Delta{Action: lab.Create, Cause: "not found"}
			case slices.Contains([]string{"blocked", "error", "deactivated"}, h.Status):
				return reconcile.Delta{Err: r.fail("plan page-domain", key, "see whether its record leads to the project, and the domain in the "+
					"settings of the project", lab.ErrBlocked, "Cloudflare cannot serve it: "+h.Status)}
			}
			return reconcile.Delta{}
		},
		Put: func(ctx context.Context, key, project string, _ *pageDomain) error {
			name := strings.TrimPrefix(key, project+"/")
			err := r.send(ctx, request{method: http.MethodPost, path: r.inAccount("pages", "projects", project, "domains"),
				in: map[string]string{"name": name}}, nil)
			if status(err) == http.StatusConflict { // of this project, or of another one
				if failed := r.get(ctx, r.inAccount("pages", "projects", project, "domains", name), &pageDomain{}); failed == nil {
					return nil
				}
			}
			return err
		},
		After: func(_, project string) []string { return []string{"page:" + project} },
	}
}

func (r *run) listPageDomains(ctx context.Context) (map[string]pageDomain, error) {
	projects := slices.DeleteFunc(slices.Clone(r.spec.Pages), func(p Page) bool { return len(p.Domains) == 0 })
	lists, err := reconcile.Each(ctx, r.account.parallel(), projects, func(ctx context.Context, p Page) (all []pageDomain, err error) {
		err = r.get(ctx, r.inAccount("pages", "projects", p.Name, "domains"), &all)
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
	has := map[string]pageDomain{}
	for n, p := range projects {
		for _, d := range lists[n] {
			has[p.Name+"/"+host(d.Name)] = d
		}
	}
	return has, err
}
