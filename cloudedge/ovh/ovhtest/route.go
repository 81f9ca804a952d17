package ovhtest

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is a request that is being answered. The server is locked.
type call struct {
	*Server
	req    *http.Request
	body   []byte
	client *oauth // whose token it came with; nil: it is signed with the keys of an application
}

// answer is what is sent. Handlers stop by panicking with one, where it is shorter to read so.
type answer struct {
	status int
	body   any
	header http.Header
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// refusal is the body of an error of the API.
type refusal struct {
	Class   string            `json:"class"`
	Message string            `json:"message"`
	Details map[string]string `json:"details,omitempty"`
}

func (c *call) refuse(status int, class, format string, args ...any) answer {
	return answer{status: status, body: refusal{Class: "Client::" + class, Message: fmt.Sprintf(format, args...)}}
}

func (c *call) notFound(format string, args ...any) answer {
	return c.refuse(http.StatusNotFound, "NotFound", format, args...)
}

// strangeness stops with status 501, for a request that this server does not know.
func (c *call) strangeness(format string, args ...any) answer {
	err := fmt.Errorf("%s %s: %s", c.req.Method, c.req.URL.Path, fmt.Sprintf(format, args...))
	c.strange = append(c.strange, err)
	return answer{status: http.StatusNotImplemented, body: refusal{Class: "Server::NotImplemented", Message: err.Error()}}
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
		panic(c.refuse(http.StatusBadRequest, "BadRequest", "%v", err))
	}
}

// handle adds a handler for a pattern of [http.ServeMux]. The action is what IAM asks for, of the resource that the
// path names; without one, nobody must log in.
func (s *Server) handle(mux *http.ServeMux, pattern, action string, handler func(*call) answer) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client has gone
		}
		s.mu.Lock()
		a := s.answer(req, body, action, handler)
		b, err := json.Marshal(a.body)
		query := "EU.ext-1." + strconv.Itoa(s.requests)
		s.mu.Unlock()
		if err != nil {
			panic(err)
		}
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Ovh-Queryid", query)
		w.WriteHeader(a.status)
		_, _ = w.Write(b)
	})
}

func (s *Server) answer(req *http.Request, body []byte, action string, handler func(*call) answer) (a answer) {
	c := &call{Server: s, req: req, body: body}
	defer func() {
		if stopped := recover(); stopped != nil {
			var early bool
			if a, early = stopped.(answer); !early {
				panic(stopped)
			}
		}
	}()
	s.requests++
	if t := s.config.Throttle; t > 0 && s.requests%t == 0 {
		a := c.refuse(http.StatusTooManyRequests, "TooManyRequests", "too many requests")
		a.header = http.Header{"Retry-After": {"0"}}
		return a
	}
	if action != "" {
		c.authenticate()
		c.authorize(action)
	}
	return handler(c)
}

// authenticate finds out whose the request is.
func (c *call) authenticate() {
	h := c.req.Header
	if token, found := strings.CutPrefix(h.Get("Authorization"), "Bearer "); found {
		id := c.tokens[token]
		if c.client = c.clientByID(id); c.client == nil {
			panic(c.refuse(http.StatusUnauthorized, "Unauthorized", "Invalid token"))
		}
		return
	}
	if h.Get("X-Ovh-Application") != c.application || h.Get("X-Ovh-Consumer") != c.consumer {
		panic(c.refuse(http.StatusForbidden, "Forbidden", "This application key is invalid"))
	}
	stamp, err := strconv.ParseInt(h.Get("X-Ovh-Timestamp"), 10, 64)
	if age := c.now().Unix() - stamp; err != nil || age > 30 || age < -30 {
		panic(c.refuse(http.StatusBadRequest, "QueryTimeOut", "Query out of time"))
	}
	asked := c.URL() + c.req.RequestURI
	sum := sha1.Sum([]byte(strings.Join([]string{c.applicationSecret, c.consumer, c.req.Method, asked, string(c.body),
		h.Get("X-Ovh-Timestamp")}, "+")))
	if h.Get("X-Ovh-Signature") != "$1$"+hex.EncodeToString(sum[:]) {
		panic(c.refuse(http.StatusBadRequest, "BadRequest", "Invalid signature"))
	}
}

func (c *call) now() time.Time { return time.Now().Add(c.config.Clock) }

// anyone is the action of a request that whoever is logged in may make.
const anyone = "anyone"

// authorize refuses what no policy with the client's identity allows. The keys of an application may do everything.
func (c *call) authorize(action string) {
	if c.client == nil || action == anyone {
		return
	}
	urn := "urn:v1:eu:resource:account:" + Nic
	switch kind, _, _ := strings.Cut(action, ":"); {
	case c.req.PathValue("urn") != "":
		urn = c.req.PathValue("urn")
	case kind == "dnsZone", kind == "domain":
		urn = "urn:v1:eu:resource:" + kind + ":" + c.req.PathValue(kind)
	}
	for _, p := range c.policies {
		if slices.Contains(p.Identities, c.client.Identity) && slices.Contains(p.Resources, resource{urn}) &&
			slices.Contains(p.Permissions.Allow, named{action}) {
			return
		}
	}
	a := c.refuse(http.StatusForbidden, "Forbidden", "User not granted for this request")
	a.body = refusal{Class: "Client::Forbidden", Message: "User not granted for this request",
		Details: map[string]string{"unauthorizedActionsByIAM": action}}
	panic(a)
}

// page returns the page of a list that is asked for.
func page[T any](c *call, all []T) answer {
	size := c.config.PageSize
	if n, err := strconv.Atoi(c.req.Header.Get("X-Pagination-Size")); err == nil && n > 0 {
		size = min(size, n)
	}
	from, _ := strconv.Atoi(c.req.Header.Get("X-Pagination-Cursor"))
	from = min(max(from, 0), len(all))
	to := min(from+size, len(all))
	a := ok(append([]T{}, all[from:to]...))
	if to < len(all) {
		a.header = http.Header{"X-Pagination-Cursor-Next": {strconv.Itoa(to)}}
	}
	return a
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.loginRoutes(mux)
	s.clientRoutes(mux)
	s.iamRoutes(mux)
	s.zoneRoutes(mux)
	s.domainRoutes(mux)
	s.handle(mux, "/", "", func(c *call) answer { return c.strangeness("it is not known") })
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		u := *req.URL
		if rest, found := strings.CutPrefix(u.Path, "/1.0/"); found { // the older name of /v1
			u.Path = "/v1/" + rest
		}
		if rest, found := strings.CutPrefix(u.Path, "/v1/domain/zone/"); found { // which could be a domain
			u.Path = zonesPath + rest
		}
		req = req.Clone(req.Context())
		req.URL, u.RawPath = &u, ""
		mux.ServeHTTP(w, req)
	})
}
