package forge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// repository is one as the API has it.
type repository struct {
	Name           string   `json:"name"`
	FullName       string   `json:"full_name"`
	Description    string   `json:"description"`
	Website        string   `json:"website"`
	Private        bool     `json:"private"`
	Empty          bool     `json:"empty"`
	DefaultBranch  string   `json:"default_branch"`
	Archived       bool     `json:"archived"`
	Template       bool     `json:"template"`
	Topics         []string `json:"topics"`
	Issues         bool     `json:"has_issues"`
	PullRequests   bool     `json:"has_pull_requests"`
	Wiki           bool     `json:"has_wiki"`
	Projects       bool     `json:"has_projects"`
	Releases       bool     `json:"has_releases"`
	Packages       bool     `json:"has_packages"`
	Actions        bool     `json:"has_actions"`
	MergeCommit    bool     `json:"allow_merge_commits"`
	Rebase         bool     `json:"allow_rebase"`
	RebaseMerge    bool     `json:"allow_rebase_explicit"`
	Squash         bool     `json:"allow_squash_merge"`
	FastForward    bool     `json:"allow_fast_forward_only_merge"`
	MergeDefault   string   `json:"default_merge_style"`
	DeleteBranch   bool     `json:"default_delete_branch_after_merge"`
	Mirror         bool     `json:"mirror"`
	OriginalURL    string   `json:"original_url"`
	MirrorInterval string   `json:"mirror_interval"`

	moved error // it has been renamed, or its owner has, and this is how
}

func (x Repository) key() string { return x.Owner + "/" + x.Name }

func (r *run) repositories() reconcile.Kind {
	want := map[string]Repository{}
	for _, x := range r.spec.Repositories {
		want[x.key()] = x
	}
	return reconcile.Collection[Repository, repository]{
		Name: "repository", Want: want,
		List: func(ctx context.Context) (map[string]repository, error) { return r.listRepositories(ctx, want) },
		Diff: r.diffRepository,
		Put: func(ctx context.Context, key string, w Repository, h *repository) error {
			return r.putRepository(ctx, key, w, h)
		},
		After: func(_ string, w Repository) []string {
			after := []string{"organization:" + w.Owner, "user:" + w.Owner}
			for _, o := range r.spec.Organizations {
				for _, t := range o.Teams { // a team of all repositories and a repository that are created at once do not find each other
					if t.Repositories == nil && strings.EqualFold(o.Name, w.Owner) {
						after = append(after, "team:"+o.Name+"/"+t.Name)
					}
				}
			}
			return r.after(after...)
		},
	}
}

