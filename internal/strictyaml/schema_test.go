package strictyaml_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files")

// settings is small enough for a person to check its schema.
type settings struct {
	// Names of machines, in
	// their order; see [machine].
	Machines []machine     `yaml:"machines,required"`
	Retries  int8          `yaml:"retries" default:"3"` // after the first try
	Pause    time.Duration `yaml:"pause" default:"30s"`
	Level    *level        `yaml:"level" default:"info"`
	Token    lab.SecretRef `yaml:"token"`
	Steps    []step        `yaml:"steps"`
	Parts    []settings    `yaml:"parts"` // types may contain themselves
}

func TestSchemaGolden(t *testing.T) {
	docs := strictyaml.Docs{
		"strictyaml_test.settings":          "Settings of a run.",
		"strictyaml_test.settings.Machines": "Names of machines, in their order; see machine.",
		"strictyaml_test.settings.Retries":  "after the first try",
		"strictyaml_test.fileStep":          "A file with this content.",
	}
	got, err := strictyaml.Schema(settings{}, docs, steps())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "settings.schema.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the schema differs from %s; update it with go test -update\n%s", golden, got)
	}
}

func TestReadDocs(t *testing.T) {
	dir := t.TempDir()
	source := "package p\n\n// A is one.\n//\n// It wraps\n// a [B] and a [*lab.Plan], not [1].\n//\n" +
		"//\tcode  stays\ntype A struct {\n\t// Long one.\n\tX, Y int // not this\n\tZ int // short one\n\tnone int\n" +
		"}\n\ntype (\n\t// B is two.\n\tB int\n\tC int\n)\n"
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("not Go"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := strictyaml.ReadDocs(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := strictyaml.Docs{"p.A": "A is one.\n\nIt wraps a B and a lab.Plan, not [1].\n\n\tcode  stays",
		"p.A.X": "Long one.", "p.A.Y": "Long one.", "p.A.Z": "short one", "p.B": "B is two."}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if _, err := strictyaml.ReadDocs(t.TempDir()); err == nil {
		t.Error("an empty directory has no comments")
	}
}

// TestSchemaOfWrongTypes: bugs of the program are errors.
func TestSchemaOfWrongTypes(t *testing.T) {
	for _, v := range []any{nil, make(chan int), struct {
		A int `yaml:"a" default:"x"`
	}{}, struct {
		A []int `yaml:"a" default:"1"`
	}{}} {
		if _, err := strictyaml.Schema(v, nil); err == nil {
			t.Errorf("%T has a schema", v)
		}
	}
}

// beyondSchema matches problems that a schema does not find: values that an editor's YAML reads
// differently, 64-bit ranges, and text that is passed to UnmarshalText.
var beyondSchema = regexp.MustCompile(`not a duration: 30|leading zero: 0644|not a file mode: (644|9)\b|IPv4 address ` +
	`too short|YAML 1\.[12]|a number too large|not a finite|not between -9223|\.inf|1e999|remove the quotes`)

// TestSchemaAgrees: the schema and Decode accept the same documents, except for beyondSchema.
func TestSchemaAgrees(t *testing.T) {
	agree(t, func() any { return &settings{} },
		"machines: ", "machines: {}", "machines: []", "retries: 1",
		"machines: {a: {address: b}}\nlevel: \nparts: [{machines: {}}]",
		"machines: {}\nparts: [{machines: }]", "machines: {}\nparts: [null]")
	agree(t, func() any { return &config{} },

		"name: x", "name: ''", "name: yes", "name: 12", "name: ", "name: [x]", "name: {}", "", "null",
		"[]", "nome: x", "name: x\nother: 1",
		"name: x\nmachines: ", "name: x\nmachines: {}", "name: x\nmachines: {a: {address: b}}",
		"name: x\nmachines: {a: }", "name: x\nmachines: {a: {}}", "name: x\nmachines: [a]",
		"name: x\nmachines: {a: {address: b, prt: 1}}",
		"name: x\napps: ", "name: x\napps: [{name: a, envs: [b]}]", "name: x\napps: [{envs: [1]}]",
		"name: x\napps: [ ]", "name: x\napps: [null]", "name: x\nlabels: {a: b}", "name: x\nlabels: {a: 1}",
		"name: x\nlimits: {a: , b: {max: 1}}", "name: x\nlimits: {a: 1}",
		"name: x\nvars: {a: [1, {b: null}]}", "name: x\nvars: [a]",
		"name: x\nsteps: [{file: {path: /x, mode: '0644'}}]", "name: x\nsteps: [{file: {}}]",
		"name: x\nsteps: [{file: }]", "name: x\nsteps: [{reboot: }]", "name: x\nsteps: [{reboot: {after: 5s}}]",
		"name: x\nsteps: [{reboot: {after: soon}}]",
		"name: x\nsteps: [{}]", "name: x\nsteps: [{file: {path: a}, reboot: }]", "name: x\nsteps: [{fle: }]",
		"name: x\nsteps: [null]", "name: x\nsteps: [reboot]",
		"name: x\nlevel: info", "name: x\nlevel: loud", "name: x\nlevel: ", "name: x\non: true", "name: x\non: yes",
		"name: x\non: ", "name: x\nsmall: 127", "name: x\nsmall: 128", "name: x\nsmall: -129", "name: x\nport: -1",
		"name: x\nport: 65535", "name: x\nport: 65536",
		"name: x\ncount: 1.5", "name: x\ncount: a", "name: x\nratio: 1", "name: x\nratio: a", "name: x\nevery: 1h30m",
		"name: x\nevery: 1.5h", "name: x\nevery: 0", "name: x\nevery: '0'", "name: x\nevery: 5",
		"name: x\nmode: '0644'", "name: x\nmode: '644'", "name: x\nmode: a",
		"name: x\npointer: ", "name: x\npointer: 1", "name: x\npointer: a", "name: x\nip: 10.0.0.1", "name: x\nip: ",
		"name: x\nip: [a]", "name: x\ntoken: env:A", "name: x\ntoken: ''", "name: x\ntoken: A",
		"name: x\ntoken: 'env:'", "name: x\nplain: A", "name: x\nplain: ''",
		"name: x\nhidden: ", "name: x\nhidden: {max: a}", "name: x\npassword: a")
}

func agree(t *testing.T, value func() any, texts ...string) {
	t.Helper()
	raw, err := strictyaml.Schema(value(), nil, steps())
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		d := parse(t, text)
		decodeErr := d.Decode(value(), steps())
		var free any
		if err := d.Decode(&free); err != nil && !beyondSchema.MatchString(err.Error()) {
			t.Fatal(err)
		}
		schemaErr := validate(root, root, free)
		if decodeErr != nil && beyondSchema.MatchString(decodeErr.Error()) {
			continue
		}
		// The free value of yes is an error, and does not show that yes is text.
		if strings.Contains(text, "yes") {
			continue
		}
		if (decodeErr == nil) != (schemaErr == nil) {
			t.Errorf("%q: Decode: %v, schema: %v", text, decodeErr, schemaErr)
		}
	}
}

// validate implements the part of JSON Schema that Schema uses; an unknown keyword is an error.
func validate(root, s map[string]any, v any) error {
	for word, arg := range s {
		switch word {
		case "$schema", "$defs", "description", "default", "required", "properties":
		case "$ref":
			if err := validate(root, root["$defs"].(map[string]any)[strings.TrimPrefix(arg.(string),
				"#/$defs/")].(map[string]any), v); err != nil {
				return err
			}
		case "type":
			types, ok := arg.([]any)
			if !ok {
				types = []any{arg}
			}
			if !slices.ContainsFunc(types, func(t any) bool { return isType(t.(string), v) }) {
				return fmt.Errorf("%v is not %v", v, arg)
			}
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				return fmt.Errorf("%v is not in %v", v, arg)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(text) {
				return fmt.Errorf("%q does not match %v", v, arg)
			}
		case "minimum", "maximum":
			if n, ok := v.(int); ok && (word == "minimum" && float64(n) < arg.(float64) ||
				word == "maximum" && float64(n) > arg.(float64)) {
				return fmt.Errorf("%v: %s %v", v, word, arg)
			}
		case "items":
			list, _ := v.([]any)
			for _, item := range list {
				if err := validate(root, arg.(map[string]any), item); err != nil {
					return err
				}
			}
		case "minProperties", "maxProperties":
			if m, ok := v.(map[string]any); ok &&
				(word == "minProperties" && float64(len(m)) < arg.(float64) ||
					word == "maxProperties" && float64(len(m)) > arg.(float64)) {
				return fmt.Errorf("%d properties: %s %v", len(m), word, arg)
			}
		case "anyOf":
			if !slices.ContainsFunc(arg.([]any), func(s any) bool { return validate(root, s.(map[string]any), v) == nil }) {
				return fmt.Errorf("%v: none of %v", v, arg)
			}
		case "not":
			if validate(root, arg.(map[string]any), v) == nil {
				return fmt.Errorf("%v is not allowed", v)
			}
		case "additionalProperties":
			m, _ := v.(map[string]any)
			known, _ := s["properties"].(map[string]any)
			for k, x := range m {
				var err error
				if p, ok := known[k].(map[string]any); ok {
					err = validate(root, p, x)
				} else if more, ok := arg.(map[string]any); ok {
					err = validate(root, more, x)
				} else {
					err = fmt.Errorf("%s is not allowed", k)
				}
				if err != nil {
					return err
				}
			}
			required, _ := s["required"].([]any)
			for _, k := range required {
				if _, ok := m[k.(string)]; !ok && m != nil {
					return fmt.Errorf("%s is missing", k)
				}
			}
		default:
			return fmt.Errorf("unknown keyword %q", word)
		}
	}
	return nil
}

func isType(name string, v any) bool {
	switch x := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case int:
		return name == "integer" || name == "number"
	case float64:
		return name == "number" || name == "integer" && x == math.Trunc(x)
	case string:
		return name == "string"
	case []any:
		return name == "array"
	}
	return name == "object"
}
