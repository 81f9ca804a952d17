package forge

import (
	"context"
	"net/http"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// variable is one as the API has it.
type variable struct {
	Name        string `json:"name"`
	Value       string `json:"data"`
	Description string `json:"description"` // the mark
}

// wantedVariable is one that is wanted, and where.
type wantedVariable struct {
	Variable
	scope scope
}

func (r *run) variables() reconcile.Kind {
	want := map[string]wantedVariable{}
	scopes := map[string]scope{}
	for _, s := range r.spec.scopes() {
		scopes[s.name] = s
		for _, w := range s.variables {
			want[s.name+"/"+w.Name] = wantedVariable{w, s}
		}
	}
	return reconcile.Collection[wantedVariable, variable]{
		Name: "variable", Want: want,
		List: func(ctx context.Context) (map[string]variable, error) {
			some := slices.DeleteFunc(r.spec.scopes(), func(s scope) bool { return len(s.variables) == 0 && !r.spec.Prune })
			lists, err := reconcile.Each(ctx, r.server.parallel(), some, r.listVariables)
			if err != nil {
				return nil, err
			}
			has := map[string]variable{}
			for n, s := range some {
				for _, h := range lists[n] {
					has[s.name+"/"+h.Name] = h
				}
			}
			return has, nil
		},
		Diff: func(key string, w wantedVariable, h *variable) reconcile.Delta {
			var f reconcile.Fields
			if h == nil {
				f.Exact("value", w.Value, "")
				return f.Created(key)
			}
			if _, err := r.marked(h.Description, "variable", key); err != nil {
				return reconcile.Delta{Err: err}
			}
			f.Exact("value", w.Value, h.Value)
			return f.Changed(key)
		},
		Put: func(ctx context.Context, key string, w wantedVariable, _ *variable) error {
			return r.putVariable(ctx, w.scope, w.Name, w.Value, r.mark("variable", key).String())
		},
		After: func(_ string, w wantedVariable) []string { return r.after(w.scope.kind + ":" + w.scope.name) },
		Owned: func(key string, h variable) bool {
			ours, err := r.marked(h.Description, "variable", key)
			return ours && err == nil
		},
		Delete: func(ctx context.Context, key string, _ variable) error {
			of, name := split(key)
			return r.deleteVariable(ctx, scopes[of], name)
		},
	}
}

// listVariables reads the variables of a scope, once in a comparison.
func (r *run) listVariables(ctx context.Context, s scope) ([]variable, error) {
	return reconcile.Once(r.reads, "variables of "+s.String(), func() ([]variable, error) {
		c, at := r.actions(s, "variables")
		all, err := list[variable](ctx, c, at)
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
}

// putVariable creates a variable, or changes it when it is there: the API has two requests for it.
func (r *run) putVariable(ctx context.Context, s scope, name, value, description string) error {
	c, at := r.actions(s, "variables")
	body := map[string]string{"value": value, "description": description}
	err := c.send(ctx, http.MethodPut, at+path(name), body, nil)
	if status(err) == http.StatusNotFound {
		err = c.send(ctx, http.MethodPost, at+path(name), body, nil)
	}
	return err
}

func (r *run) deleteVariable(ctx context.Context, s scope, name string) error {
	c, at := r.actions(s, "variables")
	err := c.send(ctx, http.MethodDelete, at+path(name), nil, nil)
	if absent(err) {
		return nil
	}
	return err
}
