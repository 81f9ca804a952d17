package main

import (
	"context"

	"gitea.arcodange.lab/arcodange-org/lab/host/docker"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// DockerConfig is the Docker Engine of machines.
type DockerConfig struct {
	On            string `yaml:"on,required"` // a pattern: "raspberries"
	docker.Config `yaml:",inline"`
}

// engine returns the Docker Engine as a component.
func (l *Lab) engine() component {
	return component{place: "docker", on: l.Docker.On, validate: l.Docker.Validate,
		pieces: func(context.Context, *inventory.Host, sources) ([]piece, error) {
			return piecesAt("docker", l.Docker.State()), nil
		}}
}
