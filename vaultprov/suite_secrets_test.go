package vaultprov_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// passwords are sent when a connection is made, and when another one is wanted than was sent last: after rotate-root,
// Vault alone knows the one that is valid.
func (x *suite) passwords(t *testing.T) {
	x.clear(t)
	full, n := x.spec(t)
	x.last = n
	spec := vaultprov.Spec{Stack: full.Stack, Records: full.Records, FingerprintKey: full.FingerprintKey, Mounts: full.Mounts,
		Connections: full.Connections}
	config := "POST postgres-" + n + "/config/"
	sent := func(what string, want ...bool) {
		t.Helper()
		x.requests("")
		x.apply(t, spec)
		got := x.requests(config)
		if len(got) != len(want) {
			t.Errorf("%s: %d writes, want %d", what, len(got), len(want))
			return
		}
		for i, r := range got {
			if strings.Contains(r, `"password":`) != want[i] {
				t.Errorf("%s: the password is sent: %v, want %v", what, !want[i], want[i])
			}
		}
	}
	connection := func() *vaultprov.Connection { return &spec.Connections[0] }
	sent("a new connection", true)
	connection().Roles = []string{"erp", "other"}
	sent("other roles", false)
	connection().Password = lab.NewSecret(valueSecret)
	sent("another password", true)
	sent("the same")
	connection().Password = lab.Secret{}
	sent("none that is kept")
	connection().Password = lab.NewSecret(valueSecret)
	sent("the same again")
	x.must(t, "POST", "kvv2-"+n+"/metadata/lab/"+spec.Stack+"/connection/postgres-"+n+":erp", `{"custom_metadata": {"managed_by": "lab"}}`)
	sent("a run was cut off before it recorded what it sent", true)

	x.must(t, "POST", "postgres-"+n+"/config/theirs", `{"plugin_name": "postgresql-database-plugin", "verify_connection": false,
		"connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:1/theirs", "username": "them", "password": "`+foreignSecret+`"}`)
	theirs := *connection()
	theirs.Name, theirs.URL = "theirs", "postgresql://{{username}}:{{password}}@127.0.0.1:1/theirs"
	spec.Connections = append(spec.Connections, theirs)
	sent("somebody else's connection", false)
	spec.Connections[1].Password = lab.NewSecret(editorSecret)
	sent("another password for somebody else's connection")

	// The reviewer of an auth method is forgotten by a write that leaves it out: it is always sent.
	spec.Auths = full.Auths[:1]
	x.apply(t, spec)
	spec.Auths[0].Kubernetes.Host = "https://192.0.2.2:6443"
	x.requests("")
	x.apply(t, spec)
	if got := x.requests("POST auth/kubernetes-" + n + "/config"); len(got) != 1 || !strings.Contains(got[0], "token_reviewer_jwt\":") {
		t.Errorf("the reviewer is not sent with another host: %d writes", len(got))
	}
}

// entriesAreMerged keeps the keys of others, is not taken in by writes in between, and brings back what was deleted.
func (x *suite) entriesAreMerged(t *testing.T) {
	x.clear(t)
	full, n := x.spec(t)
	x.last = n
	spec := vaultprov.Spec{Mounts: full.Mounts[:2], Entries: full.Entries}
	x.apply(t, spec)
	x.must(t, "POST", "kvv2-"+n+"/data/erp/config", `{"data": {"theirs": [1, {"a": null}]}}`)
	x.must(t, "POST", "kvv1-"+n+"/legacy", `{"theirs": "b", "key": "old"}`)
	p := x.plan(t, spec)
	x.must(t, "POST", "kvv2-"+n+"/data/erp/config", `{"data": {"theirs": [1, {"a": null}], "more": true}}`) // an old plan reads again
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err, r)
	}
	for path, want := range map[string]string{"kvv2-" + n + "/data/erp/config": `"data":{"admin_password":"` + valueSecret +
		`","more":true,"theirs":[1,{"a":null}]}`, "kvv1-" + n + "/legacy": `"data":{"key":"` + valueSecret + `","theirs":"b"}`} {
		if got := x.must(t, "GET", path, ""); !strings.Contains(got, want) {
			t.Errorf("%s has %s, want %s", path, got, want)
		}
	}
	for _, remove := range []string{"DELETE kvv2-" + n + "/data/erp/config", "DELETE kvv2-" + n + "/metadata/erp/config"} {
		method, path, _ := strings.Cut(remove, " ")
		x.must(t, method, path, "")
		if got := ids(x.apply(t, spec)); got != "+entry:kvv2-"+n+"/erp/config" {
			t.Errorf("after %s: %s", remove, got)
		}
	}
	// somebody writes between our read and our write
	x.must(t, "POST", "kvv2-"+n+"/data/erp/config", `{"data": {"theirs": 1}}`)
	p = x.plan(t, spec)
	x.fail(func(req *http.Request) bool { return req.Method == "POST" && strings.Contains(req.URL.Path, "/data/") },
		fake.HTTPFault{Status: 400, Body: `{"errors":["check-and-set parameter did not match the current version"]}`})
	_, err := p.Apply(t.Context(), nil)
	x.fail(nil, fake.HTTPFault{})
	if !errors.Is(err, lab.ErrConflict) || strings.Join(lab.Hints(err), "") != "plan again" {
		t.Errorf("%v %q", err, lab.Hints(err))
	}
	x.apply(t, spec)
}
