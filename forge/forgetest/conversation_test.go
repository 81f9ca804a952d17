package forgetest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

var update = flag.Bool("update", false, "write what the real Gitea answers into testdata")

// TestConversations has the conversations of testdata with the server for tests and with the real one: each line with a
// request is answered with the same status and the same body, but for what is random and for what package forge does not
// look at. The answers in the files are those of the real one. The swagger document that it serves is kept by both.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.talk")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	t.Run("Fake", func(t *testing.T) {
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				f := forgetest.New(t, forgetest.Config{})
				converse(t, file, f.URL(), f.Login().User, f.Login().Password.Reveal(), f.Access().Token.Reveal(), false)
			})
		}
	})
	t.Run("Real", func(t *testing.T) {
		real.Long(t)
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				g := real.Gitea(t)
				converse(t, file, g.URL, g.Admin, g.Password, g.Token, *update)
			})
		}
	})
}

// TestContract has the conversations with the server for tests once more, and validates every request and answer.
func TestContract(t *testing.T) {
	real.Long(t)
	g := real.Gitea(t)
	resp, err := http.Get(g.URL + "/swagger.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	document, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	c := contract.Parse(t, "swagger.v1.json", document, "/api/v1")
	files, err := filepath.Glob("testdata/*.talk")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f := forgetest.New(t, forgetest.Config{})
		f.SetCheck(func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
			if answer.StatusCode >= 300 || !strings.HasPrefix(req.URL.Path, "/api/v1/") {
				return nil // it says nothing of pages and redirects, and headers of errors that none has
			}
			var v any
			if json.Unmarshal(body, &v) == nil { // Swagger 2.0 knows no null, which stands for what is absent
				body, _ = json.Marshal(dense(v))
			}
			return c.Check(req, sent, answer, body)
		})
		converse(t, file, f.URL(), f.Login().User, f.Login().Password.Reveal(), f.Access().Token.Reveal(), false)
	}
}

