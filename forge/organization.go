package forge

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// organization is one as the API has it.
type organization struct {
	Name        string `json:"name"`
	FullName    string `json:"full_name"`
	Email       string `json:"email"`
	Description string `json:"description"`
	Website     string `json:"website"`
	Location    string `json:"location"`
	Visibility  string `json:"visibility"`

	moved error // it has been renamed, and this is how
}

func (r *run) organizations() reconcile.Kind {
	want := map[string]Organization{}
	for _, o := range r.spec.Organizations {
		want[o.Name] = o
	}
	return reconcile.Collection[Organization, organization]{
		Name: "organization", Want: want,
		List: func(ctx context.Context) (map[string]organization, error) {
			all, err := list[organization](ctx, r.client, "/admin/orgs")
			if err != nil {
				return nil, err
			}
			byName := map[string]organization{}
			for _, o := range all {
				byName[strings.ToLower(o.Name)] = o
			}
			return found(ctx, r, want, byName, func(ctx context.Context, name string) (o organization, err error) {
				err = r.get(ctx, path("orgs", name), &o)
				return o, err
			}, func(key string, err error) organization {
				return organization{moved: r.renamed("organization", key, err)}
			})
		},
		Diff: func(key string, w Organization, h *organization) reconcile.Delta {
			switch {
			case h == nil:
				return organizationFields(w, organization{}, true).Created(key)
			case h.moved != nil:
				return reconcile.Delta{Err: h.moved}
			}
			d := organizationFields(w, *h, false).Changed(key)
			d.Risk = visibilityRisk(w.Visibility, h.Visibility)
			return d
		},
		Put: func(ctx context.Context, key string, w Organization, h *organization) error {
			if h == nil {
				return r.send(ctx, "POST", "/orgs", map[string]string{"username": w.Name, "full_name": w.FullName,
					"description": w.Description, "website": w.Website, "visibility": cmp.Or(w.Visibility, "private")}, nil)
			}
			// 1.24 empties what is left out
			var is organization
			err := r.send(ctx, "PATCH", path("orgs", key), map[string]string{"full_name": cmp.Or(w.FullName, h.FullName),
				"description": cmp.Or(w.Description, h.Description), "website": cmp.Or(w.Website, h.Website),
				"visibility": cmp.Or(w.Visibility, h.Visibility), "email": h.Email, "location": h.Location}, &is)
			if err != nil {
				return err
			}
			return r.kept("update organization", key, organizationFields(w, is, false), nil)
		},
	}
}

func organizationFields(w Organization, h organization, create bool) (f reconcile.Fields) {
	f.Text("fullName", w.FullName, h.FullName)
	f.Text("description", w.Description, h.Description)
	f.Text("website", w.Website, h.Website)
	visibility := w.Visibility
	if create {
		visibility = cmp.Or(visibility, "private")
	}
	f.Text("visibility", visibility, h.Visibility)
	return f
}

// visibilityRisk is the risk of a change of visibility. What was shown to everybody cannot be hidden from who has seen it.
func visibilityRisk(want, has string) lab.Risk {
	order := map[string]int{"private": 0, "limited": 1, "public": 2}
	switch {
	case want == "" || has == "" || want == has:
		return lab.RiskNone
	case order[want] > order[has]:
		return lab.RiskDataLoss
	}
	return lab.RiskDisrupt
}

// found returns the objects that are wanted, of all by their names in small letters. One that is not among them is asked
// for by itself: its name may lead to another one now.
func found[W, H any](
	ctx context.Context, r *run, want map[string]W, all map[string]H, ask func(context.Context, string) (H, error),
	wasMoved func(key string, err error) H,
) (map[string]H, error) {
	has := map[string]H{}
	var missing []string
	for key := range want {
		if h, ok := all[strings.ToLower(key)]; ok {
			has[key] = h
		} else {
			missing = append(missing, key)
		}
	}
	asked, err := reconcile.Each(ctx, r.server.parallel(), missing, func(ctx context.Context, key string) (*H, error) {
		h, err := ask(ctx, key)
		var m *moved
		switch {
		case errors.As(err, &m):
			h = wasMoved(key, err)
		case absent(err):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return &h, nil
	})
	if err != nil {
		return nil, err
	}
	for n, key := range missing {
		if asked[n] != nil {
			has[key] = *asked[n]
		}
	}
	return has, nil
}

// renamed is the error of an object that has another name now.
func (r *run) renamed(kind, key string, err error) error {
	return &lab.Error{Op: "plan " + kind, Target: r.server.target(), Path: key, Err: errors.Unwrap(err),
		Hint: "write the new name; a new " + kind + " of the old name would break all links to it"}
}
