package real

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// goTool builds the command pkg in the module internal/real/name, a module of
// its own, statically and for Linux, and returns the binary's path in the
// cache. A change to that module builds anew. Cold builds take minutes.
func goTool(ctx context.Context, name, pkg string, ldflags ...string) (string, error) {
	root, err := capture(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", "gitea.arcodange.lab/arcodange-org/lab")
	if err != nil {
		return "", err
	}
	module := filepath.Join(strings.TrimSpace(root), "internal", "real", name)
	flags := strings.Join(append([]string{"-s", "-w"}, ldflags...), " ")
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", runtime.GOARCH, pkg, flags)
	for _, f := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(module, f))
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	dir, err := cached(ctx, name, fmt.Sprintf("%x", h.Sum(nil)[:8]), func(dir string) error {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", flags, "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
		return nil
	})
	return filepath.Join(dir, name), err
}
