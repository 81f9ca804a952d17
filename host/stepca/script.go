package stepca

import (
	"context"
	"embed"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

//go:embed sh/*.sh
var embedded embed.FS

// shell returns sh/NAME.sh with assignments prepended; vars alternates names and values.
func shell(name string, vars ...string) string {
	return script.Join(embedded, script.Pairs(vars...), name+".sh")
}

// run runs a script as root and returns what it prints. An error has what it prints on standard
// error, without the secrets.
func run(ctx context.Context, m *host.Machine, op, text string, secrets ...lab.Secret) (string, error) {
	res, err := m.Run(ctx, ssh.Command{Script: text, Root: true})
	if err != nil {
		return "", err
	}
	out, err := script.Output(res, secrets...)
	if err != nil {
		return "", &lab.Error{Op: op, Target: m.Name(), Hint: "see: journalctl -u " + unitName, Err: err}
	}
	return out, nil
}
