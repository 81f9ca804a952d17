package main

import (
	"flag"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "write schema.json anew")

// TestSchemaIsInStep keeps the schema in step with the config and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs("../../host", "../../host/base", "../../host/inventory", "../../compose/stack",
		"../../host/stepca", "../../k3s", "../../k3s/addon", "../../k3s/gitops", "../../forge", "../../vaultprov",
		"../../cloudedge/cloudflare", "../../cloudedge/ovh", "../../cloudedge/gcs", "../..", ".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(Config{}, docs, strictyaml.OneOf(host.Kinds()))
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}
