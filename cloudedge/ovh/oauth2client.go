package ovh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

const clientsPath = "/v1/me/api/oauth2/client"

// clientCredentials is the flow by which a program logs in without a person.
const clientCredentials = "CLIENT_CREDENTIALS"

// oauth2Client is a client as the API has it. It has no secret.
type oauth2Client struct {
	ID           string   `json:"clientId"`
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	Flow         string   `json:"flow"`
	CallbackURLs []string `json:"callbackUrls"`
	Identity     string   `json:"identity"` // a URN; empty where IAM knows it not yet
}

// issued is what the account has of a client that is wanted, or that has our mark.
type issued struct {
	ours    []oauth2Client // those with our mark; or the one that is to be adopted
	foreign *oauth2Client  // one of the name without our mark, where there is none with it
	finding credential.Finding
	kept    bool // the ID in the sink is that of the secret
}

// current returns the client whose secret is kept.
func (i *issued) current() (oauth2Client, bool) {
	if i != nil {
		for _, c := range i.ours {
			if c.ID == i.finding.ID {
				return c, true
			}
		}
	}
	return oauth2Client{}, false
}

// made are the clients that an apply has found right or made, by name.
type made struct {
	mu sync.Mutex
	by map[string]oauth2Client
}

func (m *made) set(name string, c oauth2Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[string]oauth2Client{}
	}
	m.by[name] = c
}

func (m *made) get(name string) (oauth2Client, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.by[name]
	return c, ok
}

func (r *run) wantedClients() map[string]Client {
	want := map[string]Client{}
	for _, c := range r.spec.Clients {
		want[c.Name] = c
	}
	return want
}

func (r *run) clients() reconcile.Kind {
	return reconcile.Collection[Client, issued]{
		Name: "client", Want: r.wantedClients(),
		List: r.listClients,
		Diff: r.diffClient,
		Put:  r.putClient,
		Owned: func(_ string, h issued) bool {
			return h.foreign == nil && slices.ContainsFunc(h.ours, func(c oauth2Client) bool {
				_, ours := r.ours(c.Description, "client")
				return ours
			})
		},
		Delete: func(ctx context.Context, _ string, h issued) error { return r.retire(ctx, h.ours) },
		Loss:   lab.RiskDisrupt,
	}
}

// retirements remove the predecessors of clients, when the policies that named them name their successors.
func (r *run) retirements() reconcile.Kind {
	return reconcile.Collection[Client, issued]{
		Name: "predecessors", Want: r.wantedClients(),
		List: r.listClients,
		Diff: func(_ string, _ Client, h *issued) reconcile.Delta {
			if h == nil || r.clientError(h) != nil || len(h.finding.Others) == 0 {
				return reconcile.Delta{}
			}
			cause := "a client is left whose secret nobody keeps; it is removed"
			if n := len(h.finding.Others); n > 1 {
				cause = fmt.Sprintf("%d clients are left whose secrets nobody keeps; they are removed", n)
			}
			return reconcile.Delta{Action: lab.Update, Risk: lab.RiskDisrupt, Cause: cause}
		},
		Put: func(ctx context.Context, key string, _ Client, h *issued) error {
			current, ok := r.made.get(key)
			if !ok {
				if current, ok = h.current(); !ok {
					return r.fail("remove predecessors", key, "plan again", lab.ErrDrift, "their successor is not there")
				}
			}
			return r.retire(ctx, slices.DeleteFunc(slices.Clone(h.ours), func(c oauth2Client) bool { return c.ID == current.ID }))
		},
		After: func(key string, _ Client) []string {
			after := []string{"client:" + key}
			for _, p := range r.spec.Policies {
				if slices.Contains(p.Clients, key) {
					after = append(after, "policy:"+p.Name)
				}
			}
			return after
		},
	}
}

