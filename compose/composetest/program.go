package composetest

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Program is what runs in the containers of an image. The functions are called with the engine
// locked; any of them may be nil.
type Program struct {
	Start func(*Container) error                                     // an error is logged, and the container ends with status 1
	Exec  func(c *Container, p *hosttest.Process, args []string) int // docker exec
	Try   func(p *hosttest.Process, script string) int               // docker run, of a container that is thrown away
}

// programs returns the stand-ins of this package.
func programs() map[string]Program {
	return map[string]Program{
		"postgres":         {Start: startPostgres, Exec: psql, Try: tryPostgres},
		"gitea/gitea":      {Start: startGitea, Exec: giteaCommand},
		"gitea/act_runner": {Start: startRunner}, // as gitea/runner was called before 1.0
		"gitea/runner":     {Start: startRunner},
		"pihole/pihole":    PiHole(),
	}
}
