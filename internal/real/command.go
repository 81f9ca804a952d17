package real

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// run runs a command on this machine. Its error contains the command's output.
func run(ctx context.Context, name string, arg ...string) error {
	_, err := capture(ctx, "", name, arg...)
	return err
}

// capture does the same as run with a standard input, and returns the standard
// output.
func capture(ctx context.Context, stdin, name string, arg ...string) (string, error) {
	var out, diag bytes.Buffer
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s",
			strings.Join(append([]string{name}, arg...), " "), err, out.Bytes(), diag.Bytes())
	}
	return out.String(), nil
}
