package cloudflaretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// state is all that an account has.
type state struct {
	buckets map[bucketID]*bucket
	zones   []*zone
	tokens  []*token
	groups  []group

	userTokens []string // values

	tunnels  []*tunnel
	projects []*project
	widgets  []*widget
}

// lag is in everything that is listed late.
type lag struct{ unlisted int }

// listed counts a list, and reports whether it has the object.
func (l *lag) listed() bool {
	if l.unlisted > 0 {
		l.unlisted--
		return false
	}
	return true
}

// call is a request that is being answered. The server is locked.
type call struct {
	*Server
	req  *http.Request
	body []byte
}

// Message is one thing that the API says of a request.
type message struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// answer is what is sent. Handlers stop by panicking with one, where it is shorter to read so.
type answer struct {
	status int
	errors []message
	result any
	info   any
}

func ok(result any) answer { return answer{status: http.StatusOK, result: result} }

func refuse(status, code int, format string, args ...any) answer {
	return answer{status: status, errors: []message{{code, fmt.Sprintf(format, args...)}}}
}

// strangeness stops with status 501, for a request that this server does not know.
func (c *call) strangeness(format string, args ...any) answer {
	err := fmt.Errorf("%s %s: %s", c.req.Method, c.req.URL.Path, fmt.Sprintf(format, args...))
	c.strange = append(c.strange, err)
	return refuse(http.StatusNotImplemented, 1001, "cloudflaretest: %v", err)
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
		panic(refuse(http.StatusBadRequest, 10001, "Unable to parse the body: %v", err))
	}
}

// handle adds a handler for a pattern of [http.ServeMux] below /client/v4. {a} is the account.
func (s *Server) handle(mux *http.ServeMux, pattern string, handler func(*call) answer) {
	method, path, _ := strings.Cut(pattern, " ")
	mux.HandleFunc(method+" /client/v4"+path, func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client has gone
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.write(w, s.answer(req, body, handler))
	})
}

func (s *Server) write(w http.ResponseWriter, a answer) {
	out := map[string]any{"success": len(a.errors) == 0, "errors": a.errors, "messages": []message{}, "result": a.result}
	if a.errors == nil {
		out["errors"] = []message{}
	}
	if a.info != nil {
		out["result_info"] = a.info
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(b)
}

func (s *Server) answer(req *http.Request, body []byte, handler func(*call) answer) (a answer) {
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
	if a := req.PathValue("a"); a != "" && a != s.account {
		return refuse(http.StatusForbidden, 10000, "Authentication error")
	}
	return handler(c)
}

// bearer is the token that a request comes with.
func (c *call) bearer() string {
	token, _ := strings.CutPrefix(c.req.Header.Get("Authorization"), "Bearer ")
	return token
}

// authenticate lets the token of the account pass, and every other one only prove itself: see [call.verify].
func (c *call) authenticate() {
	if c.bearer() != c.token && !strings.HasSuffix(c.req.URL.Path, "/tokens/verify") {
		panic(refuse(http.StatusForbidden, 10000, "Authentication error"))
	}
}

// pageInfo says where in a list an answer is.
type pageInfo struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	Count      int `json:"count"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

// page answers with the part of a list that is asked for: as many objects as otherwise unless asked, and at least and at
// most as many as said.
func page[T any](c *call, all []T, least, otherwise, most int) answer {
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(c.req.URL.Query().Get(name))
		if err != nil {
			return otherwise
		}
		return n
	}
	at, per := number("page", 1), number("per_page", otherwise)
	if at < 1 || per < least || per > most {
		panic(refuse(http.StatusBadRequest, 9207, "page and per_page must be in range"))
	}
	from := min((at-1)*per, len(all))
	to := min(from+per, len(all))
	part := append([]T{}, all[from:to]...)
	return answer{status: http.StatusOK, result: part,
		info: pageInfo{at, per, len(part), len(all), (len(all) + per - 1) / per}}
}

// without returns a list without the objects that match, and whether there was any.
func without[T any](all []T, match func(T) bool) ([]T, bool) {
	left := slices.DeleteFunc(slices.Clone(all), match)
	return left, len(left) < len(all)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.bucketRoutes(mux)
	s.zoneRoutes(mux)
	s.recordRoutes(mux)
	s.settingRoutes(mux)
	s.tokenRoutes(mux)
	s.tunnelRoutes(mux)
	s.pageRoutes(mux)
	s.widgetRoutes(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.write(w, (&call{Server: s, req: req}).strangeness("it is not known"))
	})
	return mux
}
