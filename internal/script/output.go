package script

import (
	"errors"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Output returns what a script printed. If it failed, the error is what it printed on standard error, without the
// secrets, or its exit status.
func Output(res *ssh.Result, secrets ...lab.Secret) (string, error) {
	if res.Exit == 0 {
		return string(res.Stdout), nil
	}
	if why := lab.NewMasker(secrets...).Mask(strings.TrimSpace(string(res.Stderr))); why != "" {
		return "", errors.New(why)
	}
	return "", fmt.Errorf("exit status %d", res.Exit)
}
