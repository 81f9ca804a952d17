package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// Runner is a runner of Actions, which registers itself, with a registration token: once under its name. Registrations of
// the same name that are left of former ones are removed, where they are offline and another of the name is online.
type Runner struct {
	Name string `yaml:"name,required"` // as it registers itself: "pi1"

	// Of is whose jobs it runs: an organization, as "arcodange-org", or a repository, as "arcodange-org/cms". Empty means
	// all of the server: whoever may push to any repository then runs what they like on its machine.
	Of string `yaml:"of"`
}

// RegistrationName returns the name under which the registration token of runners is kept in [Spec].Sink: of the whole server
// (empty), of an organization or of a repository.
func RegistrationName(of string) string {
	return strings.TrimSuffix("runner-registration-"+strings.ReplaceAll(of, "/", "-"), "-")
}

// registered is a runner as the API has it.
type registered struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"` // online or offline, which it is after a minute without a sign of life
	Busy   bool   `json:"busy"`
}

// stale returns the registrations that are left of former ones.
func stale(all []registered) (left []registered) {
	if !slices.ContainsFunc(all, func(r registered) bool { return r.Status == "online" }) {
		return nil // which of them will come back is not known
	}
	return slices.DeleteFunc(slices.Clone(all), func(r registered) bool { return r.Status != "offline" || r.Busy })
}

// levelPath is the path of the runners of a level.
func levelPath(of string) string {
	owner, repository, ofRepository := strings.Cut(of, "/")
	switch {
	case of == "":
		return "/admin/actions/runners"
	case ofRepository:
		return path("repos", owner, repository, "actions", "runners")
	}
	return path("orgs", of, "actions", "runners")
}

// levelNeeds returns what must be there before runners of a level can register.
func (r *run) levelNeeds(of string) []string {
	if strings.Contains(of, "/") {
		return r.after("repository:" + of)
	}
	return r.after("organization:" + of)
}

func (r Runner) key() string { return strings.TrimPrefix(r.Of+"/"+r.Name, "/") }

func (r *run) runners() reconcile.Kind {
	want := map[string]Runner{}
	for _, w := range r.spec.Runners {
		want[w.key()] = w
	}
	return reconcile.Collection[Runner, []registered]{
		Name: "runner", Want: want,
		List: func(ctx context.Context) (map[string][]registered, error) { return r.listRunners(ctx) },
		Diff: func(_ string, _ Runner, h *[]registered) reconcile.Delta {
			if h == nil {
				return reconcile.Delta{} // it registers itself
			}
			left := stale(*h)
			if len(left) == 0 {
				return reconcile.Delta{}
			}
			var ids []string
			for _, l := range left {
				ids = append(ids, fmt.Sprint(l.ID))
			}
			slices.Sort(ids)
			return reconcile.Delta{Action: lab.Update, Cause: fmt.Sprintf(
				"of its %d registrations, %s are offline beside one that is online: they are removed", len(*h), strings.Join(ids, ", "))}
		},
		Put: func(ctx context.Context, _ string, w Runner, h *[]registered) error {
			for _, l := range stale(*h) {
				err := r.send(ctx, http.MethodDelete, levelPath(w.Of)+path(fmt.Sprint(l.ID)), nil, nil)
				if err != nil && !absent(err) {
					return err
				}
			}
			return nil
		},
	}
}

// listRunners reads the runners of each level of which some are named, by name. The list of the whole server holds those of
// organizations and repositories too, and does not say which: those that are named in the spec are taken out.
func (r *run) listRunners(ctx context.Context) (map[string][]registered, error) {
	levels := r.levels()
	if slices.Contains(levels, "") {
		for _, o := range r.spec.Organizations {
			levels = append(levels, o.Name)
		}
		slices.Sort(levels)
		levels = slices.Compact(levels)
	}
	lists, err := reconcile.Each(ctx, r.server.parallel(), levels, r.runnersOf)
	if err != nil {
		return nil, err
	}
	of := map[int64]string{}
	for n, level := range levels {
		for _, x := range lists[n] {
			of[x.ID] = max(of[x.ID], level) // "" is less than any other
		}
	}
	has := map[string][]registered{}
	for n, level := range levels {
		for _, x := range lists[n] {
			if of[x.ID] == level {
				key := Runner{Name: x.Name, Of: level}.key()
				has[key] = append(has[key], x)
			}
		}
	}
	return has, nil
}

// levels are those of which runners are named.
func (r *run) levels() (all []string) {
	for _, w := range r.spec.Runners {
		all = append(all, w.Of)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// runnersOf returns all runners of a level. Its pages are in an object, with the number of all.
func (r *run) runnersOf(ctx context.Context, of string) (all []registered, err error) {
	for page := 1; page <= maxPages; page++ {
		var some struct {
			Runners []registered `json:"runners"`
			Total   int          `json:"total_count"`
		}
		err := r.get(ctx, fmt.Sprintf("%s?limit=%d&page=%d", levelPath(of), pageSize, page), &some)
		if absent(err) {
			return nil, nil // the organization or the repository is not there yet
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some.Runners...)
		if len(some.Runners) == 0 || len(all) >= some.Total {
			break
		}
	}
	return all, nil
}

// registrations are the registration tokens of the levels of which runners are named. The server keeps one a level, shows it
// to whoever may make one, and makes one where there is none: so that a plan, which writes nothing, only looks
// whether one is kept. One that somebody has reset on the server is removed from the sink by hand.
func (r *run) registrations() reconcile.Kind {
	want := map[string]string{}
	for _, of := range r.levels() {
		want[RegistrationName(of)] = of
	}
	return reconcile.Collection[string, struct{}]{
		Name: "registration-token", Want: want,
		List: func(ctx context.Context) (map[string]struct{}, error) {
			has := map[string]struct{}{}
			for name := range want {
				switch _, err := r.spec.Sink.Get(ctx, name); {
				case err == nil:
					has[name] = struct{}{}
				case !errors.Is(err, lab.ErrNotFound):
					return nil, err
				}
			}
			return has, nil
		},
		Diff: func(_ string, _ string, h *struct{}) reconcile.Delta {
			if h != nil {
				return reconcile.Delta{}
			}
			return reconcile.Delta{Action: lab.Create, Cause: "not found in " + r.spec.Sink.String()}
		},
		Put: func(ctx context.Context, name, of string, _ *struct{}) error {
			if err := r.spec.Sink.Prove(ctx); err != nil {
				return err
			}
			var registration struct {
				Token string `json:"token"`
			}
			if err := r.send(ctx, http.MethodPost, levelPath(of)+"/registration-token", nil, &registration); err != nil {
				return err
			}
			token := lab.NewSecret(registration.Token)
			if token.IsZero() {
				return r.fail("read registration token", levelPath(of), "", lab.ErrConflict, "the server shows none")
			}
			return r.spec.Sink.Put(ctx, name, token)
		},
		After: func(_, of string) []string { return r.levelNeeds(of) },
	}
}

func (v *validation) runner(at string, r Runner) {
	owner, repository, ofRepository := strings.Cut(r.Of, "/")
	if r.Of != "" {
		v.owner(at+".of", owner)
	}
	if ofRepository && (!repositoryName.MatchString(repository) || reservedRepo.MatchString(repository)) {
		v.bad(at+".of", r.Of, "is neither an organization nor a repository", "write OWNER/NAME")
	}
	if !word.MatchString(r.Name) {
		v.bad(at+".name", r.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
	}
	v.unique(at+".name", "runner "+r.key(), r.key())
	v.sunk = true
}