// converse has the conversation of a file. A line "> METHOD PATH BODY" is a request of the administrator with a token, or
// of USER:PASSWORD where the method begins with that and an @; "< STATUS BODY" is its answer. $NAME stands for
// what a line "= NAME FIELD" took of the answer before.
func converse(t *testing.T, file, address, admin, password, token string, write bool) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	said := &names{"$ADMIN": admin, "$PASSWORD": password, "$ROOT": token, "$URL": address}
	var out strings.Builder
	var last any
	lines := strings.Split(string(b), "\n")
	for n, line := range lines {
		switch {
		case strings.HasPrefix(line, "= "):
			name, field, _ := strings.Cut(line[2:], " ")
			(*said)["$"+name] = fmt.Sprint(at(last, field))
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "> "):
			status, body := request(t, address, token, said.replace(line[2:]))
			last = clone(t, body)
			if said, is := body.(map[string]any); is && status == http.StatusNotFound {
				delete(said, "message") // each handler has words of its own
			}
			fmt.Fprintln(&out, line)
			got := fmt.Sprintf("< %d %s", status, said.normal(body))
			fmt.Fprintln(&out, strings.TrimSpace(got))
			if write {
				continue
			}
			if n+1 == len(lines) || !strings.HasPrefix(lines[n+1], "< ") {
				t.Fatalf("%s:%d: there is no answer", file, n+1)
			}
			if got = strings.TrimSpace(got); got != lines[n+1] {
				t.Errorf("%s:%d: %s\ngot  %s\nwant %s", file, n+2, line, got, lines[n+1])
			}
		case strings.HasPrefix(line, "< "):
		default:
			fmt.Fprintln(&out, line)
		}
	}
	if write {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// request sends a request, and returns the status and the body, decoded if it is JSON.
func request(t *testing.T, address, token, line string) (int, any) {
	t.Helper()
	who := ""
	if before, after, found := strings.Cut(line, "@"); found && !strings.Contains(before, " ") {
		who, line = before, after
	}
	method, rest, _ := strings.Cut(line, " ")
	path, body, _ := strings.Cut(rest, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, address+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	switch user, password, basic := strings.Cut(who, ":"); {
	case basic:
		req.SetBasicAuth(user, password)
	case who == "nobody":
	case strings.HasPrefix(who, "sudo="):
		req.Header.Set("Sudo", strings.TrimPrefix(who, "sudo="))
		req.Header.Set("Authorization", "token "+token)
	case who != "":
		req.Header.Set("Authorization", "token "+who)
	default:
		req.Header.Set("Authorization", "token "+token)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if to := resp.Header.Get("Location"); to != "" {
		return resp.StatusCode, map[string]any{"to": to}
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return resp.StatusCode, nil // a page, or nothing
	}
	if total := resp.Header.Get("X-Total-Count"); total != "" {
		v = map[string]any{"total": total, "next": strings.Contains(resp.Header.Get("Link"), `rel="next"`), "list": v}
	}
	return resp.StatusCode, v
}

func clone(t *testing.T, v any) (c any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type names map[string]string

func (n names) replace(line string) string {
	for name, value := range n {
		line = strings.ReplaceAll(line, name, value)
	}
	return line
}

// ignored are fields that package forge does not look at, and that the server for tests leaves out or fills otherwise.
var ignored = strings.Fields(`avatar_url size languages_url html_url ssh_url clone_url link open_issues_count open_pr_counter
	release_counter stars_count forks_count watchers_count branch_count followers_count following_count starred_repos_count
	internal_tracker external_tracker external_wiki projects_mode licenses language has_code username updated_at created_at
	archived_at mirror_updated created last_update last_login last_used_at errors key_id fingerprint parent permissions
	allow_manual_merge autodetect_manual_merge repo_transfer units internal fork empty organization
	default_allow_maintainer_edit priority enable_force_push enable_force_push_allowlist force_push_allowlist_usernames
	force_push_allowlist_teams force_push_allowlist_deploy_keys ignore_stale_approvals allow_rebase_update website location
	description_of object_format_name read_only_key user repository key_type last_error source_id active`)

// random are the values of fields that differ from server to server.
var random = strings.Fields(`id owner_id repo_id sha1 token_last_eight token client_id client_secret remote_name`)

// normal is an answer without what is random and ignored, in one line.
func (n names) normal(v any) string {
	if v == nil {
		return ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(n.without(v)); err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(b.String())
	text = strings.ReplaceAll(strings.ReplaceAll(text, n["$URL"], "$URL"), n["$ADMIN"], "$ADMIN")
	text = regexp.MustCompile(`\[(uid|org_id): \d+`).ReplaceAllString(text, "[$1: N")
	text = regexp.MustCompile(`(Invalid key content|Migration failed): [^"]*`).ReplaceAllString(text, "$1")
	return text
}

func (n names) without(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = n.without(v[i])
		}
	case map[string]any:
		for _, name := range ignored {
			delete(v, name)
		}
		if _, ofWebhook := v["content_type"]; !ofWebhook {
			delete(v, "url")
		}
		for _, name := range random {
			if s, isText := v[name].(string); v[name] != nil && (!isText || s != "") {
				v[name] = "*"
			}
		}
		for name := range v {
			v[name] = n.without(v[name])
			if v[name] == nil {
				delete(v, name)
			}
		}
	}
	return v
}

// dense is an answer without what is null.
func dense(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = dense(v[i])
		}
	case map[string]any:
		for name := range v {
			if v[name] = dense(v[name]); v[name] == nil {
				delete(v, name)
			}
		}
	}
	return v
}

// at returns a field of an answer, or of an element of a list: "id", "list.0.id".
func at(v any, field string) any {
	for name := range strings.SplitSeq(field, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			var n int
			_, _ = fmt.Sscanf(name, "%d", &n)
			v = in[n]
		}
	}
	return v
}
