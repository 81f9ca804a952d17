package real

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// errNoModules means that the modules of a tool cannot be downloaded.
var errNoModules = errors.New("its modules cannot be downloaded")

// errNotBuilt means that a tool is not in the cache, and that it must not be
// built now.
var errNotBuilt = errors.New("it is not built")

// preparing is the key of a context in which tools may be built.
type preparing struct{}

// lacksTool skips the test if a tool cannot be built, or is not built: building it
// takes longer than go test lets a package run.
func lacksTool(tb testing.TB, what string, err error) {
	tb.Helper()
	switch {
	case errors.Is(err, errNoModules):
		Missing(tb, "the modules of "+what+" from a module proxy")
	case errors.Is(err, errNotBuilt):
		Missing(tb, what+", built by: go run ./internal/real/cmd/machines prepare")
	}
}

// toolModule returns the directory internal/real/name of this module.
func toolModule(ctx context.Context, name string) (string, error) {
	root, err := capture(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", "gitea.arcodange.lab/arcodange-org/lab")
	return filepath.Join(strings.TrimSpace(root), "internal", "real", name), err
}

// goTool builds the command pkg in the module internal/real/name, which is a
// module of its own, statically and for Linux. It returns the binary's path in
// the cache. A change of that module causes a rebuild. Cold builds take minutes:
// they are made by [Prepare], or if real servers are [Required].
func goTool(ctx context.Context, name, pkg string, ldflags ...string) (string, error) {
	module, err := toolModule(ctx, name)
	if err != nil {
		return "", err
	}
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
		if !Required() && ctx.Value(preparing{}) == nil {
			return errNotBuilt
		}
		tool := func(arg ...string) error {
			cmd := exec.CommandContext(ctx, "go", arg...)
			cmd.Dir = module
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("go %s %s: %w\n%s", arg[0], pkg, err, out)
			}
			return nil
		}
		if err := tool("list", "-deps", "-f", "{{\"\"}}", pkg); err != nil { // downloads only what the build needs
			return fmt.Errorf("%w: %w", errNoModules, err)
		}
		return tool("build", "-trimpath", "-ldflags", flags, "-o", filepath.Join(dir, name), pkg)
	})
	return filepath.Join(dir, name), err
}
