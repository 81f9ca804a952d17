package forge

import (
	"context"
	"net/http"
	"time"
)

const migratePath = "/repos/migrate"

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
