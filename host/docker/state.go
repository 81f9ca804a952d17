package docker

import (
	"cmp"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine should be. It is right when Validate finds nothing.
func (c Config) State() host.State {
	s := host.State{preflight{c}}
	if c.Replace {
		s = append(s, c.replaced()...)
	}
	if c.engine() == dockerCE {
		s = append(s, host.AptSource{
			Name: "docker", URIs: []string{cmp.Or(c.URI, "https://download.docker.com/linux/debian")},
			Suites: []string{c.suite()}, Components: []string{"stable"},
			Key: cmp.Or(c.Key, key), Fingerprint: fingerprint,
		})
	}
	// dockerd is started by its package, with the configuration that is there then.
	s = append(s, host.Directory{Path: "/etc/docker"}, c.file())
	for _, p := range c.parts() {
		s = append(s, p.resource)
	}
	if len(c.Registries) > 0 {
		s = append(s, host.Directory{Path: certificates})
	}
	for _, r := range c.Registries {
		s = append(s, r.resources()...)
	}
	return append(s, c.daemon())
}

// part is a package, and the field of the [Config] that asks for its version.
type part struct {
	path     string
	resource host.Package
}

// changes reports whether the version of the package will change.
func (p part) changes(o *host.Observation) bool {
	have := o.Package(p.resource.Name)
	return have.Installed && p.resource.Version != "" && have.Version != p.resource.Version
}

// restarts reports whether a new version of the package restarts the engine.
func (p part) restarts() bool { return p.path == "version" || p.path == "containerd" }

// parts returns the packages, in the order in which they are made.
func (c Config) parts() (parts []part) {
	add := func(path, name, version string) {
		parts = append(parts, part{path, host.Package{Name: name, Version: version, Hold: true}})
	}
	if c.engine() == dockerCE {
		add("containerd", "containerd.io", c.Containerd)
		add("version", "docker-ce-cli", c.Version)
		add("version", dockerCE, c.Version)
		add("buildx", "docker-buildx-plugin", c.Buildx)
		add("compose", "docker-compose-plugin", c.Compose)
	} else {
		add("version", dockerIO, c.Version)
	}
	for i, name := range c.Packages {
		add(fmt.Sprintf("packages[%d]", i), name, "")
	}
	return parts
}

// conflicting returns the packages that the engine's own exclude (docs.docker.com/engine/install/debian, "Uninstall old
// versions").
func (c Config) conflicting() []string {
	if c.engine() == dockerCE {
		return []string{dockerIO, "docker-cli", "docker-doc", "docker-compose", "podman-docker", "containerd", "runc"}
	}
	return []string{dockerCE, "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin", "podman-docker"}
}

// formerSources are the files of the same source that get.docker.com, Docker's instructions and the Ansible role
// geerlingguy.docker write.
var formerSources = []string{"docker.list", "download_docker_com_linux_debian.list"}

// replaced returns the removal of what is in the way.
func (c Config) replaced() (s host.State) {
	for _, name := range c.conflicting() {
		s = append(s, host.Package{Name: name, Absent: true})
	}
	for _, name := range formerSources {
		s = append(s, host.File{Path: "/etc/apt/sources.list.d/" + name, Absent: true})
	}
	return s
}
