package strictyaml_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

// reference is that of settings, with one example.
func reference(t *testing.T) *strictyaml.Reference {
	t.Helper()
	schema, err := os.ReadFile("testdata/settings.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := strictyaml.NewReference(schema, []byte("# a comment\nmachines:\n  pi1: {address: 192.0.2.1} # another\n"+
		"retries: 5\nsteps:\n  - file:\n      path: /etc/motd\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExplain(t *testing.T) {
	r := reference(t)
	for path, want := range map[string]strictyaml.Explanation{
		"retries": {Path: "retries", Type: "whole number", Default: 3.0, Form: "-128 to 127", Doc: "after the first try",
			Example: "retries: 5\n"},
		"pause": {Path: "pause", Type: "duration", Default: "30s", Form: "30s, 10m, 1h30m", Example: "pause: 30s\n"},
		"level": {Path: "level", Type: "text", Default: "info", Values: []string{"debug", "info", "warn"},
			Example: "level: info\n"},
		"token": {Path: "token", Type: "reference to a secret", Form: "env:NAME of a variable, or file:PATH",
			Example: "token: file:~/.arcodange/secret\n"},
		"machines.address": {Path: "machines[].address", Type: "text", Required: true, Example: "address: 192.0.2.1\n"},
		// as the path of a problem has it
		"machines.pi1.address": {Path: "machines[].address", Type: "text", Required: true, Example: "address: 192.0.2.1\n"},
		"machines.jump":        {Path: "machines[].jump", Type: "list of text", Example: "jump:\n  - text\n"},
		"machines.port":        {Path: "machines[].port", Type: "whole number", Example: "port: 1\n"},
		"file.path":            {Path: "steps[].file.path", Type: "text", Required: true, Example: "path: /etc/motd\n"},
		"file.mode": {Path: "steps[].file.mode", Type: "file mode", Form: `octal digits with a leading zero: "0644"`,
			Example: "mode: \"0644\"\n"},
		"steps[0].file.mode": {Path: "steps[].file.mode", Type: "file mode", Form: `octal digits with a leading zero: "0644"`,
			Example: "mode: \"0644\"\n"},
		"reboot.after":              {Path: "steps[].reboot.after", Type: "duration", Form: "30s, 10m, 1h30m", Example: "after: 30s\n"},
		"parts.parts.parts.retries": {Path: "parts[].parts[].parts[].retries", Type: "whole number", Default: 3.0, Form: "-128 to 127", Doc: "after the first try", Example: "retries: 3\n"},
	} {
		got, err := r.Explain(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		g, w := asJSON(t, got), asJSON(t, want)
		if g != w {
			t.Errorf("%s\n got %s\nwant %s", path, g, w)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestExplainMappings: a mapping lists its fields, those of its elements too.
func TestExplainMappings(t *testing.T) {
	r := reference(t)
	for path, want := range map[string]string{
		"":                "level machines* parts pause retries steps token",
		"machines":        "address* jump port",
		"machines.pi1":    "address* jump port",
		"steps":           "file reboot",
		"steps[3]":        "file reboot",
		"file":            "mode path*",
		"parts":           "level machines* parts pause retries steps token",
		"parts[0].parts.": "level machines* parts pause retries steps token",
	} {
		e, err := r.Explain(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var names []string
		for _, f := range e.Fields {
			name := f.Path
			if f.Required {
				name += "*"
			}
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q has %s, want %s", path, got, want)
		}
	}
	if e, _ := r.Explain("file"); e.Example != "- file:\n    path: /etc/motd\n" || e.Doc != "A file with this content." {
		t.Errorf("%+v", e)
	}
	if e, _ := r.Explain("machines.pi1"); e.Example != "machines:\n  name: {address: 192.0.2.1}\n" {
		t.Errorf("%+v", e)
	}
}

// TestExplainTypos: the nearest word, wherever the path is wrong.
func TestExplainTypos(t *testing.T) {
	r := reference(t)
	for path, want := range map[string]string{
		"retrys":           "explain retrys: not found: the document has no retrys; nearest: retries",
		"fiel":             "explain fiel: not found: the document has no fiel; nearest: file",
		"file.mod":         "explain file.mod: not found: steps[].file has no mod; nearest: mode",
		"machines.adress":  "explain machines.adress: not found: machines has no adress; nearest: address",
		"machines.a.adres": "explain machines.a.adres: not found: machines[] has no adres; nearest: address",
		"address":          "explain address: not found: the document has no address; nearest: machines.address",
		"mode":             "explain mode: not found: the document has no mode; nearest: file.mode",
		"retries.x":        "explain retries.x: not found: retries has no fields: its type is whole number; ",
		"file.zzzzzz":      "explain file.zzzzzz: not found: steps[].file has no zzzzzz; there are: mode, path",
		"q\x1bq":           `explain "q\x1bq": not found: the document has no "q\x1bq"; there are: level, machines, parts, pause, retries, steps, token, file, reboot`,
	} {
		_, err := r.Explain(path)
		if err == nil || !errors.Is(err, lab.ErrNotFound) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := err.Error() + "; " + strings.Join(lab.Hints(err), "; "); got != want {
			t.Errorf("%s\n got %s\nwant %s", path, got, want)
		}
	}
}

// TestExamplesAreValid: every example that is made up is accepted by the schema.
func TestExamplesAreValid(t *testing.T) {
	schema, err := strictyaml.Schema(&config{}, nil, steps())
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	r, err := strictyaml.NewReference(schema)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, section := range r.Sections() {
		e, err := r.Explain(section)
		if err != nil {
			t.Errorf("%s: %v", section, err)
			continue
		}
		if e.Type == "secret, which no file may have" {
			continue
		}
		var value map[string]any
		if err := parse(t, e.Example).Decode(&value); err != nil {
			t.Errorf("%s: %v", e.Example, err)
			continue
		}
		if value["name"] == nil {
			value["name"] = "x" // which is required
		}
		if err := validate(root, root, value); err != nil {
			t.Errorf("%s: %v", e.Example, err)
		}
		n++
	}
	if n < 10 {
		t.Errorf("only %d sections", n)
	}
}

// FuzzExplain: no path makes it panic, and what it explains it explains the same way by its own path.
func FuzzExplain(f *testing.F) {
	for _, seed := range []string{"", "a", "machines.x.address", "parts[1].parts", "file.mode", "..", "[", "machines.[]", "steps.file"} {
		f.Add(seed)
	}
	schema, err := os.ReadFile("testdata/settings.schema.json")
	if err != nil {
		f.Fatal(err)
	}
	r, err := strictyaml.NewReference(schema)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		e, err := r.Explain(path)
		if err != nil || strings.HasSuffix(e.Path, "[]") {
			return // the path of an element is that of its list
		}
		if again, err := r.Explain(e.Path); err != nil || asJSON(t, again) != asJSON(t, e) {
			t.Errorf("%q is %q, which is %v, %v", path, e.Path, again, err)
		}
	})
}
