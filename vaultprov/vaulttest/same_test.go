package vaulttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// volatile are the fields whose values are of one server, or of one moment.
var volatile = []string{"request_id", "accessor", "uuid", "running_plugin_version", "deprecation_status",
	"created_time", "updated_time", "deletion_time",
	"creation_time", "issue_time", "expire_time", "last_renewal", "last_renewal_time", "client_token", "secret_id",
	"secret_id_accessor", "role_id", "id",
	"username", "password", "lease_id", "mount_type", "entity_id", "last_updated_by", "created_by", "deleted_by",
	"display_name", "path",
	"passthrough_request_headers", "build_date", "storage_type", "cluster_id", "cluster_name",
	"server_time_utc", "ttl"}

// stable removes what is volatile, and the keys of transit with their times.
func stable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if _, times := inner.(map[string]any); name == "keys" && times {
				continue
			}
			if !slices.Contains(volatile, name) {
				out[name] = stable(inner)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = stable(v[n])
		}
		return out
	}
	return v
}

// speaker is a server to which requests are sent as they stand.
type speaker struct {
	address string
	vars    map[string]string // what $NAME in a request stands for
}

var captured = regexp.MustCompile(`"(client_token|role_id|secret_id|lease_id)":"([^"]+)"`)

// say sends a line "TOKEN METHOD PATH BODY" and returns the status and the answer, without what is volatile.
func (s *speaker) say(t *testing.T, line string) string {
	t.Helper()
	line = os.Expand(line, func(name string) string { return s.vars[name] })
	part := strings.SplitN(line, " ", 4)
	body := ""
	if len(part) == 4 {
		body = part[3]
	}
	req, err := http.NewRequestWithContext(t.Context(), part[1], s.address+"/v1/"+part[2], strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Request", "true")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if part[0] != "-" {
		req.Header.Set("X-Vault-Token", part[0])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range captured.FindAllSubmatch(text, -1) {
		s.vars[string(m[1])] = string(m[2])
	}
	var object any
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &object); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	out, _ := json.Marshal(stable(object))
	return fmt.Sprintf("%d %s", resp.StatusCode, out)
}

// TestSame sends the requests of testdata/same.txt to the server of this package and to a real Vault: the answers are
// the same, but for what is of one server or of one moment.
func TestSame(t *testing.T) {
	vault := real.VaultDev(t)
	if status, body := vault.Call(t, vault.Token, "DELETE", "sys/mounts/secret", ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	fake := New(t, Config{})
	theirs := &speaker{vault.Address, map[string]string{"root": vault.Token, "key": publicKey(t)}}
	ours := &speaker{fake.Address(), map[string]string{"root": fake.Root().Reveal(), "key": publicKey(t)}}
	for _, line := range sameLines(t) {
		want := theirs.say(t, line)
		for strings.Contains(want, "Upgrading from non-versioned") {
			want = theirs.say(t, line)
		}
		have := ours.say(t, line)
		if strings.Contains(have, "Upgrading from non-versioned") {
			have = ours.say(t, line)
		}
		if have != want {
			t.Errorf("%s\n   Vault: %s\n   here:  %s", line, want, have)
		}
	}
}

// sameLines returns the requests of testdata/same.txt.
func sameLines(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/same.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) < 100 {
		t.Fatalf("only %d requests", len(lines))
	}
	return lines
}
