package pgtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// refusals are the servers that are not worked on, and the specs that are not taken.
func (x *suite) refusals(t *testing.T) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	refused := func(name string, server pgprov.Server, s pgprov.Spec, kind error) {
		t.Helper()
		_, err := server.Plan(t.Context(), s)
		if !errors.Is(err, kind) {
			t.Errorf("%s: %v, want %v", name, err, kind)
		}
		if err != nil {
			lawtest.NoSecret(t, suiteSecrets, err.Error())
		}
	}
	server := x.Server
	server.Identity = "1"
	refused("another server", server, s, lab.ErrRefused)
	server = x.Server
	server.Password = lab.NewSecret("wrong")
	refused("a wrong password", server, s, lab.ErrUnauthorized)
	server.Password = lab.Secret{}
	refused("no password", server, s, lab.ErrUnauthorized)
	server = x.Server
	server.User, server.Password, server.Database = s.Editor.Name, lab.NewSecret(editorSecret), app.Database()
	other := s
	other.Editor.Name, other.Instances = "somebody", nil
	refused("no superuser", server, other, lab.ErrUnauthorized)
	server = x.Server
	server.Boundary = &lab.Boundary{Ports: []uint16{1}}
	refused("outside the boundary", server, s, lab.ErrRefused)
	server = x.Server
	server.Database = "no-such-database"
	refused("no such database", server, s, lab.ErrNotFound)
	older := s
	older.AllowPG15 = false
	if x.Major == 15 {
		refused("PostgreSQL 15", x.Server, older, lab.ErrRefused)
	} else if _, err := x.Server.Plan(t.Context(), older); err != nil {
		t.Error(err)
	}
	conflict := s
	conflict.Instances = slices.Clone(s.Instances)
	conflict.Instances[0].Encoding = "LATIN1"
	conflict.Instances[0].Locale = "C.nothing"
	_, err := x.Server.Plan(t.Context(), conflict)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "encoding") ||
		!strings.Contains(err.Error(), "LC_COLLATE") {
		t.Errorf("another encoding and locale: want both reported: %v", err)
	}
	missing := s
	missing.Instances = slices.Clone(s.Instances)
	missing.Instances[0].Extensions = []string{"no_such_extension"}
	missing.Instances[0].Connect = []string{"no_such_role"}
	_, err = x.Server.Plan(t.Context(), missing)
	if !errors.Is(err, lab.ErrNotFound) || !strings.Contains(err.Error(), "no_such_extension") ||
		!strings.Contains(err.Error(), "no_such_role") {
		t.Errorf("want the missing extension and role reported: %v", err)
	}
	x.root(t, "", "ALTER DATABASE "+q(app.Database())+" ALLOW_CONNECTIONS false")
	refused("a closed database", x.Server, s, lab.ErrBlocked)
	x.root(t, "", "ALTER DATABASE "+q(app.Database())+" ALLOW_CONNECTIONS true",
		"ALTER DATABASE "+q(app.Database())+" IS_TEMPLATE true")
	refused("a template", x.Server, s, lab.ErrConflict)
	x.root(t, "", "ALTER DATABASE "+q(app.Database())+" IS_TEMPLATE false")
	x.converged(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Server.Plan(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
