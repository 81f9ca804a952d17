package main

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/docker"
)

// DockerConfig is the Docker Engine of machines.
type DockerConfig struct {
	On            string `yaml:"on,required"` // a pattern: "raspberries"
	docker.Config `yaml:",inline"`
}

// engine returns the Docker Engine as a component.
func (l *Lab) engine() component {
	return uniform("docker", l.Docker.On, l.Docker)
}
