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

// helpers are the packages that everybody may import, package lab aside, each with what it stands on besides the
// standard library and package lab. Those with an end in "test" or "fake" are for tests: only packages whose name ends in
// "test" or "suite" may import them.
var helpers = map[string][]string{
	"internal/credential":  nil,
	"internal/dag":         nil,
	"internal/fake":        nil,
	"internal/fingerprint": nil,
	"internal/httpx":       {"golang.org/x/time/rate"}, // of the Go authors, and it needs nothing
	"internal/lawtest":     nil,
	"internal/mark":        nil,
	"internal/reconcile":   {module + "/internal/dag", "golang.org/x/sync/errgroup"},
	"internal/version":     nil,
}

// sorter is the one of them that package lab imports, so that a plan is sorted as all else is.
const sorter = module + "/internal/dag"

// under reports whether a package of ours, by its path in the module, is the named folder or below it.
func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// inStandardLibrary reports whether an import path is of the standard library: its first element has no dot.
func inStandardLibrary(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// helps reports whether a package of ours is a helper that the other may import.
func helps(helper, other string) bool {
	forTests := strings.HasSuffix(helper, "test") || strings.HasSuffix(helper, "fake")
	isTest := strings.HasSuffix(other, "test") || strings.HasSuffix(other, "suite")
	_, ok := helpers[helper]
	return ok && (isTest || !forTests)
}

// allowed says which packages of ours each package of ours may import, besides package lab, the helpers and its own
// directory. Programs and internal packages may import what they like.
var allowed = []struct {
	folder string
	may    []string
	why    string
}{
	{"host/ssh", nil, "it reaches machines and knows nothing of what they should be"},
	{"host/inventory", []string{"host/ssh"}, "it names machines, and where they are reached"},
	{"host/dns", []string{"host", "compose", "compose/stack", "host/ssh", "internal/script"},
		"its instances are compose stacks; nothing else of host may stand on those"},
	{"host", []string{"internal/strictyaml", "internal/script"},
		"everything that is done to a machine goes through it, so it stands on nothing"},
	{"k3s/kube", nil, "it applies objects to any Kubernetes API, and knows nothing of machines"},
	{"k3s/addon", []string{"k3s/kube"}, "it turns configs into objects, and does nothing with them"},
	{"k3s/gitops", []string{"k3s/kube"}, "it turns configs into objects, and does nothing with them"},
	{"k3s/k3stest", []string{"k3s/kube"}, "it is a Kubernetes API, whatever is done with it"},
	{"k3s", []string{"host", "host/ssh", "host/docker", "internal/script"}, "it stands on machines, and on what their Docker speaks"},
	{"compose", []string{"host", "host/ssh", "internal/strictyaml", "internal/script"}, "it stands on machines, and reads a lock file"},
	{"longhorn/internal", nil, "who reads a Longhorn disk stands on it, so it stands on nothing"},
	{"longhorn/fsimage", []string{"longhorn/internal/diskfile"},
		"it looks into any disk image, and knows nothing of replicas"},
	{"longhorn/replica", []string{"longhorn/internal/diskfile"},
		"it runs on the Pi that owns the disk and needs nothing of the rest"},
	{"longhorn", []string{"host", "host/ssh", "longhorn/replica", "longhorn/fsimage"}, "it stands on machines"},
	{"pgprov", nil, "who uses it compiles pgx and nothing else"},
	{"vaultprov", nil, "the API floor knows nothing of its neighbours"},
	{"forge", nil, "the API floor knows nothing of its neighbours"},
	{"cloudedge/cloudflare", nil, "who uses one cloud compiles nothing of another"},
	{"cloudedge/ovh", nil, "who uses one cloud compiles nothing of another"},
	{"cloudedge/gcs", nil, "who uses one cloud compiles nothing of another"},
	{"cloudedge/ledger", nil, "it records the plans of any layer, and knows none"},
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
				if i != sorter && !inStandardLibrary(i) {
					t.Errorf("package lab imports %s: since everybody imports it, it imports the standard library "+
						"and internal/dag only", i)
				}
			}
			continue
		}
		if may, ok := helpers[rel]; ok {
			for _, i := range p.Imports {
				if !inStandardLibrary(i) && (i != module || path == sorter) && !slices.Contains(may, i) {
					t.Errorf("%s imports %s: since everybody may import it, it imports the standard library and "+
						"package lab only (internal/dag not even that), and what is listed for it", rel, i)
				}
			}
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
				if !ours || helps(other, rel) || under(other, rule.folder) || slices.Contains(rule.may, other) {
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

// kubernetes is what client-go and kstatus compile: nothing of Helm, controller-runtime or a cloud.
var kubernetes = []string{"k8s.io", "sigs.k8s.io", "github.com/go-logr/logr", "github.com/go-openapi", "github.com/google/gnostic-models",
	"github.com/fxamacker/cbor/v2", "github.com/x448/float16", "github.com/json-iterator/go", "github.com/modern-go", "github.com/davecgh/go-spew",
	"github.com/emicklei/go-restful/v3", "github.com/google/uuid", "github.com/munnerz/goautoneg", "golang.org/x", "google.golang.org/protobuf",
	"go.yaml.in/yaml", "gopkg.in/inf.v0"}

// TestPublicPackagesStayLight keeps what a user of one package compiles from growing unseen.
func TestPublicPackagesStayLight(t *testing.T) {
	for folder, may := range map[string][]string{
		"": nil,
		"host": {"golang.org/x/crypto", "golang.org/x/sync", "golang.org/x/sys", "go.yaml.in/yaml/v4",
			"github.com/kevinburke/ssh_config"},
		"k3s": {"golang.org/x/crypto", "golang.org/x/sync", "golang.org/x/sys", "go.yaml.in/yaml/v4",
			"github.com/kevinburke/ssh_config"},
		"k3s/kube":             kubernetes,
		"longhorn/fsimage":     {"golang.org/x/sys"},
		"longhorn/replica":     {"golang.org/x/sys", "golang.org/x/sync"},
		"pgprov":               {"github.com/jackc", "golang.org/x/text", "golang.org/x/sync", "golang.org/x/crypto"},
		"vaultprov":            {"github.com/hashicorp/hcl", "golang.org/x/sync", "golang.org/x/time"},
		"forge":                {"golang.org/x/sync", "golang.org/x/time"},
		"cloudedge/cloudflare": {"golang.org/x/net/idna", "golang.org/x/text", "golang.org/x/sync", "golang.org/x/time"},
		"cloudedge/ovh":        {"golang.org/x/oauth2", "golang.org/x/sync", "golang.org/x/time"},
		"cloudedge/gcs":        {"golang.org/x/oauth2", "golang.org/x/sync", "golang.org/x/time"},
		"cloudedge/ledger":     {"golang.org/x/time"},
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

// commandLine are the modules that read command lines, and who may import them: a package that others use does not choose
// their command line.
var commandLine = map[string][]string{
	"github.com/spf13/cobra": {"internal/cli", "examples"},
	"github.com/spf13/pflag": {"internal/cli", "internal/login", "examples"},
}

func TestCommandLine(t *testing.T) {
	for path, p := range list(t, module+"/...") {
		rel, ours := strings.CutPrefix(path, module+"/")
		for library, may := range commandLine {
			importer := func(i string) bool { return under(i, library) }
			if !ours || !slices.ContainsFunc(p.Imports, importer) {
				continue
			}
			if !slices.ContainsFunc(may, func(folder string) bool { return under(rel, folder) }) {
				t.Errorf("%s imports %s: only %s may", rel, library, strings.Join(may, ", "))
			}
		}
	}
}
