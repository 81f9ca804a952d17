package compose

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Variables of a .env that are for docker compose itself, and are heeded here as there
// (docs.docker.com/compose/how-tos/environment-variables/envvars).
const (
	composeName      = "COMPOSE_PROJECT_NAME"
	composeFiles     = "COMPOSE_FILE"
	composeSeparator = "COMPOSE_PATH_SEPARATOR"
	composeProfiles  = "COMPOSE_PROFILES"
)

// clientVariables lead docker to another engine, or let it take images of another platform.
var clientVariables = []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
	"DOCKER_DEFAULT_PLATFORM"}

// readEnv reads the variables of the file .env, and heeds those that are for docker compose: those
// that name the project and its files only when the source does not.
func (o *opened) readEnv(s Source) error {
	b, err := readSmall(filepath.Join(o.dir, envFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f := parseEnv(envFile, string(b), "", s.Variables)
	maps.Copy(o.variables, f.values)
	o.hollow, o.warnings = f.hollow, f.warnings
	for name := range s.Variables {
		delete(o.hollow, name) // which stands for what was passed
	}
	for _, k := range slices.Sorted(maps.Keys(f.values)) {
		v := f.values[k]
		switch {
		case k == composeName:
			o.ownedName = v
		case k == composeFiles && v != "":
			o.named = slices.DeleteFunc(strings.Split(v, orColon(f.values[composeSeparator])),
				func(name string) bool { return name == "" })
		case k == composeProfiles:
			o.profiles = slices.DeleteFunc(strings.Split(v, ","), func(name string) bool { return name == "" })
		case k == composeSeparator:
		case strings.HasPrefix(k, "COMPOSE_") || slices.Contains(clientVariables, k):
			o.warnings = append(o.warnings, lab.Problem{File: envFile, Path: k,
				Message: "is for docker compose, and has no effect here"})
		}
	}
	return f.problems.Err()
}

func orColon(separator string) string {
	if separator == "" {
		return ":"
	}
	return separator
}
