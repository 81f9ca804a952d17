package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

// TestKindsExample: the examples of lab explain are a config that is right, and of every kind there is one.
func TestKindsExample(t *testing.T) {
	l, err := ReadConfig("kinds.yaml", kindsExample)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{"hostname": host.Hostname{Name: "nas", Domain: "arcodange.lab"}.Validate() == nil}
	for _, p := range l.Resources {
		for _, r := range p.State {
			there[strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", r), "host."))] = true
		}
	}
	r, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range r.Kinds() {
		if !there[strings.ToLower(kind)] {
			t.Errorf("kinds.yaml has no %s: add one, so that lab explain %s shows it", kind, kind)
		}
	}
}

// TestExplainWholeConfig: everything that may be written is explained, with an example that is YAML, in 80 columns
// unless a word or an example of a person's own is longer.
func TestExplainWholeConfig(t *testing.T) {
	r, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	seen, fields := map[string]bool{}, 0
	var visit func(path string)
	visit = func(path string) {
		e, err := r.Explain(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if seen[e.Path] {
			return
		}
		seen[e.Path] = true
		text, _, _ := strings.Cut(explained(e), "\nexample\n")
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 && len(strings.Fields(line)) > 2 {
				t.Errorf("%s: %d columns: %s", path, n, line)
			}
		}
		if e.Type == "" || path != "" && e.Example == "" {
			t.Errorf("%q: type %q, example %q", path, e.Type, e.Example)
		}
		if _, err := strictyaml.Parse("example", []byte(e.Example)); path != "" && err != nil {
			t.Errorf("%s: %v\n%s", path, err, e.Example)
		}
		for _, f := range e.Fields {
			fields++
			visit(strings.TrimPrefix(path+"."+f.Path, "."))
		}
	}
	visit("")
	for _, kind := range r.Kinds() {
		visit(kind)
	}
	if fields < 150 {
		t.Errorf("only %d fields", fields)
	}
}

func TestExplainText(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"a field": {"file.mode", `resources[].state[].file.mode

  type     text
  default  0644, or 0600 if the content contains a secret

  0 means 0644, or 0600 if the content contains a secret

  Mode is the mode of a file as in chmod(1): permission bits, setuid, setgid and
  sticky, 0 to 07777. Documents write it in octal: 0644 or "0644".

example
  mode: "0644"
`},
		"a section": {"ssh", `ssh

  type     mapping

  how to log in

  SSHConfig says how to log in to the machines. Relative paths are taken from
  the directory of the file, ~/ from the home.

fields (* must be there)
  acceptNew     text: a known_hosts file to which machines are`},
	} {
		var b strings.Builder
		out, err := cli.NewPrinter(&b, cli.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := explain(out, c.path); err != nil || !strings.HasPrefix(b.String(), c.want) {
			t.Errorf("%s: %v\n%s", name, err, b.String())
		}
	}
}

// TestExplainTypo: what is not there is an error whose hint is the nearest word.
func TestExplainTypo(t *testing.T) {
	out, err := cli.NewPrinter(io.Discard, cli.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"fiel": "nearest: file", "stacks.gitae": "nearest: gitea",
		"rootURL": "nearest: stacks.gitea.rootURL", "file.mode.x": "lab explain lists what there is"} {
		if err := explain(out, path); err == nil || !slices.Contains(lab.Hints(err), want) {
			t.Errorf("%s: %v, %q", path, err, lab.Hints(err))
		}
	}
}
