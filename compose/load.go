package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/paths"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

const (
	maxFile     = 8 << 20  // bytes of a file that is brought along
	maxTotal    = 64 << 20 // bytes of all that are
	maxFiles    = 2000
	metaKey     = "x-lab" // of compose.yaml: what the labels do not hold
	previousDir = ".prev" // the last stack that was healthy
)

// Load reads a stack. What it holds is validated as Compose does, and beyond: images must be pinned, nothing may be built or taken from an
// environment, no path may be one that is only here, and no secret may be where docker inspect shows it. All problems are reported at once, as
// [lab.Problems], except those that Compose's own loader finds, which stops at its first.
//
// What services mount of the folder comes along, to 8 MiB a file and 64 MiB in all. A file that is empty here, and mounted to be written to, is the
// service's, see [File].Seed; a folder that is mounted to be written to keeps the owner and the mode that the service gives it. What nobody but its owner
// may read here, private keys, and the sources of secrets are never shown.
func Load(ctx context.Context, s Source) (Stack, error) {
	l := &loading{source: s}
	if err := l.read(ctx); err != nil {
		return Stack{}, l.fail(err)
	}
	l.pinImages()
	l.checkServices()
	l.secrets()
	l.configs()
	l.dropOwners()
	l.mounts()
	if len(l.problems) > 0 {
		return Stack{}, l.fail(l.problems)
	}
	stack, err := l.stack()
	if err != nil {
		return Stack{}, l.fail(err)
	}
	if ps := stack.Validate(); len(ps) > 0 {
		return Stack{}, l.fail(ps)
	}
	return stack, nil
}

// loading is one Load.
type loading struct {
	opened
	source        Source
	project       *types.Project
	homes         map[string]bool   // folders here that ~ was taken for
	absolute      map[string]bool   // paths that are written so
	files         []File            // without those of the source
	origins       map[string]string // where each of the files is from, by its path in the stack's folder
	size          int64             // bytes of them
	secretSources []string          // files here that secrets are read from
	problems      lab.Problems
}

func (l *loading) add(path, hint, format string, args ...any) {
	l.problems = append(l.problems, lab.Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// read reads the compose.yaml.
func (l *loading) read(ctx context.Context) (err error) {
	l.homes, l.absolute, l.origins = map[string]bool{}, map[string]bool{}, map[string]string{}
	if l.opened, err = l.source.open(); err != nil {
		return err
	}
	details := types.ConfigDetails{WorkingDir: l.dir, ConfigFiles: l.opened.configs, Environment: types.Mapping(l.variables)}
	e := expander{}
	project, err := loader.LoadWithContext(ctx, details, loader.WithProfiles(l.source.Profiles), func(o *loader.Options) {
		o.SetProjectName(l.name, true)
		o.SkipResolveEnvironment = true // see environment
		if l.source.Dir == "" {
			o.SkipResolveLabels = true
			o.ResourceLoaders = append(o.ResourceLoaders, nowhere{})
		}
		o.Interpolate.Substitute = func(text string, values template.Mapping) (string, error) {
			e.lookup = values
			text = e.expand(text)
			switch source, _, _ := strings.Cut(text, ":"); {
			case strings.HasPrefix(text, "~"):
				l.homes[paths.ExpandUser(source)] = true
			case strings.HasPrefix(text, "/"):
				l.absolute[path.Clean(source)] = true
			}
			return text, nil
		}
	})
	slices.SortFunc(e.problems, func(a, b lab.Problem) int { return strings.Compare(a.Message, b.Message) })
	if len(e.problems) > 0 {
		return e.problems
	}
	if err != nil {
		return fmt.Errorf("%w: %w", lab.ErrInvalid, err)
	}
	l.project = project
	return nil
}

// pinImages replaces names of images by what the lock says.
func (l *loading) pinImages() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		at := "services." + name
		if s.Build != nil {
			l.add(at+".build", "build it elsewhere, push it and name it in image", "nothing is built on a machine")
		}
		if s.Image == "" {
			continue // Compose's own validation asks for one of both
		}
		pinned, err := l.source.Lock.pin(s.Image)
		if err != nil {
			l.add(at+".image", "write the digest into "+LockFile+" by: stack lock", "%v", err)
			continue
		}
		s.Image, s.PullPolicy = pinned, ""
		for i, v := range s.Volumes {
			if v.Type == types.VolumeTypeImage {
				if s.Volumes[i].Source, err = l.source.Lock.pin(v.Source); err != nil {
					l.add(fmt.Sprintf("%s.volumes[%d].source", at, i), "write the digest into "+LockFile+" by: stack lock", "%v", err)
				}
			}
		}
		l.project.Services[name] = s
	}
}

