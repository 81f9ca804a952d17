package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// key is an SSH key as the API has it.
type key struct {
	ID       int64  `json:"id"`
	Key      string `json:"key"`
	Title    string `json:"title"`
	ReadOnly bool   `json:"read_only"` // of a deploy key
}

// keyring is where keys are: those of a user, or those of a repository.
type keyring struct {
	kind string   // "key" or "deploy-key"
	of   []string // the users or repositories, as "OWNER/NAME"
	want map[string]Key
	need string // the kind of those that have the keys

	list, create func(of string) string
	remove       func(of string, id int64) string
}

func (r *run) userKeys() reconcile.Kind {
	ring := keyring{kind: "key", need: "user", want: map[string]Key{},
		list:   func(of string) string { return path("users", of, "keys") },
		create: func(of string) string { return path("admin", "users", of, "keys") },
		remove: func(of string, id int64) string { return path("admin", "users", of, "keys", fmt.Sprint(id)) }}
	for _, u := range r.spec.Users {
		if len(u.Keys) > 0 || r.spec.Prune {
			ring.of = append(ring.of, u.Name)
		}
		for _, k := range u.Keys {
			ring.want[u.Name+"/"+k.Name] = k
		}
	}
	return r.keys(ring)
}

func (r *run) deployKeys() reconcile.Kind {
	keys := func(of string) string { return "/repos/" + of + "/keys" }
	ring := keyring{kind: "deploy-key", need: "repository", want: map[string]Key{}, list: keys, create: keys,
		remove: func(of string, id int64) string { return keys(of) + path(fmt.Sprint(id)) }}
	for _, x := range r.spec.Repositories {
		if len(x.DeployKeys) > 0 || r.spec.Prune {
			ring.of = append(ring.of, x.key())
		}
		for _, k := range x.DeployKeys {
			ring.want[x.key()+"/"+k.Name] = k
		}
	}
	return r.keys(ring)
}

// split returns where an object is, and its name there.
func split(key string) (of, name string) {
	n := strings.LastIndexByte(key, '/')
	return key[:n], key[n+1:]
}

// sameKey is the key itself, by which it is known: the type and the data, without the comment.
func sameKey(line string) string {
	f := strings.Fields(line)
	return strings.Join(f[:min(2, len(f))], " ")
}

func (r *run) keys(ring keyring) reconcile.Kind {
	deploy := ring.need == "repository"
	fieldsOf := func(w Key, h key) (f reconcile.Fields) {
		f.Exact("key", sameKey(w.Key), sameKey(h.Key))
		if deploy {
			f.Exact("write", fmt.Sprint(w.Write), fmt.Sprint(!h.ReadOnly))
		}
		return f
	}
	remove := func(ctx context.Context, k string, h key) error {
		of, _ := split(k)
		err := r.send(ctx, "DELETE", ring.remove(of, h.ID), nil, nil)
		if absent(err) {
			return nil
		}
		return err
	}
	return reconcile.Collection[Key, key]{
		Name: ring.kind, Want: ring.want,
		List: func(ctx context.Context) (map[string]key, error) { return r.listKeys(ctx, ring) },
		Diff: func(k string, w Key, h *key) reconcile.Delta {
			if h == nil {
				return fieldsOf(w, key{}).Created(k)
			}
			d := fieldsOf(w, *h).Changed(k)
			if d.Action != "" {
				d.Action, d.Risk = lab.Replace, lab.RiskDisrupt // whoever has the old one
			}
			return d
		},
		Put: func(ctx context.Context, k string, w Key, h *key) error {
			if h != nil {
				if err := remove(ctx, k, *h); err != nil {
					return err
				}
			}
			of, name := split(k)
			return r.send(ctx, "POST", ring.create(of), map[string]any{"title": name + "; " + r.mark(ring.kind, k).String(),
				"key": sameKey(w.Key), "read_only": !w.Write}, nil)
		},
		After:  func(k string, _ Key) []string { of, _ := split(k); return r.after(ring.need + ":" + of) },
		Owned:  func(k string, h key) bool { ours, err := r.marked(h.Title, ring.kind, k); return ours && err == nil },
		Delete: remove, Loss: lab.RiskDisrupt,
	}
}

// listKeys returns the keys that are wanted, whatever they are called there, and those that have our mark.
func (r *run) listKeys(ctx context.Context, ring keyring) (map[string]key, error) {
	lists, err := reconcile.Each(ctx, r.server.parallel(), ring.of, func(ctx context.Context, of string) ([]key, error) {
		all, err := list[key](ctx, r.client, ring.list(of))
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	has := map[string]key{}
	for n, of := range ring.of {
		for _, h := range lists[n] { // by their marks
			if m, ok := mark.Parse(h.Title); ok && m == r.mark(ring.kind, m.Name) && strings.HasPrefix(m.Name, of+"/") {
				has[m.Name] = h
			}
		}
		for _, k := range slices.Sorted(maps.Keys(ring.want)) { // by themselves
			if under, _ := split(k); under != of {
				continue
			}
			if same := slices.IndexFunc(lists[n], func(h key) bool { return sameKey(h.Key) == sameKey(ring.want[k].Key) }); same >= 0 {
				h := lists[n][same]
				maps.DeleteFunc(has, func(_ string, other key) bool { return other.ID == h.ID }) // it was called otherwise
				has[k] = h
			}
		}
	}
	return has, nil
}
