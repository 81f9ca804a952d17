package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Source is a stack as its author wrote it: a compose.yaml (compose-spec.io) and what lies beside it. Nothing of it is taken from the
// environment of this program.
type Source struct {
	Name string // of the project; empty means the name in the compose.yaml, or else that of the folder
	Dir  string // the folder here; empty when the stack is made of Content and Files alone, and then nothing is read

	// File is the name of the compose.yaml in Dir, and in messages; empty means compose.yaml. Content is its content; nil means that it
	// is read.
	File    string
	Content []byte

	// Variables are what ${NAME} stands for. One that is not among them and has no default is an error.
	Variables map[string]string

	// Secrets are values of the secrets of the compose.yaml, by their names there, for those whose file is not beside it.
	Secrets map[string]lab.Secret

	Files []File // more files of the stack; those in Dir that a service mounts need not be named
	Lock  Lock   // which images the names stand for

	// PlainEnvironment names variables, as SERVICE.NAME, that look like a secret and are none. A secret in the environment of a container is
	// shown by docker inspect, so that it is refused.
	PlainEnvironment []string

	// Target is the stack's folder on the machine; empty means /opt/stacks/NAME.
	Target string
}

const (
	composeFile = "compose.yaml"
	stacksDir   = "/opt/stacks"
	maxFile     = 8 << 20 // bytes of a file that is brought along
	maxFiles    = 2000
	metaKey     = "x-lab" // of compose.yaml: what the labels do not hold
	previousDir = ".prev" // the last stack that was healthy
	projectRule = "lowercase letters, digits, - and _, a letter or digit first"
)

var projectPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// Load reads a stack. What it holds is validated as Compose does, and beyond: images must be pinned, nothing may be built or taken from an
// environment, and no secret may be where docker inspect shows it. All problems are reported at once, as [lab.Problems], except those that
// Compose's own loader finds, which stops at its first.
func Load(ctx context.Context, s Source) (Stack, error) {
	file := s.File
	if file == "" {
		file = composeFile
	}
	fail := func(err error) (Stack, error) {
		var ps lab.Problems
		if errors.As(err, &ps) {
			for i := range ps {
				ps[i].File = file
			}
			return Stack{}, ps
		}
		return Stack{}, &lab.Error{Op: "load stack", Path: file, Err: err}
	}
	l := &loading{source: s}
	if err := l.read(ctx, file); err != nil {
		return fail(err)
	}
	l.pinImages()
	l.checkServices()
	l.secrets()
	l.configs()
	l.dropOwners()
	l.mounts()
	if len(l.problems) > 0 {
		return fail(l.problems)
	}
	stack, err := l.stack()
	if err != nil {
		return fail(err)
	}
	if ps := stack.Check(); len(ps) > 0 {
		return fail(ps)
	}
	return stack, nil
}

// loading is one Load.
type loading struct {
	source   Source
	dir      string // absolute, here
	target   string // on the machine
	project  *types.Project
	files    []File
	problems lab.Problems
}

