// Package rules holds the rules of the house about who imports whom, as a test. It has no code.
package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "gitea.arcodange.lab/arcodange-org/lab"

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Standard,Imports,Deps"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	pkgs := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
}

// under reports whether a package of ours, by its path in the module, is the named folder or below it.
func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// allowed says which packages of ours each package of ours may import, besides package lab, its own folder, and internal/strictyaml for
// the packages that read documents. Programs and internal packages may import what they like.
var allowed = []struct {
	folder string
	may    []string
	why    string
}{
	{"host/ssh", nil, "it reaches machines and knows nothing of what they should be"},
	{"host/inventory", []string{"host/ssh"}, "it names machines, and where they are reached"},
	{"host", []string{"internal/strictyaml"}, "everything that is done to a machine goes through it, so it stands on nothing"},
	{"k3s", []string{"host", "host/ssh"}, "it stands on machines"},
	{"compose", []string{"host", "host/ssh", "internal/strictyaml"}, "it stands on machines, and reads a lock file"},
	{"longhorn/replica", nil, "it runs on the Pi that owns the disk and needs nothing of the rest"},
	{"longhorn", []string{"host", "host/ssh", "longhorn/replica"}, "it stands on machines"},
	{"pgprov", nil, "who uses it compiles pgx and nothing else"},
	{"vaultprov", nil, "the API floor knows nothing of its neighbours"},
	{"forge", nil, "the API floor knows nothing of its neighbours"},
	{"cloudedge", nil, "the API floor knows nothing of its neighbours"},
}

func TestImports(t *testing.T) {
	for path, p := range list(t, module+"/...") {
		rel, ours := strings.CutPrefix(path, module)
		if !ours {
			continue
		}
		rel = strings.TrimPrefix(rel, "/")
		if rel == "" {
			for _, i := range p.Imports {
				if strings.Contains(strings.Split(i, "/")[0], ".") {
					t.Errorf("package lab imports %s: it imports the standard library only, since everybody imports it", i)
				}
			}
			continue
		}
		if under(rel, "examples") && slices.Contains(p.Imports, module+"/internal/real") {
			t.Errorf("%s imports internal/real: a program carries nothing of its tests", rel)
		}
		if under(rel, "examples") || under(rel, "internal") || under(rel, "bench") {
			continue
		}
		known := false
		for _, rule := range allowed {
			if !under(rel, rule.folder) || known {
				continue
			}
			known = true
			for _, i := range p.Imports {
				other, ours := strings.CutPrefix(i, module+"/")
				if !ours || under(other, rule.folder) || slices.Contains(rule.may, other) {
					continue
				}
				if strings.HasSuffix(rel, "test") && slices.ContainsFunc(rule.may, func(m string) bool { return under(other, m) }) {
					continue // a fake may stand on its neighbour's fake
				}
				t.Errorf("%s imports %s: %s", rel, other, rule.why)
			}
		}
		if !known {
			t.Errorf("%s has no rule about what it may import: add one, with its reason", rel)
		}
	}
}

// TestPublicPackagesStayLight keeps what a user of one package compiles from growing unseen.
func TestPublicPackagesStayLight(t *testing.T) {
	for folder, may := range map[string][]string{
		"":                 nil,
		"host":             {"golang.org/x/crypto", "golang.org/x/sys", "go.yaml.in/yaml/v4", "github.com/kevinburke/ssh_config"},
		"longhorn/replica": {"golang.org/x/sys", "golang.org/x/sync"},
		"pgprov":           {"github.com/jackc", "golang.org/x/text", "golang.org/x/sync", "golang.org/x/crypto"},
	} {
		path := strings.TrimSuffix(module+"/"+folder, "/")
		for dep, p := range list(t, path) {
			if p.Standard || strings.HasPrefix(dep, module) {
				continue
			}
			if !slices.ContainsFunc(may, func(m string) bool { return under(dep, m) }) {
				t.Errorf("%s compiles %s", path, dep)
			}
		}
	}
}
