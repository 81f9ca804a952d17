package forge

import (
	"context"
	"net/http"
	"time"
)

const migratePath = "/repos/migrate"

// unhurried returns a context that ends a while after ctx. A server whose copying is cut off leaves an empty repository
// behind, which says that it is a mirror and is none (seen with 1.26.0), and which a plan does not delete.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(shortly)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel(nil) }
}

// createMirror copies a repository, which takes as long as it takes.
func (r *run) createMirror(ctx context.Context, w Repository, is *repository) error {
	body := map[string]any{"clone_addr": w.Mirror.Address, "repo_owner": w.Owner, "repo_name": w.Name, "mirror": true,
		"private": w.private(), "description": w.Description, "service": "git"}
	if w.Mirror.Interval != "" {
		body["mirror_interval"] = w.Mirror.Interval
	}
	switch {
	case w.Mirror.User != "":
		body["auth_username"], body["auth_password"] = w.Mirror.User, w.Mirror.Password.Reveal()
	case !w.Mirror.Password.IsZero():
		body["auth_token"] = w.Mirror.Password.Reveal()
	}
	return r.send(ctx, http.MethodPost, migratePath, body, is)
}

// duration is an interval as the server writes it, so that "8h" is "8h0m0s".
func duration(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	return d.String()
}
