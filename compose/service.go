package compose

import (
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

func (l *loading) service(name string) service {
	s := l.project.Services[name]
	wants := l.wanted(s)
	if s.NetworkMode == hostNetwork { // where Docker makes nothing of it
		s.Expose = nil
		l.project.Services[name] = s
	}
	out := service{name: name, image: s.Image, platform: s.Platform, replicas: s.GetScale(),
		config: hash(subtreeOf(l.project, name)), depends: map[string]types.ServiceDependency{}}
	for d, c := range s.DependsOn {
		out.depends[d] = c
	}
	for _, mode := range []string{s.NetworkMode, s.Ipc, s.Pid} {
		if other, ok := strings.CutPrefix(mode, "service:"); ok {
			out.inside = append(out.inside, other)
		}
		if other, ok := strings.CutPrefix(mode, "container:"); ok && !slices.Contains(out.foreign, other) {
			out.foreign = append(out.foreign, other)
		}
	}
	out.shares = slices.Clone(out.inside)
	for _, from := range s.VolumesFrom {
		if other, ok := strings.CutPrefix(from, "container:"); ok {
			other, _, _ = strings.Cut(other, ":")
			out.foreign = append(out.foreign, other)
		}
		if other, _, _ := strings.Cut(from, ":"); l.project.Services[other].Name != "" {
			out.shares = append(out.shares, other)
		}
	}
	for key := range s.Networks {
		out.networks = append(out.networks, key)
	}
	for _, v := range s.Volumes {
		switch v.Type {
		case types.VolumeTypeBind:
			out.binds = append(out.binds, v.Source)
			if !v.ReadOnly {
				out.writes = append(out.writes, v.Source)
			}
		case types.VolumeTypeVolume:
			out.volumes = append(out.volumes, v.Source)
		case types.VolumeTypeImage:
			out.mounted = append(out.mounted, v.Source)
		}
	}
	for _, r := range s.Secrets {
		out.binds = append(out.binds, l.project.Secrets[r.Source].File)
	}
	for _, r := range s.Configs {
		out.binds = append(out.binds, l.project.Configs[r.Source].File)
	}
	out.binds = append(out.binds, seccompProfiles(s)...)
	slices.Sort(out.networks)
	slices.Sort(out.volumes)
	out.ends, out.wants, out.onHost = ends(s), wants, s.NetworkMode == hostNetwork
	return out
}

// ends reports whether a service is done when it ends well: one that is not started again then.
func ends(s types.ServiceConfig) bool {
	policy := s.Restart
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil && policy == "" {
		policy = s.Deploy.RestartPolicy.Condition
	}
	policy, _, _ = strings.Cut(policy, ":")
	if policy == "" { // nobody said; what is asked for something is not meant to end
		return len(s.Ports) == 0 && (s.HealthCheck == nil || s.HealthCheck.Disable)
	}
	return policy == "no" || policy == "on-failure" || policy == "none"
}

// waiting returns the services that are not begun before the service is done.
func (l *loading) waiting(service string) (out []string) {
	for _, name := range l.project.ServiceNames() {
		if l.project.Services[name].DependsOn[service].Condition == types.ServiceConditionCompletedSuccessfully {
			out = append(out, name)
		}
	}
	return out
}

// subtreeOf returns the service as a document, for its hash. How many containers it has is not of
// what each is made from.
func subtreeOf(p *types.Project, name string) any {
	s := p.Services[name]
	s.Scale = nil
	if s.Deploy != nil {
		d := *s.Deploy
		d.Replicas = nil
		s.Deploy = &d
		if reflect.ValueOf(d).IsZero() {
			s.Deploy = nil
		}
	}
	one := types.Project{Name: p.Name, Services: types.Services{name: s}}
	text, err := one.MarshalYAML()
	if err != nil {
		return err.Error() // the whole project was marshalled already
	}
	return string(text)
}

type service struct {
	name, image string   // the image as pinned
	platform    string   // of the image, when it is not the machine's
	mounted     []string // images whose files it mounts, as pinned
	replicas    int
	config      string // hash of the definition
	depends     map[string]types.ServiceDependency
	shares      []string // services whose namespaces or volumes it uses
	inside      []string // those whose namespaces it uses
	foreign     []string // containers that are not of the stack, whose namespaces or volumes it uses
	networks    []string // keys
	volumes     []string // keys
	binds       []string // paths on the machine
	writes      []string // those that it may write to
	wants       []exclusive
	onHost      bool // it has the machine's network
	ends        bool // it may be done
	completes   bool // another waits until it is done
}
