package real_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// call asks the API of a Gitea as its administrator, and returns the answer.
func call(t *testing.T, g *real.GiteaServer, method, path, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+g.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %v %s", method, path, resp.Status, err, b)
	}
	if into != nil {
		if err := json.NewDecoder(bytes.NewReader(b)).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGiteaRunsAWorkflow pushes a workflow, which a runner runs.
func TestGiteaRunsAWorkflow(t *testing.T) {
	g := real.Gitea(t)
	var version struct{ Version string }
	call(t, g, "GET", "/version", "", &version)
	if version.Version != real.GiteaVersion {
		t.Errorf("version %q, want %q", version.Version, real.GiteaVersion)
	}
	var registration struct{ Token string }
	call(t, g, "POST", "/admin/actions/runners/registration-token", "", &registration)
	real.Runner(t, real.RunnerOptions{URL: g.URL, Token: registration.Token, Name: "pi1", Env: []string{"WHO=me"}})
	call(t, g, "POST", "/user/repos", `{"name":"app","auto_init":true}`, nil)
	workflow := "on: push\njobs:\n  hello:\n    runs-on: host\n    steps:\n      - run: test \"$WHO\" = me\n"
	call(t, g, "POST", "/repos/"+g.Admin+"/app/contents/.gitea/workflows/hello.yaml",
		fmt.Sprintf(`{"content":%q}`, base64.StdEncoding.EncodeToString([]byte(workflow))), nil)
	for {
		var runs struct {
			Runs []struct{ Status, Conclusion string } `json:"workflow_runs"`
		}
		call(t, g, "GET", "/repos/"+g.Admin+"/app/actions/runs", "", &runs)
		if len(runs.Runs) == 1 && runs.Runs[0].Status == "completed" {
			if runs.Runs[0].Conclusion != "success" {
				t.Errorf("it ended in %v", runs.Runs[0])
			}
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(runs)
		}
	}
}