func (l *loading) checkServices() {
	for _, profile := range l.source.Profiles {
		if !slices.ContainsFunc(slices.Collect(maps.Values(l.project.AllServices())), func(s types.ServiceConfig) bool { return slices.Contains(s.Profiles, profile) }) {
			l.add("profiles", "", "no service has the profile %s", lab.Printable(profile))
		}
	}
	if len(l.project.Services) == 0 {
		l.add("services", "name one of their profiles", "there are none without a profile")
	}
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		at := "services." + name
		for _, c := range []struct {
			key, hint string
			is        bool
		}{
			{"provider", "", s.Provider != nil},
			{"models", "", len(s.Models) > 0},
			{"use_api_socket", "mount /var/run/docker.sock", s.UseAPISocket},
			{"external_links", "put both in a network that is external to one of them", len(s.ExternalLinks) > 0},
			{"pre_start", "write a service that ends, and depends_on it with service_completed_successfully", len(s.PreStart) > 0},
			{"credential_spec", "", s.CredentialSpec != nil},
		} {
			if c.is {
				l.add(at+"."+c.key, c.hint, "is not supported here")
			}
		}
		for _, mode := range [][2]string{{"network_mode", s.NetworkMode}, {"ipc", s.Ipc}, {"pid", s.Pid}} {
			if strings.HasPrefix(mode[1], "container:") {
				l.add(at+"."+mode[0], "put the other into this stack and write service:NAME", "is of a container that is not of the stack, and nothing tells when that is made anew")
			}
		}
		for i, from := range s.VolumesFrom {
			if strings.HasPrefix(from, "container:") {
				l.add(fmt.Sprintf("%s.volumes_from[%d]", at, i), "put the volumes into volumes, as external", "is of a container that is not of the stack")
			}
		}
		s.Environment = l.environment(at, s)
		s.EnvFiles, s.LabelFiles = nil, l.labelFiles(at, s)
		s.Develop = nil // it is for docker compose watch, and up does not look at it
		s.Profiles = nil
		l.project.Services[name] = s
		l.exposed(name, s)
		if others := l.waiting(name); len(others) > 0 && !ends(s) {
			l.add(at+".restart", `write restart: "no" or on-failure, without ports and healthcheck; or let them wait for service_started or service_healthy`, "is not done when it ends, and depends_on of %s waits until it is", strings.Join(others, ", "))
		}
		for _, k := range []string{labelConfig, labelFiles, labelFormat} {
			if _, ok := s.Labels[k]; ok {
				l.add(at+".labels."+k, "remove it", "the label is ours")
			}
		}
	}
	if len(l.project.Jobs) > 0 {
		l.add("jobs", "", "is not supported here")
	}
	if _, ok := l.project.Extensions[metaKey]; ok {
		l.add(metaKey, "rename it", "the key is ours")
	}
}

// labelFiles leaves nothing of label_file, which the loader has read where there is a folder.
func (l *loading) labelFiles(at string, s types.ServiceConfig) []string {
	if l.source.Dir == "" && len(s.LabelFiles) > 0 {
		l.add(at+".label_file", "write labels", "there is no folder that it could be read from")
	}
	return nil
}

