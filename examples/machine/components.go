package main

import (
	"maps"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/disk"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker"
	"gitea.arcodange.lab/arcodange-org/lab/host/longhornprep"
	"gitea.arcodange.lab/arcodange-org/lab/host/nfs"
)

// kinds are what a list of resources may hold: the kinds of package host, and the components of one machine. What is about
// several machines together is the program lab's: Pi-holes that are changed one after the other, a certificate authority and
// its replicas.
func kinds() map[string]host.Resource {
	all := maps.Clone(host.Kinds())
	for name, c := range map[string]host.Resource{
		"base": baseComponent{}, "disks": disksComponent{}, "docker": dockerComponent{}, "longhorn": longhornComponent{},
		"nfs": nfsComponent{}, "pihole": piHoleComponent{}, "resolvers": resolversComponent{}, "trust": trustComponent{},
	} {
		all[name] = c
	}
	return all
}

// whole is embedded in components: they are sets, whose members are observed and planned.
type whole struct{}

func (whole) Observe(*host.Query) {}

func (whole) Plan(*host.Observation) ([]host.Op, error) { return nil, nil }

// baseComponent is what every machine has, see package base.
type baseComponent struct {
	whole

	Name        string `yaml:"name,required"` // of the machine: "pi1"
	Domain      string `yaml:"domain"`        // of its full name, "arcodange.lab"; empty means that it has none
	User        string `yaml:"user"`          // who gets the keys; empty when there are none
	base.Config `yaml:",inline"`
}

func (c baseComponent) machine() base.Machine {
	return base.Machine{Name: c.Name, Domain: c.Domain, User: c.User}
}

func (baseComponent) ID() string { return "base:machine" }

func (c baseComponent) Validate() lab.Problems {
	return append(c.machine().Validate(), c.Config.Validate()...)
}

func (c baseComponent) Resources() []host.Resource { return c.State(c.machine()) }

// disksComponent are the data disks of the machine, see package disk.
type disksComponent struct {
	whole
	disk.Config `yaml:",inline"`
}

func (disksComponent) ID() string { return "disks:machine" }

func (c disksComponent) Resources() []host.Resource { return c.State() }

// dockerComponent is Docker Engine, see package docker.
type dockerComponent struct {
	whole
	docker.Config `yaml:",inline"`
}

func (dockerComponent) ID() string { return "docker:machine" }

func (c dockerComponent) Resources() []host.Resource { return c.State() }

// longhornComponent is what Longhorn needs of the machine, see package longhornprep.
type longhornComponent struct {
	whole

	Name                string   `yaml:"name,required"` // of the machine, unique among those of the cluster
	Taken               []string `yaml:"taken"`         // names of the other machines' iSCSI initiators; empty means that none is known
	longhornprep.Config `yaml:",inline"`
}

func (c longhornComponent) machine() longhornprep.Machine {
	return longhornprep.Machine{Name: c.Name, Taken: c.Taken}
}

func (longhornComponent) ID() string { return "longhorn:machine" }

func (c longhornComponent) Validate() lab.Problems {
	return append(c.machine().Validate(), c.Config.Validate()...)
}

func (c longhornComponent) Resources() []host.Resource { return c.State(c.machine()) }

// nfsComponent is what the machine shares, and mounts of others, see package nfs.
type nfsComponent struct {
	whole
	nfs.Config `yaml:",inline"`
}

func (nfsComponent) ID() string { return "nfs:machine" }

func (c nfsComponent) Resources() []host.Resource { return c.State() }