func (l *loading) add(path, hint, format string, args ...any) {
	l.problems = append(l.problems, lab.Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// read reads the compose.yaml.
func (l *loading) read(ctx context.Context, file string) error {
	content, name := l.source.Content, l.source.Name
	if l.source.Dir != "" {
		var err error
		if l.dir, err = filepath.Abs(l.source.Dir); err != nil {
			return err
		}
		if content == nil {
			if content, err = os.ReadFile(filepath.Join(l.dir, file)); err != nil {
				return err
			}
		}
	}
	if name == "" {
		var err error
		if name, err = nameOf(content, l.dir); err != nil {
			return err
		}
	}
	if !projectPattern.MatchString(name) {
		return lab.Problems{{Path: "name", Text: name, Message: "is not the name of a project: " + projectRule}}
	}
	if l.target = l.source.Target; l.target == "" {
		l.target = path.Join(stacksDir, name)
	}
	if l.dir == "" {
		l.dir = l.target
	}
	unset := map[string]bool{}
	details := types.ConfigDetails{
		WorkingDir:  l.dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(l.dir, file), Content: content}},
		Environment: types.Mapping(maps.Clone(l.source.Variables)),
	}
	if details.Environment == nil {
		details.Environment = types.Mapping{}
	}
	project, err := loader.LoadWithContext(ctx, details, loader.WithDiscardEnvFiles, func(o *loader.Options) {
		o.SetProjectName(name, true)
		alone := l.source.Dir == ""
		o.SkipInclude, o.SkipResolveEnvironment, o.SkipResolveLabels = alone, alone, alone
		o.Interpolate.Substitute = func(text string, values template.Mapping) (string, error) {
			text, nested := innermost(text, values)
			for _, part := range nested {
				unset[part] = true
			}
			return template.SubstituteWithOptions(text, values, template.WithoutLogging, template.WithReplacementFunction(
				func(part string, values template.Mapping, c *template.Config) (string, error) {
					v, set, err := template.DefaultReplacementAppliedFunc(part, values, c)
					if !set && err == nil {
						unset[part] = true
					}
					return v, err
				}))
		}
	})
	for _, part := range slices.Sorted(maps.Keys(unset)) {
		l.problems = append(l.problems, lab.Problem{Message: lab.Printable(part) + " is not set, and has no default", Hint: "pass the variable, or write ${NAME:-default}; write $$ for a dollar sign"})
	}
	if len(l.problems) > 0 {
		return l.problems
	}
	if err != nil {
		return fmt.Errorf("%w: %w", lab.ErrInvalid, err)
	}
	l.project = project
	return nil
}

