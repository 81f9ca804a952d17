package stack

import (
	"embed"
	"maps"

	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

//go:embed sh/*.sh
var scripts embed.FS

// inService returns a script of files of the directory sh, for the running container of a service
// of a stack. Its ID is in the variable i, beside project, service, dir and those of more. The
// script ends with status 3 when no such container runs.
func inService(project, service string, more script.Variables, files ...string) string {
	v := script.Variables{"project": project, "service": service, "dir": dirOf(project)}
	maps.Copy(v, more)
	return script.Join(scripts, v, append([]string{"container.sh"}, files...)...)
}
