package compose

import (
	"path"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// owners returns who must be able to read the secret or config in the containers: the numbers that
// the services ask for.
func (l *loading) owners(
	name string, of func(types.ServiceConfig) []types.FileReferenceConfig,
) (uid, gid string, mode host.Mode) {
	for _, service := range l.project.ServiceNames() {
		for _, ref := range of(l.project.Services[service]) {
			if ref.Source != name {
				continue
			}
			if (ref.UID+ref.GID) != "" && !digits.MatchString(ref.UID+ref.GID) {
				l.add("services."+service, "write numbers",
					"%s is wanted for %s, and names of a container are not those of the machine", name,
					lab.Printable(strings.Trim(ref.UID+", "+ref.GID, ", ")))
			}
			other := func(a, b string) bool { return a != "" && b != "" && a != b }
			otherMode := mode != 0 && ref.Mode != nil && mode != host.Mode(*ref.Mode)
			if other(uid, ref.UID) || other(gid, ref.GID) || otherMode {
				l.add("services."+service, "make one for each",
					"%s is wanted with two different users, groups or modes", name)
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

// dropOwners removes from the services' references what the files on the machine have: Compose
// itself cannot give it, and warns.
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
			l.add(at+".environment", "pass the value, or the variable; or make it a file",
				"nothing is taken from the environment")
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
