package compose

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
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

	stageDir = ".prev.tmp" // a temporary directory of what is moved into the stack's directory
)

// Load reads a stack. What it holds is validated as Compose does, and beyond: images must be
// pinned, nothing may be built or taken from an environment, no path may be one that is only here,
// and no secret may be where docker inspect shows it. All problems are reported at once, as
// [lab.Problems], except those that Compose's own loader finds, which stops at its first.
//
// What services mount of the directory comes along, to 8 MiB a file and 64 MiB in all. A file that
// is empty here, and mounted to be written to, is the service's, see [File].IfAbsent; a directory
// that is mounted to be written to keeps the owner and the mode that the service gives it, and so do
// the files in it and one that is mounted by itself, whose content is kept as it is here. What
// nobody but its owner may read here, private keys, and the sources of secrets are never shown.
func Load(ctx context.Context, s Source) (Stack, error) {
	l := &loading{source: s}
	if err := l.read(ctx); err != nil {
		return Stack{}, l.fail(err)
	}
	var err error
	if l.source.Lock, err = s.lock(); err != nil {
		return Stack{}, err
	}
	l.pinImages()
	l.validateServices()
	l.secrets()
	l.configs()
	l.dropOwners()
	l.mounts()
	l.seccomp()
	l.validateExclusive()
	l.validateSubnets()
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
	homes         map[string]bool   // directories here that ~ was taken for
	absolute      map[string]bool   // paths that are written so
	files         []File            // without those of the source
	origins       map[string]string // where each of the files is from, by its path in the stack's directory
	size          int64             // bytes of them
	named         map[string]bool   // see words
	secretSources []string          // files here that secrets are read from
	included      []string          // compose files here that others include or extend
	problems      lab.Problems
}