var nestedVariable = regexp.MustCompile(`(\$\{([A-Za-z_][A-Za-z0-9_]*)[^{}$]*)\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// innermost fills in the variables that are defaults of others, "${A:-${B}}", and returns those that are needed and not set. Compose's own
// substitution would print a warning to this program's standard error.
func innermost(text string, values template.Mapping) (string, []string) {
	var unset []string
	for nestedVariable.MatchString(text) {
		text = nestedVariable.ReplaceAllStringFunc(text, func(part string) string {
			m := nestedVariable.FindStringSubmatch(part)
			v, ok := values(m[3])
			if _, outer := values(m[2]); !ok && !outer {
				unset = append(unset, "${"+m[3]+"}")
			}
			return m[1] + strings.NewReplacer("$", "$$", "}", "").Replace(v)
		})
	}
	return text, unset
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
		l.project.Services[name] = s
	}
}

var secretName = regexp.MustCompile(`(?i)(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|PRIVATE_KEY|SECRET_KEY|API_KEY|APIKEY|CREDENTIALS?|WEBPASSWORD)$`)

func (l *loading) checkServices() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		at := "services." + name
		for key, is := range map[string]bool{"provider": s.Provider != nil, "models": len(s.Models) > 0, "use_api_socket": s.UseAPISocket, "external_links": len(s.ExternalLinks) > 0} {
			if is {
				l.add(at+"."+key, "", "is not supported here")
			}
		}
		if l.source.Dir == "" && len(s.EnvFiles)+len(s.LabelFiles) > 0 {
			l.add(at+".env_file", "write environment and labels", "there is no folder that it could be read from")
		}
		for _, k := range slices.Sorted(maps.Keys(s.Environment)) {
			v, place := s.Environment[k], at+".environment."+k
			switch {
			case v == nil:
				l.add(place, "give it a value", "it would be taken from the machine's environment")
			case *v != "" && secretName.MatchString(k) && !slices.Contains(l.source.PlainEnvironment, name+"."+k):
				l.add(place, "use a secret of the compose.yaml and "+k+"_FILE; if the value is no secret, name it in PlainEnvironment", "docker inspect would show the secret to everybody who may use docker")
			}
		}
		if others := l.waiting(name); len(others) > 0 && !ends(s) {
			l.add(at+".restart", `write restart: "no" or on-failure; or let them wait for service_started or service_healthy`, "is started again whenever it ends, and depends_on of %s waits until it is done", strings.Join(others, ", "))
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
}

// local returns where a path that the loader made absolute lies in the stack's folder, when it does.
func (l *loading) local(p string) (rel string, ok bool) {
	r, err := filepath.Rel(l.dir, p)
	if err != nil || r == ".." || strings.HasPrefix(r, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(r), true
}

// owners returns who must be able to read the secret or config in the containers: the numbers that the services ask for.
func (l *loading) owners(name string, of func(types.ServiceConfig) []types.FileReferenceConfig) (uid, gid string, mode host.Mode) {
	for _, service := range l.project.ServiceNames() {
		for _, ref := range of(l.project.Services[service]) {
			if ref.Source != name {
				continue
			}
			if uid != "" && ref.UID != "" && uid != ref.UID {
				l.add("services."+service, "make a secret for each", "%s is wanted for two different users", name)
			}
			if ref.UID != "" {
				uid = ref.UID
			}
			if ref.GID != "" {
				gid = ref.GID
			}
			if ref.Mode != nil {
				mode = host.Mode(*ref.Mode)
			}
		}
	}
	return uid, gid, mode
}

// dropOwners removes from the services' references what the files on the machine have: Compose itself cannot give it, and warns.
func (l *loading) dropOwners() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		for i := range s.Secrets {
			s.Secrets[i].UID, s.Secrets[i].GID, s.Secrets[i].Mode = "", "", nil
		}
		for i := range s.Configs {
			s.Configs[i].UID, s.Configs[i].GID, s.Configs[i].Mode = "", "", nil
		}
		l.project.Services[name] = s
	}
}

func serviceSecrets(s types.ServiceConfig) (refs []types.FileReferenceConfig) {
	for _, r := range s.Secrets {
		refs = append(refs, types.FileReferenceConfig(r))
	}
	return refs
}

func serviceConfigs(s types.ServiceConfig) (refs []types.FileReferenceConfig) {
	for _, r := range s.Configs {
		refs = append(refs, types.FileReferenceConfig(r))
	}
	return refs
}

// secrets makes files of the secrets.
func (l *loading) secrets() {
	for _, name := range l.project.SecretNames() {
		s := l.project.Secrets[name]
		at := "secrets." + name
		value, given := l.source.Secrets[name]
		switch {
		case bool(s.External):
			l.add(at, "make it a file", "external secrets are of Docker Swarm")
			continue
		case s.Environment != "" && !given:
			l.add(at+".environment", "pass the value, or make it a file", "nothing is taken from the environment")
			continue
		case !given && l.source.Dir != "" && s.File != "":
			b, err := readSmall(s.File)
			if err != nil {
				l.add(at, "create the file with mode 0600, or pass the value", "%v", err)
				continue
			}
			value = lab.NewSecret(string(b))
		case !given:
			l.add(at, "pass the value", "it has no value")
			continue
		}
		if value.IsZero() {
			l.add(at, "give it a value", "it is empty")
			continue
		}
		uid, gid, mode := l.owners(name, serviceSecrets)
		f := File{Path: "secrets/" + name, Secret: value, Owner: uid, Group: gid, Mode: mode}
		l.files = append(l.files, f)
		s.File, s.Environment, s.Content = path.Join(l.target, f.Path), "", ""
		l.project.Secrets[name] = s
	}
	for name := range l.source.Secrets {
		if _, ok := l.project.Secrets[name]; !ok {
			l.add("secrets."+name, "", "a value is given for a secret that the compose.yaml does not have")
		}
	}
}

// configs makes files of the configs, those with their content in the compose.yaml too.
func (l *loading) configs() {
	for _, name := range l.project.ConfigNames() {
		c := l.project.Configs[name]
		at := "configs." + name
		uid, gid, mode := l.owners(name, serviceConfigs)
		f := File{Path: "configs/" + name, Content: c.Content, Owner: uid, Group: gid, Mode: mode}
		switch {
		case bool(c.External):
			l.add(at, "make it a file", "external configs are of Docker Swarm")
			continue
		case c.Environment != "":
			l.add(at+".environment", "make it a file, or write content", "nothing is taken from the environment")
			continue
		case c.File != "":
			rel, ok := l.local(c.File)
			if !ok {
				l.add(at+".file", "move it beside the compose.yaml", "is not in the stack's folder")
				continue
			}
			if i := slices.IndexFunc(l.source.Files, func(f File) bool { return f.Path == rel }); i >= 0 {
				c.File = path.Join(l.target, rel)
				l.project.Configs[name] = c
				continue
			}
			b, err := readSmall(c.File)
			if err != nil || l.source.Dir == "" {
				l.add(at+".file", "", "%v", errors.Join(err, fs.ErrNotExist))
				continue
			}
			f.Content = string(b)
		}
		l.files = append(l.files, f)
		c.File, c.Content = path.Join(l.target, f.Path), ""
		l.project.Configs[name] = c
	}
}

// mounts moves bind mounts of what is in the stack's folder to the folder on the machine, and brings the files along that are there.
func (l *loading) mounts() {
	have := map[string]bool{}
	for _, f := range append(slices.Clone(l.files), l.source.Files...) {
		have[f.Path] = true
	}
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		for i, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			rel, ok := l.local(v.Source)
			if !ok {
				if l.source.Dir != "" && strings.HasPrefix(v.Source, filepath.Dir(l.dir)+string(filepath.Separator)) {
					l.add(fmt.Sprintf("services.%s.volumes[%d]", name, i), "move it into the folder, or write where it is on the machine", "%s is beside the stack's folder", filepath.Base(v.Source))
				}
				continue // a path of the machine
			}
			if l.source.Dir != "" {
				if err := l.bring(v.Source, have); err != nil {
					l.add(fmt.Sprintf("services.%s.volumes[%d]", name, i), "", "%v", err)
				}
			}
			v.Source = path.Join(l.target, rel)
			s.Volumes[i] = v
		}
		l.project.Services[name] = s
	}
	l.files = append(l.files, l.source.Files...)
}

// bring reads a file, or the files in a folder, that a service mounts. What is not here is made by the service, on the machine.
func (l *loading) bring(source string, have map[string]bool) error {
	return filepath.WalkDir(source, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == source {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := l.local(p) // it is below a path that is local
		if have[rel] {
			return nil
		}
		have[rel] = true
		if len(have) > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		st, err := os.Stat(p)
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", rel)
		}
		b, err := readSmall(p)
		if err != nil {
			return err
		}
		mode := host.Mode(0o644)
		if st.Mode()&0o111 != 0 {
			mode = 0o755
		}
		l.files = append(l.files, File{Path: rel, Content: string(b), Mode: mode})
		return nil
	})
}

func readSmall(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", filepath.Base(file), maxFile>>20)
	}
	return os.ReadFile(file)
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
	slices.SortFunc(l.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	st := Stack{Name: l.project.Name, Dir: l.target, Files: l.files, doc: doc}
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
	out := service{name: name, image: s.Image, replicas: s.GetScale(), config: hash(subtreeOf(l.project, name)), depends: map[string]types.ServiceDependency{}}
	for d, c := range s.DependsOn {
		out.depends[d] = c
	}
	for _, mode := range []string{s.NetworkMode, s.Ipc, s.Pid} {
		if other, ok := strings.CutPrefix(mode, "service:"); ok {
			out.shares = append(out.shares, other)
		}
	}
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
		case types.VolumeTypeVolume:
			out.volumes = append(out.volumes, v.Source)
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
	return policy == "" || policy == "no" || policy == "on-failure" || policy == "none"
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
	var out []string
	state := map[string]int{}
	var place func(name string) error
	place = func(name string) error {
		switch state[name] {
		case 1:
			return fmt.Errorf("%w: a cycle of depends_on through %s", lab.ErrInvalid, name)
		case 2:
			return nil
		}
		state[name] = 1
		s := l.project.Services[name]
		for _, d := range slices.Sorted(maps.Keys(s.DependsOn)) {
			if _, ok := l.project.Services[d]; ok {
				if err := place(d); err != nil {
					return err
				}
			}
		}
		state[name] = 2
		out = append(out, name)
		return nil
	}
	for _, name := range l.project.ServiceNames() {
		if err := place(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}
