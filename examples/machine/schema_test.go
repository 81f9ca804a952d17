package main

import (
	"flag"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "update schema.json")

// TestSchemaIsUpToDate compares the schema with the kinds of package host and their comments.
func TestSchemaIsUpToDate(t *testing.T) {
	docs, err := strictyaml.ReadDocs("../../host", "../..", ".", "../../host/base", "../../host/disk",
		"../../host/dns", "../../host/docker", "../../host/longhornprep", "../../host/nfs", "../../host/stepca",
		"../../compose/stack", "../../compose")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(host.State{}, docs, strictyaml.OneOf(kinds()))
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}
