package compose

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Name returns the name of a stack's project and its folder on the machine, as [Load] takes them, without loading it.
func Name(s Source) (name, dir string, err error) {
	file := cmp.Or(s.File, composeFile)
	if s.Name == "" {
		content := s.Content
		if content == nil {
			if content, err = os.ReadFile(filepath.Join(s.Dir, file)); err != nil {
				return "", "", &lab.Error{Op: "load stack", Path: file, Err: err}
			}
		}
		if s.Name, err = nameOf(content, s.Dir); err != nil {
			return "", "", &lab.Error{Op: "load stack", Path: file, Err: err}
		}
	}
	if !projectPattern.MatchString(s.Name) {
		return "", "", lab.Problems{{File: file, Path: "name", Text: s.Name, Message: "is not the name of a project: " + projectRule}}
	}
	return s.Name, cmp.Or(s.Target, path.Join(stacksDir, s.Name)), nil
}

// nameOf returns the name in a compose.yaml, or that of the folder.
func nameOf(content []byte, dir string) (string, error) {
	var head struct {
		Name string `yaml:"name"`
	}
	_ = yaml.Unmarshal(content, &head) // Compose's loader says what is wrong with it
	if head.Name != "" || dir == "" {
		return head.Name, nil
	}
	abs, err := filepath.Abs(dir)
	return filepath.Base(abs), err
}

// Logs returns the last lines that each container of a project printed, under a line with its name. The lines are the programs' own: mask what
// secrets they may hold.
func Logs(ctx context.Context, m *host.Machine, project string, lines int) (string, error) {
	if !projectPattern.MatchString(project) {
		return "", lab.Problems{{Path: "name", Text: project, Message: "is not the name of a project: " + projectRule}}
	}
	script := head + fmt.Sprintf("docker ps -a --no-trunc --filter label=com.docker.compose.project=%s --format '{{.ID}} {{.Names}} {{.Status}}' | while read -r id rest; do printf '== %%s\\n' \"$rest\"; docker logs --tail %d \"$id\" 2>&1; done", project, lines)
	r, err := m.Run(ctx, host.Command{Script: script, Root: true})
	if err != nil {
		return "", err
	}
	return string(r.Stdout), r.Err()
}
