package vaultprov

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// differ returns the fields that are not as they are wanted, in order.
func (w object) differ(has map[string]any) (fields []string) {
	for _, field := range slices.Sorted(maps.Keys(w.want)) {
		if !same(w.want[field], has[field]) {
			fields = append(fields, field)
		}
	}
	return fields
}

// diff compares, and does nothing else.
func (p *planner) diff(k kind, key string, w object, h *seen) reconcile.Delta {
	wanted := map[string]any{}
	for field, v := range w.want {
		wanted[field] = normal(v)
	}
	if h == nil {
		return reconcile.Delta{Action: lab.Create, Cause: "not found", Diff: lab.Diff(key, nil, text(given(wanted)))}
	}
	has, differ := map[string]any{}, w.differ(h.has)
	for field := range w.want {
		has[field] = as(w.want[field], h.has[field])
	}
	for _, field := range differ {
		if slices.Contains(w.fixed, field) {
			return reconcile.Delta{Err: &lab.Error{Op: "plan", Target: p.client.server.target(), Path: k.name + ":" + key,
				Hint: "use another name, or remove what is there by hand",
				Err: fmt.Errorf("%w: its %s is %s, which cannot be changed to %s", lab.ErrConflict, field,
					fmt.Sprint(has[field]), fmt.Sprint(wanted[field]))}}
		}
	}
	cause := strings.Join(differ, ", ")
	switch {
	case len(differ) == 1:
		cause += " differs"
	case len(differ) > 1:
		cause += " differ"
	case p.adopts(k, key, w, *h):
		cause = "not recorded as ours"
	case p.resends(key, w, *h):
		cause = strings.Join(slices.Sorted(maps.Keys(w.secrets)), ", ") + " is not the one that was sent last"
	default:
		return reconcile.Delta{}
	}
	return reconcile.Delta{Action: lab.Update, Cause: cause, Diff: lab.Diff(key, text(has), text(wanted))}
}

// adopts reports whether an object of others is to be recorded as ours.
func (p *planner) adopts(k kind, key string, w object, h seen) bool {
	return p.spec.Adopt && !h.owned && k.recorded(key, w)
}

// resends reports whether the secrets of an object that is there are to be sent: we made it, and what was sent last
// is another, or was not recorded before the run was cut off. Those of somebody else's object are left as they are.
func (p *planner) resends(key string, w object, h seen) bool {
	return len(w.secrets) > 0 && h.owned && !p.spec.FingerprintKey.IsZero() && h.print != p.print(key, w)
}

// print returns the fingerprint of the secrets of an object.
func (p *planner) print(key string, w object) string {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.secrets)) {
		fmt.Fprintf(&all, "%s=%q\n", name, w.secrets[name].Reveal())
	}
	return fingerprint.Of(p.spec.FingerprintKey, key, lab.NewSecret(all.String()))
}
