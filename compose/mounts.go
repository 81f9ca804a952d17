package compose

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

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
			if (ref.UID+ref.GID) != "" && !digits.MatchString(ref.UID+ref.GID) {
				l.add("services."+service, "write numbers", "%s is wanted for %s, and names of a container are not those of the machine", name, lab.Printable(strings.Trim(ref.UID+", "+ref.GID, ", ")))
			}
			other := func(a, b string) bool { return a != "" && b != "" && a != b }
			if other(uid, ref.UID) || other(gid, ref.GID) || mode != 0 && ref.Mode != nil && mode != host.Mode(*ref.Mode) {
				l.add("services."+service, "make one for each", "%s is wanted with two different users, groups or modes", name)
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

var digits = regexp.MustCompile(`^[0-9]+$`)

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
		if v, ok := l.variables[s.Environment]; ok && !given {
			value, given = lab.NewSecret(v), true
		}
		origin := s.File
		if origin != "" {
			l.secretSources = append(l.secretSources, origin)
		}
		if s.Driver != "" || s.TemplateDriver != "" {
			l.add(at, "make it a file", "drivers of secrets are of Docker Swarm")
		}
		switch {
		case bool(s.External):
			l.add(at, "make it a file", "external secrets are of Docker Swarm")
			continue
		case s.Environment != "" && !given:
			l.add(at+".environment", "pass the value, or the variable; or make it a file", "nothing is taken from the environment")
			continue
		case !given && l.source.Dir != "" && s.File != "":
			b, err := readSmall(s.File)
			if err != nil {
				l.add(at, "create the file with mode 0600, or pass the value", "%s", l.shown(err))
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
		if err := l.keep(origin, f); err != nil {
			l.add(at, "", "%v", err)
		}
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
		origin := c.File
		if c.Driver != "" || c.TemplateDriver != "" {
			l.add(at, "make it a file", "drivers of configs are of Docker Swarm")
		}
		switch {
		case bool(c.External):
			l.add(at, "make it a file", "external configs are of Docker Swarm")
			continue
		case c.Environment != "":
			v, ok := l.variables[c.Environment]
			if !ok {
				l.add(at+".environment", "pass the variable, make it a file, or write content", "nothing is taken from the environment")
				continue
			}
			f.Content, c.Environment = v, ""
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
				l.add(at+".file", "create the file", "%s", l.shown(cmp.Or(err, fs.ErrNotExist)))
				continue
			}
			st, err := os.Stat(c.File)
			if err != nil {
				l.add(at+".file", "", "%s", l.shown(err))
				continue
			}
			brought := l.brought(c.File, string(b), st.Mode())
			f.Content, f.Secret = brought.Content, brought.Secret
			if f.Mode == 0 && !f.Secret.IsZero() {
				f.Mode, f.mounted = brought.Mode, true
			}
		}
		if l.secretVariable(f.Content) != "" {
			f.Content, f.Secret = "", lab.NewSecret(f.Content)
		}
		if err := l.keep(origin, f); err != nil {
			l.add(at, "", "%v", err)
		}
		c.File, c.Content = path.Join(l.target, f.Path), ""
		l.project.Configs[name] = c
	}
}

// mounts moves bind mounts of what is in the stack's folder to the folder on the machine, and brings the files along that are there.
func (l *loading) mounts() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		for i, v := range s.Volumes {
			at := fmt.Sprintf("services.%s.volumes[%d]", name, i)
			switch v.Type {
			case types.VolumeTypeBind:
			case types.VolumeTypeVolume, types.VolumeTypeTmpfs, types.VolumeTypeImage:
				continue
			default:
				l.add(at+".type", "", "%s is not supported here", lab.Printable(v.Type))
				continue
			}
			rel, ok := l.local(v.Source)
			switch {
			case l.homes[v.Source]:
				l.add(at, "write the path on the machine", "~ is the home of who runs this, and of nobody on the machine")
				continue
			case !ok:
				if l.source.Dir != "" && !l.absolute[path.Clean(v.Source)] {
					l.add(at, "move it into the folder, or write where it is on the machine", "%s is not in the stack's folder", filepath.Base(v.Source))
				}
				continue // a path of the machine
			case rel == ".":
				l.add(at, "move what the service needs into a folder of it, and mount that", "is the stack's folder itself, with its compose.yaml and its secrets")
				continue
			}
			if err := l.bring(v.Source); err != nil {
				l.add(at, "what is not meant for the machine, move out of it; what is there already, name by its path there", "%s", l.shown(err))
			}
			if !v.ReadOnly {
				l.seed(rel, v.Source)
			}
			if ext := path.Ext(rel); !l.has(rel) && ext != "" && ext != ".d" && ext != path.Base(rel) && ext == path.Ext(v.Target) {
				l.add(at, "create the file; or, if it is made on the machine, write its path there", "%s is not here, and Docker would make a folder of it", rel)
			}
			s.Volumes[i].Source = path.Join(l.target, rel)
		}
		l.project.Services[name] = s
	}
	for _, key := range l.project.VolumeNames() {
		// The loader takes such a device for a path here.
		v := l.project.Volumes[key]
		if secretOption.MatchString(v.DriverOpts["o"]) {
			l.add("volumes."+key+".driver_opts.o", "mount the share on the machine, with a file of credentials, and mount its folder", "holds a password, and docker volume inspect would show it to everybody who may use docker")
		}
		if l.source.Dir != "" {
			if _, ok := l.local(v.DriverOpts["device"]); ok || l.homes[v.DriverOpts["device"]] {
				l.add("volumes."+key+".driver_opts.device", "mount the folder itself, or write where it is on the machine", "is a path that is only here")
			}
		}
	}
}