// add adds a problem, and returns it for more to be said about it at once.
func (l *loading) add(path, hint, format string, args ...any) *lab.Problem {
	l.problems = append(l.problems, lab.Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
	return &l.problems[len(l.problems)-1]
}

// warn is the same for a warning.
func (l *loading) warn(path, hint, format string, args ...any) *lab.Problem {
	l.warnings = append(l.warnings, lab.Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
	return &l.warnings[len(l.warnings)-1]
}

// read reads the compose.yaml.
func (l *loading) read(ctx context.Context) (err error) {
	l.homes, l.absolute, l.origins = map[string]bool{}, map[string]bool{}, map[string]string{}
	if l.opened, err = l.source.open(); err != nil {
		return err
	}
	details := types.ConfigDetails{WorkingDir: l.dir, ConfigFiles: l.opened.configs,
		Environment: types.Mapping(l.variables)}
	e := expander{hollow: l.hollow}
	profiles := l.source.Profiles
	if profiles == nil {
		profiles = l.opened.profiles
	}
	project, err := loader.LoadWithContext(ctx, details, loader.WithProfiles(profiles),
		func(o *loader.Options) {
			o.SetProjectName(l.name, true)
			o.SkipResolveEnvironment = true // see environment
			if l.source.Dir == "" {
				o.SkipResolveLabels = true
				o.ResourceLoaders = append(o.ResourceLoaders, nowhere{})
			} else {
				o.ResourceLoaders = append(o.ResourceLoaders, recorder{l})
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
	l.judge(e.found)
	if len(l.problems) > 0 {
		return l.problems
	}
	if err != nil && len(l.warnings) > 0 { // one of them may be why
		return append(l.warnings, lab.Problem{Message: l.foreign(err).Error()})
	}
	if err != nil {
		return l.foreign(err)
	}
	l.project = project
	l.named = l.words()
	return nil
}

// pinImages replaces names of images by what the lock says.
func (l *loading) pinImages() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		at := "services." + name
		switch {
		case s.Image == "" && s.Build != nil:
			l.add(at+".build", "build it elsewhere, push it, and name it in image, here or in an override file",
				"nothing is built on a machine")
			continue
		case s.Build != nil:
			l.warn(at+".build", "", "has no effect here: the image that is pinned is pulled, and nothing is built")
			s.Build = nil
		case s.Image == "":
			continue // Compose's own validation asks for one of both
		}
		pinned, err := l.source.Lock.pin(s.Image)
		if err != nil {
			l.add(at+".image", "write the digest into "+LockFile, "%v", err).Set = lab.Setting{Name: SettingLock}
			continue
		}
		s.Image, s.PullPolicy = pinned, ""
		for i, v := range s.Volumes {
			if v.Type == types.VolumeTypeImage {
				if s.Volumes[i].Source, err = l.source.Lock.pin(v.Source); err != nil {
					l.add(fmt.Sprintf("%s.volumes[%d].source", at, i),
						"write the digest into "+LockFile, "%v", err).Set = lab.Setting{Name: SettingLock}
				}
			}
		}
		l.project.Services[name] = s
	}
}

// validateServices reports what is not supported of the services, and reads the rest of what they
// are made of.
func (l *loading) validateServices() {
	all := slices.Collect(maps.Values(l.project.AllServices()))
	unknown := func(profile string) bool {
		return !slices.ContainsFunc(all, func(s types.ServiceConfig) bool { return slices.Contains(s.Profiles, profile) })
	}
	for _, profile := range l.source.Profiles {
		if unknown(profile) && profile != "*" {
			l.add("profiles", "", "no service has the profile %s", lab.Printable(profile))
		}
	}
	for _, profile := range l.opened.profiles {
		if l.source.Profiles == nil && unknown(profile) && profile != "*" {
			l.warn("profiles", "", "no service has the profile %s of %s", lab.Printable(profile), envFile)
		}
	}
	if len(l.project.Services) == 0 {
		l.add("services", "name one of their profiles", "there are none without a profile")
	}
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		at := "services." + name
		l.unsupported(at, s)
		s.Environment = l.environment(at, s)
		s.EnvFiles, s.LabelFiles = nil, l.labelFiles(at, s)
		s.Develop = nil // it is for docker compose watch, and up does not look at it
		s.Profiles = nil
		l.project.Services[name] = s
		l.exposed(name, s)
		if others := l.waiting(name); len(others) > 0 && !ends(s) {
			l.add(at+".restart", `write restart: "no" or on-failure, without ports and healthcheck; `+
				"or let them wait for service_started or service_healthy",
				"is not done when it ends, and depends_on of %s waits until it is", strings.Join(others, ", "))
		}
		for _, k := range []string{labelConfig, labelFiles, labelSalt, labelFormat} {
			if _, ok := s.Labels[k]; ok {
				l.add(at+".labels."+k, "remove it", "the label is ours")
			}
		}
	}
	if len(l.project.Jobs) > 0 {
		l.add("jobs", "write a service that ends", "is not supported here")
	}
	if _, ok := l.project.Extensions[metaKey]; ok {
		l.add(metaKey, "rename it", "the key is ours")
	}
}

// unsupported reports keys of a service that cannot be kept.
func (l *loading) unsupported(at string, s types.ServiceConfig) {
	for _, c := range []struct {
		key, hint string
		is        bool
	}{
		{"provider", "remove it, and run what it provides as a service", s.Provider != nil},
		{"models", "remove it, and run the model as a service", len(s.Models) > 0},
		{"use_api_socket", "mount /var/run/docker.sock", s.UseAPISocket},
		{"external_links", "put both in a network that is external to one of them", len(s.ExternalLinks) > 0},
		{"pre_start", "write a service that ends, and depends_on it with service_completed_successfully",
			len(s.PreStart) > 0},
		{"credential_spec", "remove it: it is of containers of Windows", s.CredentialSpec != nil},
	} {
		if c.is {
			l.add(at+"."+c.key, c.hint, "is not supported here")
		}
	}
	for _, mode := range [][2]string{{"network_mode", s.NetworkMode}, {"ipc", s.Ipc}, {"pid", s.Pid}} {
		if strings.HasPrefix(mode[1], "container:") {
			l.warn(at+"."+mode[0], "put the other into this stack and write service:NAME",
				"is of a container that is not of the stack: whenever that is recreated, apply the stack again")
		}
	}
	for i, from := range s.VolumesFrom {
		if strings.HasPrefix(from, "container:") {
			l.warn(fmt.Sprintf("%s.volumes_from[%d]", at, i), "put the volumes into volumes, as external",
				"is of a container that is not of the stack: whenever that is recreated, apply the stack again")
		}
	}
	if s.Logging != nil {
		for _, k := range slices.Sorted(maps.Keys(s.Logging.Options)) {
			if v := s.Logging.Options[k]; strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") {
				l.add(at+".logging.options."+k, "write where it is on the machine",
					"is a path that is only here: Docker reads it, in no directory of the stack")
			}
		}
	}
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
			return Stack{}, lab.Problems{{Path: at, Message: "is a path that is only here",
				Hint: "write where it is on the machine"}}
		}
	}
	if ps := l.filledIn(doc); len(ps) > 0 {
		return Stack{}, ps
	}
	files := append(slices.Clone(l.files), l.source.Files...)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	st := Stack{Name: l.project.Name, Dir: l.target, Files: files, Warnings: l.located(), doc: doc, named: l.named,
		plain: l.source.PlainEnvironment, salt: newSalt()}
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
		st.networks = append(st.networks,
			network{key: key, name: n.Name, external: bool(n.External), config: hash(subtree(doc, "networks", key)),
				fixed: len(n.Ipam.Config)+len(n.DriverOpts) > 0, subnets: subnets(n)})
	}
	for _, key := range l.project.VolumeNames() {
		v := l.project.Volumes[key]
		st.volumes = append(st.volumes, volume{key: key, name: v.Name, external: bool(v.External), driver: v.Driver,
			options: v.DriverOpts})
	}
	return st, nil
}

// serviceOrder returns the services so that each comes after those it depends on, and otherwise in
// alphabetical order.
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
