package lawtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// secrets proves law 6 in all that a life of the world says: of the first apply, of one that is cut
// off, of drift and its repair, and of a plan that is refused.
func secrets(tb testing.TB, w World) {
	tb.Helper()
	if len(w.Secrets) == 0 {
		tb.Skip("the suite has no secrets")
	}
	var said []string
	say := func(values ...any) {
		for _, v := range values {
			b, err := json.Marshal(v)
			said = append(said, fmt.Sprintf("%v|%+v|%#v|%s|%v", v, v, v, b, err))
		}
	}
	live := func(ctx context.Context, events func(lab.Event)) {
		p := w.plan(tb)
		say(p, p.Changes())
		o := confirmed(p)
		o.Events = func(e lab.Event) {
			say(e, e.Err)
			if events != nil {
				events(e)
			}
		}
		r, err := p.Apply(ctx, o)
		say(r, err, lab.Hints(err))
	}
	cut := byContext(tb, w, 2)
	live(cut.ctx, cut.events)
	live(tb.Context(), nil)
	if w.Drift != nil {
		w.Drift(tb)
		live(tb.Context(), nil)
	}
	w.converged(tb, "law 6: after all")
	if w.Within != nil {
		err := w.Within(tb.Context(), &lab.Boundary{Ports: []uint16{1}})
		say(err, lab.Hints(err))
	}
	if w.Texts != nil {
		texts := w.Texts(tb)
		if strings.Join(texts, "") == "" {
			tb.Error("law 6: the texts of the world are empty: nothing is proved")
		}
		said = append(said, texts...)
	}
	NoSecret(tb, w.Secrets, said...)
}

// NoSecret fails the test when a secret is in one of the texts, in any of the forms that [lab.Mask]
// knows.
func NoSecret(tb testing.TB, secrets []lab.Secret, texts ...string) {
	tb.Helper()
	m := lab.NewMasker(secrets...)
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if masked := m.Mask(line); masked != line {
				tb.Errorf("law 6: a secret is in %s", masked)
			}
		}
	}
}