// environment returns the variables of a service: those of its files, and over them its own.
func (l *loading) environment(at string, s types.ServiceConfig) types.MappingWithEquals {
	out := types.MappingWithEquals{}
	given := maps.Clone(l.variables)
	for i, f := range s.EnvFiles {
		place := fmt.Sprintf("%s.env_file[%d]", at, i)
		if l.source.Dir == "" {
			l.add(place, "write environment", "there is no folder that it could be read from")
			continue
		}
		b, err := readSmall(f.Path)
		if errors.Is(err, fs.ErrNotExist) && !bool(f.Required) {
			continue
		}
		if err != nil {
			l.add(place, "create the file; or write required: false, if it may be missing", "%s", l.shown(err))
			continue
		}
		name := f.Path
		if rel, ok := l.local(f.Path); ok {
			name = rel
		}
		values, ps := parseEnv(name, string(b), f.Format, given)
		l.problems = append(l.problems, ps...)
		for k, v := range values {
			given[k], out[k] = v, &v
		}
	}
	out.OverrideBy(s.Environment)
	if len(out) == 0 {
		return nil
	}
	return out
}

// stack returns what was loaded, in the form in which it is planned.
func (l *loading) stack() (Stack, error) {
	text, err := l.project.MarshalYAML()
	if err != nil {
		return Stack{}, err
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return Stack{}, err
	}
	// What a default means has changed between versions of Compose.
	for _, name := range l.project.ServiceNames() {
		mounts, _ := subtree(doc, "services", name, "volumes").([]any)
		for _, m := range mounts {
			if bind, ok := subtree(m, "bind").(map[string]any); ok && bind["create_host_path"] == nil {
				bind["create_host_path"] = true
			}
		}
	}
	for at, text := range texts(doc, "") {
		if l.dir != l.target && (text == l.dir || strings.Contains(text, l.dir+string(filepath.Separator))) {
			return Stack{}, lab.Problems{{Path: at, Message: "is a path that is only here", Hint: "write where it is on the machine"}}
		}
	}
	if ps := l.filledIn(doc); len(ps) > 0 {
		return Stack{}, ps
	}
	files := append(slices.Clone(l.files), l.source.Files...)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	st := Stack{Name: l.project.Name, Dir: l.target, Files: files, doc: doc}
	order, err := l.serviceOrder()
	if err != nil {
		return Stack{}, err
	}
	for _, name := range order {
		st.services = append(st.services, l.service(name))
	}
	for i, s := range st.services {
		st.services[i].completes = len(l.waiting(s.name)) > 0
	}
	for _, key := range l.project.NetworkNames() {
		n := l.project.Networks[key]
		st.networks = append(st.networks, network{key: key, name: n.Name, external: bool(n.External), config: hash(subtree(doc, "networks", key))})
	}
	for _, key := range l.project.VolumeNames() {
		v := l.project.Volumes[key]
		st.volumes = append(st.volumes, volume{key: key, name: v.Name, external: bool(v.External), driver: v.Driver, options: v.DriverOpts})
	}
	return st, nil
}

func (l *loading) service(name string) service {
	s := l.project.Services[name]
	out := service{name: name, image: s.Image, platform: s.Platform, replicas: s.GetScale(), config: hash(subtreeOf(l.project, name)), depends: map[string]types.ServiceDependency{}}
	for d, c := range s.DependsOn {
		out.depends[d] = c
	}
	for _, mode := range []string{s.NetworkMode, s.Ipc, s.Pid} {
		if other, ok := strings.CutPrefix(mode, "service:"); ok {
			out.inside = append(out.inside, other)
		}
	}
	out.shares = slices.Clone(out.inside)
	for _, from := range s.VolumesFrom {
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
	slices.Sort(out.networks)
	slices.Sort(out.volumes)
	out.ends = ends(s)
	return out
}

// ends tells whether a service is done when it ends well: one that is not started again then.
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

// subtreeOf returns the service as a document, for its hash. How many containers it has is not of what each is made from.
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

// serviceOrder returns the services so that each comes after those it depends on, and otherwise in alphabetical order.
func (l *loading) serviceOrder() ([]string, error) {
	names := l.project.ServiceNames()
	order, cycle := dag.Sort(len(names), func(n int) (after []int) {
		for _, d := range slices.Sorted(maps.Keys(l.project.Services[names[n]].DependsOn)) {
			if m := slices.Index(names, d); m >= 0 {
				after = append(after, m)
			}
		}
		return after
	})
	if cycle != nil {
		return nil, fmt.Errorf("%w: a cycle of depends_on through %s", lab.ErrInvalid, names[cycle[0]])
	}
	out := make([]string, len(order))
	for i, n := range order {
		out[i] = names[n]
	}
	return out, nil
}
