package real

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// definitions are where CustomResourceDefinitions are: a module of internal/real/crds, and files in it.
var definitions = map[string]struct{ module, files string }{
	"argo-cd":      {"github.com/argoproj/argo-cd/v3@v3.2.1", "manifests/crds/*-crd.yaml"},
	"cert-manager": {"github.com/cert-manager/cert-manager@v1.19.1", "deploy/crds/*.yaml"},
	"k3s":          {"github.com/k3s-io/helm-controller@v0.17.9", "pkg/crds/yaml/generated/*.yaml"},
	"step-issuer":  {"github.com/smallstep/step-issuer@v0.12.0", "config/crd/bases/*.yaml"},
	"traefik":      {"github.com/traefik/traefik/v3@v3.6.7", "integration/fixtures/k8s/01-traefik-crd.yml"},
}

// CRDs returns the CustomResourceDefinitions of a project, as manifests: argo-cd, cert-manager, k3s, step-issuer
// and traefik from their Go modules. Those of others, such as longhorn, are taken from NAME.yaml in the folder
// that LAB_CRDS names, or from shared/fixtures/NAME/crds.yaml beside the repository's root; the test is skipped
// where they are absent.
func CRDs(tb testing.TB, name string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	text, err := crds(ctx, name)
	if err != nil {
		Missing(tb, "the CustomResourceDefinitions of "+name+" (a module proxy, or LAB_CRDS names their folder)")
	}
	return text
}

func crds(ctx context.Context, name string) (string, error) {
	from, ok := definitions[name]
	if !ok {
		root, err := toolModule(ctx, "../..")
		if err != nil {
			return "", err
		}
		file := filepath.Join(root, "..", "shared", "fixtures", name, "crds.yaml")
		if dir := os.Getenv("LAB_CRDS"); dir != "" {
			file = filepath.Join(dir, name+".yaml")
		}
		b, err := os.ReadFile(file)
		return string(b), err
	}
	dir, err := toolModule(ctx, "crds")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", from.module)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", from.module, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(module.Dir, filepath.FromSlash(from.files)))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no %s", from.module, from.files)
	}
	slices.Sort(files)
	var all []string
	for _, f := range files {
		b, readErr := os.ReadFile(f)
		if readErr != nil {
			return "", readErr
		}
		all = append(all, string(b))
	}
	return strings.Join(all, "\n---\n"), err
}