// seed leaves a file that is empty here, and mounted to be written to, to its service: what that has written is not to be emptied at the next run.
func (l *loading) seed(rel, source string) {
	i := slices.IndexFunc(l.files, func(f File) bool { return f.Path == rel })
	if i < 0 || l.files[i].content() != "" {
		return
	}
	l.files[i].IfAbsent = true
	if st, err := os.Stat(source); err == nil && st.Mode().Perm()&0o077 == 0 {
		l.files[i].Mode &= 0o700
	}
}

// has reports whether the stack has the file, or files in the folder.
func (l *loading) has(rel string) bool {
	return slices.ContainsFunc(append(slices.Clone(l.files), l.source.Files...), func(f File) bool { return f.Path == rel || strings.HasPrefix(f.Path, rel+"/") })
}

// bring reads a file, or the files in a folder, that a service mounts. What is not here is made by the service, on the machine.
func (l *loading) bring(source string) error {
	if l.source.Dir == "" {
		return nil
	}
	return filepath.WalkDir(source, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == source {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := l.local(p) // it is below a path that is local
		if slices.ContainsFunc(l.source.Files, func(f File) bool { return f.Path == rel }) {
			return nil
		}
		if origin, ok := l.origins[rel]; ok {
			if origin != p {
				return fmt.Errorf("%w: %s is where a secret or config of another content is put on the machine: rename one of them", lab.ErrConflict, rel)
			}
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if err := l.inside(p); err != nil {
				return err
			}
		}
		st, err := os.Stat(p)
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%w: %s is not a regular file", lab.ErrInvalid, rel)
		}
		b, err := readSmall(p)
		if err != nil {
			return err
		}
		f := l.brought(p, string(b), st.Mode())
		f.Path = rel
		return l.keep(p, f)
	})
}

// keep takes a file that is from a place here.
func (l *loading) keep(origin string, f File) error {
	l.origins[f.Path] = origin
	l.files = append(l.files, f)
	if l.size += int64(len(f.content())); l.size > maxTotal || len(l.files) > maxFiles {
		return fmt.Errorf("%w: more than %d files or %d MiB are mounted; put them on the machine by other means, and write their path there", lab.ErrInvalid, maxFiles, maxTotal>>20)
	}
	return nil
}

// inside returns an error for a link that leads out of the stack's folder.
func (l *loading) inside(link string) error {
	to, err := filepath.EvalSymlinks(link)
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(dir, to); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%w: the link %s leads out of the stack's folder: put the file in its place", lab.ErrInvalid, filepath.Base(link))
	}
	return nil
}

// brought returns a file that is mounted. What nobody else may read here is not shown, and neither is a private key, whose mode is lost in a repository.
// Modes are those of an ordinary umask, whatever it is here: containers read the files as anybody.
func (l *loading) brought(p, content string, mode fs.FileMode) File {
	f := File{Mode: 0o644, mounted: true}
	if mode&0o111 != 0 {
		f.Mode = 0o755
	}
	secret := p == filepath.Join(l.dir, envFile) || slices.Contains(l.secretSources, p)
	private, key := mode.Perm()&0o077 == 0, privateKey.MatchString(content)
	if secret || private && key {
		f.Mode &= 0o700
	}
	if secret || private || key {
		f.Secret = lab.NewSecret(content)
	} else {
		f.Content = content
	}
	return f
}

var privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// shown returns an error without the path of the folder here.
func (l *loading) shown(err error) string {
	return strings.ReplaceAll(err.Error(), l.dir+string(filepath.Separator), "")
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
