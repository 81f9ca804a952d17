package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// protection is a rule as the API has it.
type protection struct {
	Rule            string   `json:"rule_name,omitempty"`
	Push            bool     `json:"enable_push"`
	PushList        bool     `json:"enable_push_whitelist"`
	Pushers         []string `json:"push_whitelist_usernames"`
	PushTeams       []string `json:"push_whitelist_teams"`
	PushDeployKeys  bool     `json:"push_whitelist_deploy_keys"`
	MergeList       bool     `json:"enable_merge_whitelist"`
	Mergers         []string `json:"merge_whitelist_usernames"`
	MergeTeams      []string `json:"merge_whitelist_teams"`
	StatusCheck     bool     `json:"enable_status_check"`
	StatusChecks    []string `json:"status_check_contexts"`
	Approvals       int      `json:"required_approvals"`
	BlockOnRejected bool     `json:"block_on_rejected_reviews"`
	BlockOnOutdated bool     `json:"block_on_outdated_branch"`
	DismissStale    bool     `json:"dismiss_stale_approvals"`
	SignedCommits   bool     `json:"require_signed_commits"`
	ProtectedFiles  string   `json:"protected_file_patterns"`
	AdminsToo       bool     `json:"block_admin_merge_override"`
}

// rule is the protection as the API has it.
func (p Protection) rule() protection {
	named := len(p.Pushers)+len(p.PushTeams) > 0 || p.PushDeployKeys
	return protection{Rule: p.Branch, Push: p.Push || named, PushList: !p.Push && named,
		Pushers: listed(p.Pushers), PushTeams: listed(p.PushTeams), PushDeployKeys: p.PushDeployKeys,
		MergeList: len(p.Mergers)+len(p.MergeTeams) > 0, Mergers: listed(p.Mergers), MergeTeams: listed(p.MergeTeams),
		StatusCheck: len(p.StatusChecks) > 0, StatusChecks: listed(p.StatusChecks), Approvals: p.Approvals,
		BlockOnRejected: p.BlockOnRejected, BlockOnOutdated: p.BlockOnOutdated, DismissStale: p.DismissStale,
		SignedCommits: p.SignedCommits, ProtectedFiles: p.ProtectedFiles, AdminsToo: p.AdminsToo}
}

// listed is never nil, which the API takes for a list that is to be left as it is.
func listed(names []string) []string { return append([]string{}, names...) }

// key of a protection: the repository and the branch, which may have slashes of its own.
func (x Repository) protectionKey(p Protection) string { return x.key() + ":" + p.Branch }

func (r *run) protections() reconcile.Kind {
	want := map[string]Protection{}
	var repositories []string
	for _, x := range r.spec.Repositories {
		for _, p := range x.Protections {
			want[x.protectionKey(p)] = p
		}
		if len(x.Protections) > 0 {
			repositories = append(repositories, x.key())
		}
	}
	return reconcile.Collection[Protection, protection]{
		Name: "protection", Want: want,
		List: func(ctx context.Context) (map[string]protection, error) {
			lists, err := reconcile.Each(ctx, r.server.parallel(), repositories, func(ctx context.Context, of string) (all []protection, err error) {
				err = r.get(ctx, "/repos/"+of+"/branch_protections", &all) // all at once: it has no pages
				if absent(err) {
					return nil, nil
				}
				return all, err
			})
			has := map[string]protection{}
			for n, of := range repositories {
				for _, h := range lists[n] {
					has[of+":"+h.Rule] = h
				}
			}
			return has, err
		},
		Diff: func(key string, w Protection, h *protection) reconcile.Delta {
			if h == nil {
				return protectionFields(w.rule(), protection{}).Created(key)
			}
			return protectionFields(w.rule(), *h).Changed(key)
		},
		Put: func(ctx context.Context, key string, w Protection, h *protection) error {
			of, _, _ := strings.Cut(key, ":")
			at, rule := "/repos/"+of+"/branch_protections", w.rule()
			var is protection
			method := http.MethodPost
			if h != nil {
				method, at = http.MethodPatch, at+path(w.Branch)
				rule.Rule = ""
			}
			if err := r.send(ctx, method, at, rule, &is); err != nil {
				return err
			}
			return r.kept("update protection", key, protectionFields(rule, is), map[string]string{
				"pushers": "give those who shall push the right to write first", "mergers": "give those who shall merge the right to write first",
				"pushTeams": "give the team the right to write first", "mergeTeams": "give the team the right to write first"})
		},
		After: func(key string, w Protection) []string {
			of, _, _ := strings.Cut(key, ":")
			owner, _, _ := strings.Cut(of, "/")
			after := []string{"repository:" + of, "collaborators:" + of}
			for _, name := range slices.Concat(w.Pushers, w.Mergers) {
				after = append(after, "user:"+name)
			}
			for _, name := range slices.Concat(w.PushTeams, w.MergeTeams) {
				after = append(after, "team:"+owner+"/"+name)
			}
			return r.after(after...)
		},
	}
}

func protectionFields(w, h protection) (f reconcile.Fields) {
	yes := func(name string, want, has bool) { f.Exact(name, fmt.Sprint(want), fmt.Sprint(has)) }
	yes("push", w.Push, h.Push)
	yes("push only by those named", w.PushList, h.PushList)
	f.Set("pushers", lower(w.Pushers), lower(h.Pushers))
	f.Set("pushTeams", lower(w.PushTeams), lower(h.PushTeams))
	yes("pushDeployKeys", w.PushDeployKeys, h.PushDeployKeys)
	yes("merge only by those named", w.MergeList, h.MergeList)
	f.Set("mergers", lower(w.Mergers), lower(h.Mergers))
	f.Set("mergeTeams", lower(w.MergeTeams), lower(h.MergeTeams))
	f.Exact("approvals", fmt.Sprint(w.Approvals), fmt.Sprint(h.Approvals))
	f.Set("statusChecks", w.StatusChecks, h.StatusChecks)
	yes("blockOnRejected", w.BlockOnRejected, h.BlockOnRejected)
	yes("blockOnOutdated", w.BlockOnOutdated, h.BlockOnOutdated)
	yes("dismissStale", w.DismissStale, h.DismissStale)
	yes("signedCommits", w.SignedCommits, h.SignedCommits)
	f.Exact("protectedFiles", w.ProtectedFiles, h.ProtectedFiles)
	yes("adminsToo", w.AdminsToo, h.AdminsToo)
	return f
}
