package compose

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// Logs returns what each container of a project printed last, at most that many lines of each, none
// of them cut, under a line with its name and state; "" when it has no containers. The values of its
// secrets, which are in the directory secrets of dir on the machine, are masked; other files are not
// looked at. A name that no project can have is an [lab.ErrInvalid], and errors of the connection are
// those of [host.Machine.Run].
func Logs(ctx context.Context, m *host.Machine, project, dir string, lines int) (string, error) {
	if ps := validateProject(project); len(ps) > 0 {
		return "", ps
	}
	v := script.Variables{"dir": dir, "project": project, "lines": strconv.Itoa(lines)}
	r, err := m.Run(ctx, ssh.Command{Script: head + script.Join(embedded, v, "lastlog.sh", "logs.sh"), Root: true})
	if err != nil {
		return "", err
	}
	text := string(r.Stdout)
	var secrets []lab.Secret
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole { // it ends early: what it was about to say may be a secret
			return "", r.Err()
		}
		text = rest
		value, ok := strings.CutPrefix(line, "secret ")
		if !ok {
			break
		}
		b, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", &lab.Error{Op: "read secrets", Target: m.Name(), Path: dir,
				Hint: "look at its base64: it should be that of coreutils",
				Err:  fmt.Errorf("%w: its output is none", lab.ErrInvalid)}
		}
		secrets = append(secrets, lab.NewSecret(string(b)))
	}
	return lab.Mask(text, secrets...), r.Err()
}