// listClients reads all clients, of which the API lists the IDs alone, and proves the secrets that are kept. It is done
// once in a comparison.
func (r *run) listClients(ctx context.Context) (map[string]issued, error) {
	return reconcile.Once(r.reads, "clients", func() (map[string]issued, error) {
		var ids []string
		if err := r.get(ctx, clientsPath, &ids); err != nil {
			return nil, err
		}
		for _, w := range r.spec.Clients { // one that was made a moment ago may not be listed yet
			id, err := r.spec.Sink.Get(ctx, w.IDName())
			if err == nil && !slices.Contains(ids, id.Reveal()) {
				ids = append(ids, id.Reveal())
			}
		}
		all, err := reconcile.Each(ctx, r.account.parallel(), ids, func(ctx context.Context, id string) (oauth2Client, error) {
			c, err := r.readClient(ctx, id)
			if absent(err) {
				return oauth2Client{}, nil // it was removed meanwhile
			}
			return c, err
		})
		if err != nil {
			return nil, err
		}
		return r.sortClients(ctx, all)
	})
}

// sortClients says which of the clients are ours, and which of those is the one whose secret is kept.
func (r *run) sortClients(ctx context.Context, all []oauth2Client) (map[string]issued, error) {
	has := map[string]issued{}
	for _, c := range all {
		if name, ours := r.ours(c.Description, "client"); ours {
			i := has[name]
			i.ours = append(i.ours, c)
			has[name] = i
		}
	}
	for _, c := range all {
		_, wanted := r.wantedClients()[c.Name]
		if i := has[c.Name]; wanted && len(i.ours) == 0 && i.foreign == nil && c.ID != "" {
			i.foreign = &c
			has[c.Name] = i
		}
	}
	for _, w := range r.spec.Clients {
		i := has[w.Name]
		if i.foreign != nil && r.spec.Adopt && r.conflictingStack(i.foreign.Description) == "" {
			i.ours = []oauth2Client{*i.foreign}
		}
		var err error
		if i.finding, err = r.issuer(w, i.ours).Look(ctx, ids(i.ours)); err != nil {
			return nil, err
		}
		if i.foreign != nil && i.finding.ID == "" {
			i.finding.Others = nil // others use it: a successor is made beside it
		}
		id, err := r.spec.Sink.Get(ctx, w.IDName())
		if err != nil && !absent(err) {
			return nil, err
		}
		i.kept = err == nil && id.Reveal() == i.finding.ID
		if len(i.ours) > 0 || i.foreign != nil {
			has[w.Name] = i
		}
	}
	return has, nil
}

func (r *run) readClient(ctx context.Context, id string) (c oauth2Client, err error) {
	err = r.get(ctx, clientsPath+path(id), &c)
	return c, err
}

func ids(clients []oauth2Client) (all []string) {
	for _, c := range clients {
		all = append(all, c.ID)
	}
	return all
}

// issuer says how a client is made, proved and removed. ours are those that the account has.
func (r *run) issuer(w Client, ours []oauth2Client) credential.Issuer {
	candidates := ids(ours)
	return credential.Issuer{Sink: r.spec.Sink, Name: w.SecretName(),
		Prove: func(ctx context.Context, value lab.Secret) (string, error) {
			none := r.fail("prove client", w.Name, "", lab.ErrNotFound, "no client has this secret")
			for _, id := range candidates {
				_, err := r.logIn(ctx, id, value)
				if err == nil {
					return id, nil
				}
				if !errors.Is(err, lab.ErrUnauthorized) {
					return "", err
				}
			}
			return "", none
		},
		Create: func(ctx context.Context) (string, lab.Secret, error) {
			var c struct {
				ID     string `json:"clientId"`
				Secret string `json:"clientSecret"`
			}
			err := r.send(ctx, http.MethodPost, clientsPath, map[string]any{"name": w.Name,
				"description": r.described(w.Description, "client", w.Name), "flow": clientCredentials}, &c)
			if err == nil && (c.ID == "" || c.Secret == "") {
				err = r.fail("create", clientsPath, "", lab.ErrConflict, "the answer has no ID or no secret")
			}
			candidates = []string{c.ID}
			return c.ID, lab.NewSecret(c.Secret), err
		},
		Retire: func(ctx context.Context, id string) error { return r.deleteClients(ctx, []oauth2Client{{ID: id}}) }}
}

