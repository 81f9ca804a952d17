package forgetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// call is a request that is being answered. The server is locked.
type call struct {
	*Server
	req   *http.Request
	body  []byte
	doer  *account
	basic bool     // it came with a password
	scope []string // of the token that it came with; nil: no token
}

// answer is what is sent. Handlers stop by panicking with one, where it is shorter to read so.
type answer struct {
	status int
	body   any // nil: none
	header http.Header
}

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }

var done = answer{status: http.StatusNoContent}

// refusal is the body of an error of the API, as services/context/api.go of Gitea writes it.
type refusal struct {
	Message string `json:"message"`
	URL     string `json:"url"`
}

func (c *call) refuse(status int, format string, args ...any) answer {
	return answer{status: status, body: refusal{fmt.Sprintf(format, args...), c.URL() + "/api/swagger"}}
}

func (c *call) notFound() answer { return c.refuse(http.StatusNotFound, "not found") }

// strangeness stops with status 501, for a request that this server does not know.
func (c *call) strangeness(format string, args ...any) answer {
	err := fmt.Errorf("%s %s: %s", c.req.Method, c.req.URL.Path, fmt.Sprintf(format, args...))
	c.strange = append(c.strange, err)
	return c.refuse(http.StatusNotImplemented, "forgetest: %v", err)
}

// read decodes the body. A field that is not known is none of what this server knows.
func (c *call) read(into any) {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err != nil && strings.Contains(err.Error(), "unknown field") {
		panic(c.strangeness("%v", err))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		panic(c.refuse(http.StatusUnprocessableEntity, "%v", err))
	}
}

// need is what a request needs to be answered.
type need struct {
	category string // of the scopes of tokens; empty: any token will do
	admin    bool   // a site administrator
	basic    bool   // a password
	anyone   bool   // it is answered to everybody
}

// handle adds a handler for a pattern of [http.ServeMux].
func (s *Server) handle(mux *http.ServeMux, pattern string, n need, handler func(*call) answer) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client has gone
		}
		s.mu.Lock()
		a := s.answer(req, body, n, handler)
		s.mu.Unlock()
		for name, values := range a.header {
			w.Header()[name] = values
		}
		if a.body == nil {
			w.WriteHeader(a.status)
			return
		}
		b, err := json.Marshal(a.body)
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.WriteHeader(a.status)
		_, _ = w.Write(append(b, '\n'))
	})
}

func (s *Server) answer(req *http.Request, body []byte, n need, handler func(*call) answer) (a answer) {
	c := &call{Server: s, req: req, body: body}
	defer func() {
		if stopped := recover(); stopped != nil {
			var early bool
			if a, early = stopped.(answer); !early {
				panic(stopped)
			}
		}
	}()
	c.authenticate()
	if !n.anyone {
		c.authorize(n)
	}
	return handler(c)
}

// page returns the part of a list that is asked for, with the headers that say how much there is: 30 objects a page
// unless asked otherwise, and 50 at most (MAX_RESPONSE_ITEMS).
func page[T any](c *call, all []T) ([]T, http.Header) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(c.req.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	at, limit := number("page", 1), min(number("limit", 30), 50)
	from := min((at-1)*limit, len(all))
	to := min(from+limit, len(all))
	h := http.Header{"X-Total-Count": {strconv.Itoa(len(all))}}
	var links []string
	link := func(rel string, n int) {
		q := c.req.URL.Query()
		q.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf("<%s%s?%s>; rel=%q", c.URL(), c.req.URL.Path, q.Encode(), rel))
	}
	if to < len(all) {
		link("next", at+1)
		link("last", (len(all)+limit-1)/limit)
	}
	if at > 1 {
		link("first", 1)
		link("prev", at-1)
	}
	if links != nil {
		h.Set("Link", strings.Join(links, ","))
	}
	return append([]T{}, all[from:to]...), h
}

// list answers with a page of a list, of each object as shown.
func list[T, V any](c *call, all []T, shown func(T) V) answer {
	part, h := page(c, all)
	views := make([]V, len(part))
	for n, t := range part {
		views[n] = shown(t)
	}
	return answer{status: http.StatusOK, body: views, header: h}
}

// itself shows an object as it is.
func itself[T any](t *T) T { return *t }

// redirect leads to where an object has its name now. It keeps the query.
func (c *call) redirect(status int, was, is string) answer {
	to := strings.Replace(c.req.URL.EscapedPath(), was, is, 1)
	if c.req.URL.RawQuery != "" {
		to += "?" + c.req.URL.RawQuery
	}
	return answer{status: status, header: http.Header{"Location": {to}}}
}

// owner returns the account that a path names, which may have had this name before.
func (c *call) owner(wildcard string) *account {
	name := c.req.PathValue(wildcard)
	if a := c.state.account(name); a != nil {
		return a
	}
	if a := c.state.moved[strings.ToLower(name)]; a != nil {
		panic(c.redirect(http.StatusTemporaryRedirect, url.PathEscape(name), url.PathEscape(a.user.UserName)))
	}
	panic(c.notFound())
}

func (c *call) organization() *account {
	a := c.owner("org")
	if a.org == nil {
		panic(c.notFound())
	}
	return a
}

func (c *call) person() *account {
	a := c.owner("user")
	if a.org != nil {
		panic(c.notFound())
	}
	return a
}

// repository returns the repository that a path names. The redirect of one that had this name before is a 301, after
// which many clients go on with GET, whatever they were about to do.
func (c *call) repository() *repo {
	owner, name := c.owner("owner"), c.req.PathValue("repo")
	if r := c.state.repo(owner, name); r != nil {
		return r
	}
	if r := c.state.movedTo[strings.ToLower(owner.user.UserName+"/"+name)]; r != nil {
		panic(c.redirect(http.StatusMovedPermanently, url.PathEscape(owner.user.UserName)+"/"+url.PathEscape(name),
			url.PathEscape(r.owner.user.UserName)+"/"+url.PathEscape(r.Name)))
	}
	panic(c.notFound())
}

// number returns a part of the path that is an ID.
func (c *call) number(wildcard string) int64 {
	n, _ := strconv.ParseInt(c.req.PathValue(wildcard), 10, 64)
	return n
}

// without returns a list without the objects that match, and whether there was any.
func without[T any](all []T, match func(T) bool) ([]T, bool) {
	left := slices.DeleteFunc(slices.Clone(all), match)
	return left, len(left) < len(all)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.accountRoutes(mux)
	s.organizationRoutes(mux)
	s.repositoryRoutes(mux)
	s.belongingRoutes(mux)
	s.mirrorRoutes(mux)
	s.actionsRoutes(mux)
	s.tokenRoutes(mux)
	s.loginRoutes(mux)
	s.handle(mux, "GET /api/v1/version", need{anyone: true}, func(c *call) answer {
		return ok(map[string]string{"version": c.config.Version})
	})
	s.handle(mux, "/", need{anyone: true}, func(c *call) answer { return c.strangeness("it is not known") })
	return mux
}
