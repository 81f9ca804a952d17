package compose

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// seccompProfile returns the file of an element of security_opt, as docker compose reads it
// (pkg/compose/create.go, parseSecurityOpts); "" when it names none.
func seccompProfile(option string) string {
	key, value, ok := strings.Cut(option, "=")
	if !ok {
		key, value, _ = strings.Cut(option, ":")
	}
	if key != "seccomp" || value == "unconfined" || value == "builtin" {
		return ""
	}
	return value
}

// seccomp brings the seccomp profiles of the services along. Compose reads them where it runs.
func (l *loading) seccomp() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		s.SecurityOpt = slices.Clone(s.SecurityOpt)
		for i, option := range s.SecurityOpt {
			file := seccompProfile(option)
			if file == "" {
				continue
			}
			at := fmt.Sprintf("services.%s.security_opt[%d]", name, i)
			here := file
			if !filepath.IsAbs(file) {
				here = filepath.Join(l.dir, file)
			}
			rel, ok := l.local(here)
			switch {
			case !ok && filepath.IsAbs(file):
				l.warn(at, "move it beside the compose.yaml",
					"is a file of the machine: when it changes, the container keeps the old profile")
				continue
			case !ok || rel == ".":
				l.add(at, "move it beside the compose.yaml, or write where it is on the machine",
					"%s is not in the stack's directory", filepath.Base(file))
				continue
			}
			if err := l.bring(here); err != nil {
				l.add(at, "", "%s", l.shown(err))
			} else if !l.hasFile(rel) {
				l.add(at, "create the file, or write where it is on the machine", "%s is not here", rel)
			}
			s.SecurityOpt[i] = "seccomp=" + path.Join(l.target, rel)
		}
		l.project.Services[name] = s
	}
}

// hasFile reports whether the stack has the file.
func (l *loading) hasFile(rel string) bool {
	is := func(f File) bool { return f.Path == rel }
	return slices.ContainsFunc(l.files, is) || slices.ContainsFunc(l.source.Files, is)
}

// seccompProfiles returns the seccomp profiles of a service, as paths on the machine.
func seccompProfiles(s types.ServiceConfig) (out []string) {
	for _, option := range s.SecurityOpt {
		if file := seccompProfile(option); file != "" {
			out = append(out, file)
		}
	}
	return out
}
