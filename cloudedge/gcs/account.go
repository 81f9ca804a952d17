package gcs

import (
	"context"
	"net/http"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// serviceAccount is a service account as the API has it.
type serviceAccount struct {
	Email       string `json:"email,omitempty"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	Disabled    bool   `json:"disabled,omitempty"`
}

// found is a service account as it was found.
type found struct {
	serviceAccount
	others int // active keys of one that is not known to be ours and shall have a key, but the one that is kept
}

// maxDescription is how many bytes a description has at most.
const maxDescription = 256

// email is that of a service account of the project.
func (c *client) email(account string) string {
	id := c.project.ID
	if domain, rest, found := strings.Cut(id, ":"); found { // of a project of a domain
		id = rest + "." + domain
	}
	return account + "@" + id + ".iam.gserviceaccount.com"
}

func (r *run) wantedAccounts() map[string]Account {
	want := map[string]Account{}
	for _, a := range r.spec.Accounts {
		want[a.Name] = a
	}
	return want
}

func (r *run) accounts() reconcile.Kind {
	return reconcile.Collection[Account, found]{
		Name: "account", Want: r.wantedAccounts(),
		List: r.listAccountsAndKeys,
		Diff: r.diffAccount,
		Put:  r.putAccount,
		Owned: func(key string, h found) bool {
			return r.marked(key, h.serviceAccount) && len(r.keysOf(key)) == 0 // its keys first: one may be in use
		},
		Delete: func(ctx context.Context, key string, _ found) error {
			err := r.send(ctx, http.MethodDelete, r.accountPath(r.email(key)), nil, nil)
			if absent(err) {
				return nil
			}
			return err
		},
		Loss: lab.RiskDisrupt,
	}
}

// listAccountsAndKeys reads the accounts, and, where accounts may be removed or taken over, the keys, which others may use.
func (r *run) listAccountsAndKeys(ctx context.Context) (map[string]found, error) {
	accounts, err := r.listAccounts(ctx)
	if err != nil {
		return nil, err
	}
	keys := map[string][]hmacKey{}
	if r.spec.Prune || r.spec.Adopt && len(r.wantedKeys()) > 0 {
		if keys, err = r.listAllKeys(ctx); err != nil {
			return nil, err
		}
	}
	has := map[string]found{}
	for name, a := range accounts {
		f := found{serviceAccount: a}
		if w, wanted := r.wantedKeys()[name]; wanted && r.spec.Adopt && !r.marked(name, a) {
			kept, err := r.keptID(ctx, w)
			if err != nil {
				return nil, err
			}
			for _, k := range keys[name] {
				if k.State == active && k.ID != kept {
					f.others++
				}
			}
		}
		has[name] = f
	}
	return has, nil
}

// listAccounts reads the accounts of the project, by what stands before the @. It is done once in a comparison.
func (r *run) listAccounts(ctx context.Context) (map[string]serviceAccount, error) {
	return reconcile.Once(r.reads, "accounts", func() (map[string]serviceAccount, error) {
		has := map[string]serviceAccount{}
		err := r.list(ctx, r.accountPath(), "pageSize", func(ctx context.Context, address string) (string, error) {
			var page struct {
				Accounts      []serviceAccount `json:"accounts"`
				NextPageToken string           `json:"nextPageToken"`
			}
			err := r.get(ctx, address, &page)
			for _, a := range page.Accounts {
				if name, _, _ := strings.Cut(a.Email, "@"); a.Email == r.email(name) {
					has[name] = a
				}
			}
			return page.NextPageToken, err
		})
		if err != nil {
			return nil, err
		}
		for _, w := range r.spec.Accounts { // one that was made a moment ago may not be listed yet
			if _, listed := has[w.Name]; listed {
				continue
			}
			a, err := r.readAccount(ctx, w.Name)
			switch {
			case absent(err):
			case err != nil:
				return nil, err
			default:
				has[w.Name] = a
			}
		}
		return has, nil
	})
}

func (r *run) readAccount(ctx context.Context, name string) (a serviceAccount, err error) {
	err = r.get(ctx, r.accountPath(r.email(name)), &a)
	return a, err
}

// marked reports whether an account has our mark.
func (r *run) marked(name string, a serviceAccount) bool {
	m, ok := mark.Parse(a.Description)
	return ok && m == r.mark(name)
}

func (r *run) mark(name string) mark.Mark {
	return mark.Mark{Stack: r.spec.stack(), Kind: "account", Name: name}
}

// described is the description of an account, with our mark at its end.
func (r *run) described(w *Account) string {
	m := r.mark(w.Name).String()
	if w.Description == "" {
		return m
	}
	return w.Description + "; " + m
}

func (r *run) accountFields(w *Account, h *found) []field {
	fields := []field{{"description", r.described(w), h.Description}}
	if w.DisplayName != "" {
		fields = append(fields, field{"display name", w.DisplayName, h.DisplayName})
	}
	return fields
}

func (r *run) diffAccount(key string, w Account, h *found) reconcile.Delta {
	if h == nil {
		return delta(key, false, r.accountFields(&w, &found{}))
	}
	if err := r.accountError(key, h); err != nil {
		return reconcile.Delta{Err: err}
	}
	return delta(key, true, r.accountFields(&w, h))
}

// accountError says why an account cannot become what is wanted.
func (r *run) accountError(key string, h *found) error {
	m, _ := mark.Parse(h.Description)
	switch {
	case m.Stack != "" && m.Stack != r.spec.stack():
		return r.conflict("account", key, m.Stack)
	case !r.marked(key, h.serviceAccount) && !r.spec.Adopt:
		return r.conflict("account", key, "")
	case h.others > 0:
		return r.fail("plan account", key, "give the secret of one to the sink and remove the others, or use an account without keys",
			lab.ErrConflict, "it has HMAC keys that others may use, which would become predecessors of ours")
	case h.Disabled:
		return r.fail("plan account", key, "find out who has disabled it, and enable it with: gcloud iam service-accounts enable",
			lab.ErrConflict, "it is disabled")
	}
	return nil
}

func (r *run) putAccount(ctx context.Context, key string, w Account, h *found) error {
	a := serviceAccount{DisplayName: w.DisplayName, Description: r.described(&w)}
	if h == nil {
		err := r.send(ctx, http.MethodPost, r.accountPath(), map[string]any{"accountId": key, "serviceAccount": a}, nil)
		if status(err) != http.StatusConflict {
			return err
		}
		taken, again := r.readAccount(ctx, key) // a run at the same time, or one whose answer was lost, has made it
		if again != nil {
			return err
		}
		d := r.diffAccount(key, w, &found{serviceAccount: taken})
		if d.Err != nil || d.Action == "" {
			return d.Err
		}
	}
	mask := "description"
	if w.DisplayName != "" {
		mask += ",displayName"
	}
	return r.send(ctx, http.MethodPatch, r.accountPath(r.email(key)), map[string]any{"serviceAccount": a, "updateMask": mask}, nil)
}
