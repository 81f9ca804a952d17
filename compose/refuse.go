package compose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// refuse returns why the stack cannot be had from where the machine is. What may come, or go, by an
// earlier change of the same plan is no reason.
func (p project) refuse(e Engine, mayCome bool) error {
	reasons := []func(Engine) error{p.refuseProject, p.refuseNetworks, p.refuseVolumes, p.refuseImages}
	if !mayCome {
		reasons = append(reasons, p.refuseAbsent, p.refuseHeld)
	}
	for _, refused := range reasons {
		if err := refused(e); err != nil {
			return err
		}
	}
	return nil
}

// refuseProject refuses a name that is that of another directory, and a directory that is that of
// another name.
func (p project) refuseProject(e Engine) error {
	s := p.stack
	for _, c := range e.Of(s.Name, "") {
		if c.Dir() != s.Dir {
			return &lab.Error{Op: "check project",
				Hint: "rename the stack; or, if the other is not needed any more: docker compose -p " + s.Name + " down",
				Err: fmt.Errorf("%w: the project %s is that of %s, whose containers would be taken for orphans of this one",
					lab.ErrRefused, s.Name, lab.Printable(c.Dir()))}
		}
	}
	for _, c := range e.Containers {
		if c.Dir() == s.Dir && c.Project() != s.Name {
			return &lab.Error{Op: "check project", Path: s.Dir,
				Hint: "give the stack a directory of its own; or, if it is the same under its former name: docker compose -p " +
					c.Project() + " down",
				Err: fmt.Errorf("%w: the directory is that of the project %s: each would take the files of the other for its own",
					lab.ErrRefused, c.Project())}
		}
	}
	return nil
}

// refuseAbsent refuses external networks, volumes and containers that are not there.
func (p project) refuseAbsent(e Engine) error {
	absent := p.absent(e)
	if len(absent) == 0 {
		return nil
	}
	return &lab.Error{Op: "check stack", Hint: "deploy first what makes it, and name that in after",
		Err: fmt.Errorf("%w: the external %s", lab.ErrNotFound, strings.Join(absent, ", "))}
}

// refuseHeld refuses what a container has that is not of this stack and that only one can have.
func (p project) refuseHeld(e Engine) error {
	held := p.held(e)
	if len(held) == 0 {
		return nil
	}
	return &lab.Error{Op: "check stack",
		Hint: "give one of them another, or remove the other container; if this plan changes its stack first, " +
			"name that in after",
		Err: fmt.Errorf("%w: %s", lab.ErrConflict, strings.Join(held, "; "))}
}

// held says what of the stack other containers have.
func (p project) held(e Engine) (out []string) {
	for _, s := range p.stack.services {
		if s.replicas == 0 {
			continue
		}
		for _, c := range slices.Concat(e.Containers, e.Others) {
			if c.Project() == p.stack.Name && c.Labels[labelOneOff] != "True" {
				continue
			}
			of := "which is of no stack"
			if c.Project() != "" {
				of = "of the project " + c.Project()
			}
			for _, x := range c.has(s.wants) {
				if slices.ContainsFunc(e.Of(p.stack.Name, s.name),
					func(own Container) bool { return slices.Contains(own.held(), x) }) {
					continue // it runs with it: the other only asks for it
				}
				out = append(out, fmt.Sprintf("%s, for the service %s, is that of the container %s, %s", x, s.name,
					lab.Printable(c.Name), lab.Printable(of)))
			}
		}
	}
	return out
}

// absent returns the external networks, volumes and containers that are not there.
func (p project) absent(e Engine) (out []string) {
	if e.Missing {
		return nil
	}
	for _, sv := range p.stack.services {
		for _, name := range sv.foreign {
			if e.find(name) == nil {
				out = append(out, "container "+name)
			}
		}
	}
	for _, n := range p.stack.networks {
		if n.external && !slices.ContainsFunc(e.Networks, func(x Network) bool { return x.Name == n.name }) {
			out = append(out, "network "+n.name)
		}
	}
	for _, v := range p.stack.volumes {
		if v.external && !slices.ContainsFunc(e.Volumes, func(x Volume) bool { return x.Name == v.name }) {
			out = append(out, "volume "+v.name)
		}
	}
	return out
}

// refuseNetworks refuses a network that is not the stack's own, and to recreate one that another
// stack is in.
func (p project) refuseNetworks(e Engine) error {
	s := p.stack
	for _, n := range s.networks {
		have := slices.IndexFunc(e.Networks, func(x Network) bool { return x.Name == n.name })
		if n.external || have < 0 {
			continue
		}
		if e.Networks[have].Project != s.Name {
			return &lab.Error{Op: "check network",
				Hint: "rename it, or write external: true if it is meant to be shared",
				Err:  fmt.Errorf("%w: the network %s is there, and not of this stack", lab.ErrConflict, n.name)}
		}
		if e.Networks[have].Config == n.config {
			continue
		}
		for _, c := range e.Containers {
			if _, in := c.Attached[n.name]; in && c.Project() != s.Name {
				return &lab.Error{Op: "check network",
					Hint: fmt.Sprintf("docker network disconnect %s %s; apply this stack, and then that of %s, which joins it again",
						n.name, c.Name, c.Project()),
					Err: fmt.Errorf("%w: the network %s is to be recreated, and %s of another stack is in it",
						lab.ErrRefused, n.name, c.Name)}
			}
		}
	}
	return nil
}

// refuseVolumes refuses a volume that is not the stack's own, and one that would have to be recreated.
func (p project) refuseVolumes(e Engine) error {
	s := p.stack
	for _, v := range s.volumes {
		have := slices.IndexFunc(e.Volumes, func(x Volume) bool { return x.Name == v.name })
		if v.external || have < 0 {
			continue
		}
		x := e.Volumes[have]
		if x.Labels[labelProject] != s.Name {
			return &lab.Error{Op: "check volume",
				Hint: "rename it, or write external: true if it is meant to be shared",
				Err:  fmt.Errorf("%w: the volume %s is there, and not of this stack", lab.ErrConflict, v.name)}
		}
		options := maps.Equal(x.Options, v.options) || len(x.Options)+len(v.options) == 0
		if x.Driver != cmp.Or(v.driver, "local") || !options {
			return &lab.Error{Op: "check volume",
				Hint: "move the data to a volume of another name; or, if it is not needed, remove the stack's containers and: " +
					"docker volume rm " + v.name,
				Err: fmt.Errorf("%w: the volume %s was made with another driver or other options, and those cannot be changed "+
					"without losing what is in it", lab.ErrRefused, v.name)}
		}
	}
	return nil
}

// refuseImages refuses an image that is in no registry and not on the machine.
func (p project) refuseImages(e Engine) error {
	for _, sv := range p.stack.services {
		if id := imageID(sv.image); id != "" && e.image(id) == "" && !e.Missing {
			return &lab.Error{Op: "check image",
				Hint: "import or load it on the machine, and pin what it is then",
				Set:  lab.Setting{Name: SettingLock},
				Err: fmt.Errorf("%w: the image of %s, %s, is in no registry and not on the machine", lab.ErrNotFound,
					sv.name, id)}
		}
	}
	return nil
}
