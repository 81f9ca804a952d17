package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "write schema.json anew")

// TestSchemaIsInStep keeps the schema in step with the config and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs("../../host", "../..", ".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(Config{}, docs, strictyaml.OneOf(host.Kinds()))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal([]byte(schema), want) {
		t.Error("schema.json is not what the config says; write it anew with -update")
	}
}