// listRepositories reads the repositories of each owner: a page has 50 of them, with their topics.
func (r *run) listRepositories(ctx context.Context, want map[string]Repository) (map[string]repository, error) {
	var names []string
	for _, x := range r.spec.Repositories {
		if !slices.Contains(names, x.Owner) {
			names = append(names, x.Owner)
		}
	}
	lists, err := reconcile.Each(ctx, r.server.parallel(), names, func(ctx context.Context, owner string) ([]repository, error) {
		all, err := list[repository](ctx, r.client, path("users", owner, "repos"))
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	byName := map[string]repository{}
	for n, owner := range names {
		for _, x := range lists[n] {
			byName[strings.ToLower(owner+"/"+x.Name)] = x
		}
	}
	return found(ctx, r, want, byName, func(ctx context.Context, key string) (x repository, err error) {
		err = r.get(ctx, "/repos/"+key, &x)
		return x, err
	}, func(key string, err error) repository { return repository{moved: r.renamed("repository", key, err)} })
}

func (r *run) diffRepository(key string, w Repository, h *repository) reconcile.Delta {
	refuse := func(kind error, hint, what string) reconcile.Delta {
		return reconcile.Delta{Err: r.fail("plan repository", key, hint, kind, what)}
	}
	switch {
	case h == nil:
		d := repositoryFields(w, repository{}, true).Created(key)
		if w.Mirror != nil {
			d.Cause += "; it is copied, and then a mirror of " + w.Mirror.Address
		}
		return d
	case h.moved != nil:
		return reconcile.Delta{Err: h.moved}
	case h.Mirror && h.MirrorInterval == "":
		// the server has this while it copies, and keeps it when that fails
		return refuse(lab.ErrBlocked, "plan again later; if it stays so, see whether the server reaches "+lab.Printable(h.OriginalURL)+
			", and delete what is left in the settings of the repository",
			"it is to become a mirror, and is being copied still, or could not be")
	case w.Mirror == nil && h.Mirror:
		return refuse(lab.ErrConflict, "say that it is a mirror, or convert it in its settings",
			"it is a mirror of "+lab.Printable(h.OriginalURL)+", and not wanted as one")
	case w.Mirror != nil && !h.Mirror:
		return refuse(lab.ErrRefused, "rename or delete it yourself, if nothing in it is needed, or do without the mirror",
			"it is no mirror, and could become one only by being deleted")
	case w.Mirror != nil && sameAddress(w.Mirror.Address) != sameAddress(h.OriginalURL):
		return refuse(lab.ErrConflict, "change the address in its settings, or write the one that it has",
			"it is a mirror of "+lab.Printable(h.OriginalURL)+", and the API cannot change that")
	}
	d := repositoryFields(w, *h, false).Changed(key)
	if w.Private != nil && *w.Private != h.Private {
		d.Risk = visibilityRisk(visibility(*w.Private), visibility(h.Private))
		if !*w.Private {
			d.Cause += "; everybody who reaches the server can read it then, and all of its past"
		}
	}
	if w.Archived != nil && *w.Archived && !h.Archived {
		d.Risk = max(d.Risk, lab.RiskDisrupt)
	}
	return d
}

func visibility(private bool) string {
	if private {
		return "private"
	}
	return "public"
}

// private is whether a repository is created private: unless it is said that it is not.
func (x Repository) private() bool { return x.Private == nil || *x.Private }

func repositoryFields(w Repository, h repository, create bool) (f reconcile.Fields) {
	f.Text("description", w.Description, h.Description)
	f.Text("website", w.Website, h.Website)
	private := w.Private
	if create {
		p := w.private()
		private = &p
	}
	f.Flag("private", private, h.Private)
	f.Text("defaultBranch", w.DefaultBranch, h.DefaultBranch)
	f.Flag("archived", w.Archived, h.Archived)
	f.Flag("template", w.Template, h.Template)
	f.Flag("issues", w.Issues, h.Issues)
	f.Flag("pullRequests", w.PullRequests, h.PullRequests)
	f.Flag("wiki", w.Wiki, h.Wiki)
	f.Flag("projects", w.Projects, h.Projects)
	f.Flag("releases", w.Releases, h.Releases)
	f.Flag("packages", w.Packages, h.Packages)
	f.Flag("actions", w.Actions, h.Actions)
	if m := w.Merge; m != nil {
		f.Flag("merge.mergeCommit", m.MergeCommit, h.MergeCommit)
		f.Flag("merge.rebase", m.Rebase, h.Rebase)
		f.Flag("merge.rebaseMerge", m.RebaseMerge, h.RebaseMerge)
		f.Flag("merge.squash", m.Squash, h.Squash)
		f.Flag("merge.fastForward", m.FastForward, h.FastForward)
		f.Text("merge.default", m.Default, h.MergeDefault)
		f.Flag("merge.deleteBranch", m.DeleteBranch, h.DeleteBranch)
	}
	if w.Mirror != nil {
		f.Text("mirror.interval", duration(w.Mirror.Interval), duration(h.MirrorInterval))
	}
	f.Set("topics", w.Topics, h.Topics)
	return f
}

// repositoryHints say why the server may have left out what it was asked.
var repositoryHints = map[string]string{
	"defaultBranch": "push the branch first",
	"pullRequests":  "see whether this is a mirror, which has none, or whether the server has disabled the unit",
	"private":       "a fork has the visibility of what it was forked from",
}

func (r *run) putRepository(ctx context.Context, key string, w Repository, h *repository) error {
	if h == nil {
		var is repository
		if err := r.createRepository(ctx, w, &is); err != nil {
			return err
		}
		h = &is
	}
	if differ := repositoryFields(w, *h, false).Differ(); len(differ) > 0 && !slices.Equal(differ, []string{"topics"}) {
		var is repository
		if err := r.send(ctx, http.MethodPatch, "/repos/"+key, repositoryEdit(w), &is); err != nil {
			return err
		}
		is.Topics = h.Topics
		h = &is
	}
	if w.Topics != nil && reconcile.Together(w.Topics) != reconcile.Together(h.Topics) {
		r.topics.Lock()
		err := r.send(ctx, http.MethodPut, "/repos/"+key+"/topics", map[string]any{"topics": w.Topics}, nil)
		r.topics.Unlock()
		if err != nil {
			return err
		}
		h.Topics = w.Topics
	}
	return r.kept("update repository", key, repositoryFields(w, *h, false), repositoryHints)
}

// createRepository creates an ordinary repository, which is empty, or copies one to be a mirror.
func (r *run) createRepository(ctx context.Context, w Repository, is *repository) error {
	if w.Mirror != nil {
		return r.createMirror(ctx, w, is)
	}
	body := map[string]any{"name": w.Name, "description": w.Description, "private": w.private(), "default_branch": w.DefaultBranch}
	err := r.send(ctx, http.MethodPost, path("orgs", w.Owner, "repos"), body, is)
	if status(err) == http.StatusNotFound { // not an organization
		err = r.send(ctx, http.MethodPost, path("admin", "users", w.Owner, "repos"), body, is)
	}
	if status(err) == http.StatusConflict {
		err = errors.Join(err, r.fail("create repository", w.key(),
			"plan again, or adopt or delete the files in the administration of the server",
			lab.ErrConflict, "it has been created meanwhile, or there are files of one that the server does not know"))
	}
	return err
}

// repositoryEdit is what is sent to make a repository as it is wanted.
func repositoryEdit(w Repository) map[string]any {
	body := map[string]any{}
	text := func(name, v string) {
		if v != "" {
			body[name] = v
		}
	}
	flag := func(name string, v *bool) {
		if v != nil {
			body[name] = *v
		}
	}
	text("description", w.Description)
	text("website", w.Website)
	text("default_branch", w.DefaultBranch)
	flag("private", w.Private)
	flag("archived", w.Archived)
	flag("template", w.Template)
	flag("has_issues", w.Issues)
	flag("has_pull_requests", w.PullRequests)
	flag("has_wiki", w.Wiki)
	flag("has_projects", w.Projects)
	flag("has_releases", w.Releases)
	flag("has_packages", w.Packages)
	flag("has_actions", w.Actions)
	if m := w.Merge; m != nil {
		flag("allow_merge_commits", m.MergeCommit)
		flag("allow_rebase", m.Rebase)
		flag("allow_rebase_explicit", m.RebaseMerge)
		flag("allow_squash_merge", m.Squash)
		flag("allow_fast_forward_only_merge", m.FastForward)
		text("default_merge_style", m.Default)
		flag("default_delete_branch_after_merge", m.DeleteBranch)
	}
	if w.Mirror != nil {
		text("mirror_interval", w.Mirror.Interval)
	}
	return body
}

// sameAddress is an address of a repository without what makes no difference.
func sameAddress(address string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(address), "/"), ".git")
}
