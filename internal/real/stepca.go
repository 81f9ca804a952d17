package real

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A SmallstepProgram is step or step-ca, as a file in a [Machine].
type SmallstepProgram struct {
	Path   string // in the machine
	SHA256 string // 64 hex digits
}

// StepCA puts Smallstep's programs into the machine, without running them: the client step, and the
// server step-ca. They are built from Go modules; the first build takes minutes.
func (m *Machine) StepCA(tb testing.TB) (step, stepCA SmallstepProgram) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute)
	defer cancel()
	put := func(name string, build func(context.Context) (string, error)) SmallstepProgram {
		file, err := build(ctx)
		if err != nil {
			lacksTool(tb, "step-ca", err)
			tb.Fatalf("%s in %s: %v", name, m.Name, err)
		}
		b, err := os.ReadFile(file)
		p := SmallstepProgram{Path: "/srv/smallstep/" + name, SHA256: fmt.Sprintf("%x", sha256.Sum256(b))}
		if err == nil {
			err = writeFile(filepath.Join(m.Root, p.Path), string(b), 0o755)
		}
		if err != nil {
			tb.Fatalf("%s in %s: %v", name, m.Name, err)
		}
		return p
	}
	return put("step", stepProgram), put("step-ca", stepCAProgram)
}

func stepProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "stepca", "github.com/smallstep/cli/cmd/step")
}

func stepCAProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "stepca", "github.com/smallstep/certificates/cmd/step-ca")
}
