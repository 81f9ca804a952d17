package compose

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Logs returns what each container of a project printed last, at most that many lines of each, under a line with its name and state; "" when it has no
// containers. The values of its secrets, which are in the folder secrets of dir on the machine, are masked; other files are not looked at. A name that no
// project can have is an [lab.ErrInvalid], and errors of the connection are those of [host.Machine.Run].
func Logs(ctx context.Context, m *host.Machine, project, dir string, lines int) (string, error) {
	if ps := checkProject(project); len(ps) > 0 {
		return "", ps
	}
	script := head + fmt.Sprintf(`for f in %s/secrets/*; do [ ! -f "$f" ] || { base64 -w 0 -- "$f"; echo; }; done
echo
all=$(docker ps -a --no-trunc --filter label=com.docker.compose.project=%s --format '{{.ID}} {{.Names}} {{.Status}}') || exit
[ -z "$all" ] || printf '%%s\n' "$all" | while read -r id rest; do printf '== %%s\n' "$rest"; docker logs --tail %d "$id" 2>&1; done`,
		ssh.Quote(dir), project, lines)
	r, err := m.Run(ctx, ssh.Command{Script: script, Root: true})
	if err != nil {
		return "", err
	}
	values, text, _ := strings.Cut("\n"+string(r.Stdout), "\n\n")
	var secrets []lab.Secret
	for v := range strings.FieldsSeq(values) {
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return "", &lab.Error{Op: "read secrets", Target: m.Name(), Path: dir, Hint: "look at its base64: it should be that of coreutils", Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)}
		}
		secrets = append(secrets, lab.NewSecret(string(b)))
	}
	return lab.Mask(text, secrets...), r.Err()
}
