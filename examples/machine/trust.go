package main

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

// trustComponent is a certificate authority that the machine trusts, and its Docker for registries, see package stepca.
type trustComponent struct {
	whole

	Domain     string   `yaml:"domain,required"` // of the authority: "arcodange.lab"
	PEM        string   `yaml:"pem,required"`    // its root certificate
	Registries []string `yaml:"registries"`      // of images, HOST or HOST:PORT, that have a certificate of it; empty means none
}

func (trustComponent) ID() string { return "trust:machine" }

func (c trustComponent) config() stepca.Config {
	return stepca.Config{Domain: c.Domain, Registries: c.Registries}
}

// Validate returns what is wrong with the fields that the component has of a [stepca.Config].
func (c trustComponent) Validate() lab.Problems {
	return slices.DeleteFunc(c.config().Validate(), func(p lab.Problem) bool {
		return p.Path != "domain" && !strings.HasPrefix(p.Path, "registries[")
	})
}

func (c trustComponent) Resources() []host.Resource { return c.config().Trust(c.PEM) }
