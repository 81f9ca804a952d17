package compose

import (
	"context"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Logs returns the last lines that each container of a project printed, under a line with its name. The lines are the programs' own: mask what
// secrets they may hold.
func Logs(ctx context.Context, m *host.Machine, project string, lines int) (string, error) {
	if ps := checkProject(project); len(ps) > 0 {
		return "", ps
	}
	script := head + fmt.Sprintf("docker ps -a --no-trunc --filter label=com.docker.compose.project=%s --format '{{.ID}} {{.Names}} {{.Status}}' | while read -r id rest; do printf '== %%s\\n' \"$rest\"; docker logs --tail %d \"$id\" 2>&1; done", project, lines)
	r, err := m.Run(ctx, host.Command{Script: script, Root: true})
	if err != nil {
		return "", err
	}
	return string(r.Stdout), r.Err()
}