// clientError says why a client cannot become what is wanted.
func (r *run) clientError(h *issued) error {
	if h.foreign != nil && len(h.ours) == 0 {
		return r.conflict("client", h.foreign.Name, h.foreign.Description)
	}
	if c, ok := h.current(); ok && c.Flow != clientCredentials {
		return r.fail("plan client", c.Name, "remove the client, or use another name", lab.ErrConflict,
			"its flow is "+lab.Printable(c.Flow)+", which cannot be changed")
	}
	return nil
}

func (r *run) clientFields(w Client, c oauth2Client) []field {
	return []field{{"name", w.Name, c.Name}, {"description", r.described(w.Description, "client", w.Name), c.Description}}
}

func (r *run) diffClient(key string, w Client, h *issued) reconcile.Delta {
	if h == nil {
		d := delta(key, false, r.clientFields(w, oauth2Client{})...)
		return d
	}
	if err := r.clientError(h); err != nil {
		return reconcile.Delta{Err: err}
	}
	c, ok := h.current()
	if !ok {
		return reconcile.Delta{Action: lab.Update, Cause: h.finding.Cause + "; it is succeeded by another", Risk: lab.RiskDisrupt}
	}
	d := delta(key, true, r.clientFields(w, c)...)
	if !h.kept && d.Action == "" {
		d = reconcile.Delta{Action: lab.Update, Cause: "its ID is not in " + r.spec.Sink.String()}
	}
	return d
}

func (r *run) putClient(ctx context.Context, key string, w Client, h *issued) error {
	if h == nil {
		h = &issued{}
		var err error
		if h.finding, err = r.issuer(w, nil).Look(ctx, nil); err != nil { // what is stored is replaced
			return err
		}
	}
	c, ok := h.current()
	if !ok {
		id, err := r.issuer(w, h.ours).Issue(ctx, h.finding)
		if err != nil {
			return err
		}
		if c, err = r.readClient(ctx, id); err != nil {
			return err
		}
	}
	if d := delta(key, true, r.clientFields(w, c)...); d.Action != "" {
		in := map[string]any{"name": w.Name, "description": r.described(w.Description, "client", w.Name)}
		if c.CallbackURLs != nil {
			in["callbackUrls"] = c.CallbackURLs
		}
		if err := r.send(ctx, http.MethodPut, clientsPath+path(c.ID), in, nil); err != nil {
			return err
		}
	}
	r.made.set(key, c)
	return credential.Keep(ctx, r.spec.Sink, w.IDName(), lab.NewSecret(c.ID))
}

// deleteClients removes clients. One that is gone already is no error.
func (r *run) deleteClients(ctx context.Context, clients []oauth2Client) error {
	for _, c := range clients {
		if err := r.send(ctx, http.MethodDelete, clientsPath+path(c.ID), nil, nil); err != nil && !absent(err) {
			return err
		}
	}
	return nil
}

// retire removes clients, unless a policy that is not of this spec still allows them something.
func (r *run) retire(ctx context.Context, clients []oauth2Client) error {
	policies, err := list[iamPolicy](ctx, r.client, policiesPath)
	if err != nil {
		return err
	}
	for _, c := range clients {
		n := slices.IndexFunc(policies, func(p iamPolicy) bool {
			return c.Identity != "" && slices.Contains(p.Identities, c.Identity)
		})
		if n >= 0 {
			return r.fail("remove client", c.Name+" "+c.ID, "name its successor there, or remove it from the policy", lab.ErrBlocked,
				"the policy "+lab.Printable(policies[n].Name)+" names it")
		}
	}
	return r.deleteClients(ctx, clients)
}

// identity returns the URN of a client as IAM knows it, which may take a moment after its creation.
func (r *run) identity(ctx context.Context, name string) (urn string, err error) {
	c, ok := r.made.get(name)
	if !ok {
		has, err := r.listClients(ctx)
		if err != nil {
			return "", err
		}
		i := has[name]
		if c, ok = i.current(); !ok {
			return "", r.fail("find identity", name, "plan again", lab.ErrDrift, "the client is not there")
		}
	}
	err = r.until(ctx, "the identity of "+name, func(ctx context.Context) (bool, error) {
		if c.Identity == "" {
			if c, err = r.readClient(ctx, c.ID); err != nil && !absent(err) {
				return false, err
			}
		}
		return c.Identity != "", nil
	})
	return c.Identity, err
}
