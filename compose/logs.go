package compose

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Logs returns the last lines that each container of a project printed, under a line with its name. The values of the secrets in its folder on the machine
// are masked.
func Logs(ctx context.Context, m *host.Machine, project, dir string, lines int) (string, error) {
	if ps := checkProject(project); len(ps) > 0 {
		return "", ps
	}
	script := head + fmt.Sprintf(`for f in %s/secrets/*; do [ ! -f "$f" ] || { base64 -w 0 -- "$f"; echo; }; done
echo
docker ps -a --no-trunc --filter label=com.docker.compose.project=%s --format '{{.ID}} {{.Names}} {{.Status}}' | while read -r id rest; do printf '== %%s\n' "$rest"; docker logs --tail %d "$id" 2>&1; done`,
		host.Quote(dir), project, lines)
	r, err := m.Run(ctx, host.Command{Script: script, Root: true})
	if err != nil {
		return "", err
	}
	values, text, _ := strings.Cut("\n"+string(r.Stdout), "\n\n")
	var secrets []lab.Secret
	for v := range strings.FieldsSeq(values) {
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return "", fmt.Errorf("%w: the machine's base64 wrote something else: %w", lab.ErrDrift, err)
		}
		secrets = append(secrets, lab.NewSecret(string(b)))
	}
	return lab.Mask(text, secrets...), r.Err()
}
