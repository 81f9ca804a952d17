package forge_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestMany is 500 repositories with 10 secrets each: the requests of a plan are known beforehand, and so is how many of
// them are under way at once.
func TestMany(t *testing.T) {
	real.Long(t)
	w, _ := fakeWorld(t, forgetest.Config{})
	var now, most atomic.Int64
	behind := w.front.Handler
	w.front.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		behind.ServeHTTP(rw, r)
		now.Add(-1)
	})
	const repositories, each, parallel = 500, 10, 4
	s := forge.Spec{Key: fingerprints, Organizations: []forge.Organization{{Name: "big"}}}
	for n := range repositories {
		x := forge.Repository{Owner: "big", Name: fmt.Sprintf("app%d", n)}
		for m := range each {
			x.Secrets = append(x.Secrets, secret(fmt.Sprintf("SECRET_%d", m), valueA))
		}
		s.Repositories = append(s.Repositories, x)
	}
	server := w.server()
	server.Parallel = parallel
	converge(t, server, s)
	before, written := w.front.Total()
	if p := plan(t, server, s); !p.Empty() {
		t.Fatalf("%v", p)
	}
	after, writes := w.front.Total()
	// version, user, organizations, the pages of the repositories, and the secrets of each repository
	if want := int64(3 + repositories/50 + repositories); after-before != want || writes != written {
		t.Errorf("a plan cost %d requests, %d of them writes; want %d and none", after-before, writes-written, want)
	}
	if m := most.Load(); m != parallel {
		t.Errorf("%d requests were under way at once, want %d", m, parallel)
	}
}

// TestOneAtATime looks for changes that a real server loses when it makes two of them at once: of teams and
// collaborators, and of topics. Each waits a while for another to come beside it.
func TestOneAtATime(t *testing.T) {
	w, _ := fakeWorld(t, forgetest.Config{})
	var s forge.Spec
	s.Organizations = []forge.Organization{{Name: "big"}}
	for n := range 4 {
		user := fmt.Sprintf("user%d", n)
		s.Users = append(s.Users, forge.User{Name: user, Email: user + "@example.com"})
		s.Organizations[0].Teams = append(s.Organizations[0].Teams, forge.Team{Name: fmt.Sprintf("team%d", n), Members: []string{user},
			Repositories: []string{"app0"}})
		s.Repositories = append(s.Repositories, forge.Repository{Owner: "big", Name: fmt.Sprintf("app%d", n),
			Topics: []string{"new"}, Collaborators: map[string]string{user: "write"}})
	}
	var kinds [2]struct{ now, most atomic.Int64 }
	behind := w.front.Handler
	w.front.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n := -1
		switch p := r.URL.Path; {
		case r.Method == http.MethodGet:
		case strings.Contains(p, "/teams") || strings.Contains(p, "/collaborators/"):
			n = 0
		case strings.HasSuffix(p, "/topics"):
			n = 1
		}
		if n >= 0 {
			defer kinds[n].now.Add(-1)
			if now := kinds[n].now.Add(1); now > kinds[n].most.Load() {
				kinds[n].most.Store(now)
			}
			time.Sleep(10 * time.Millisecond) // in which another comes, if one may
		}
		behind.ServeHTTP(rw, r)
	})
	converge(t, w.server(), s)
	for n, what := range []string{"teams and collaborators", "topics"} {
		if most := kinds[n].most.Load(); most != 1 {
			t.Errorf("%d changes of %s at once", most, what)
		}
	}
}
