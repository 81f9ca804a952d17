package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

// object is a mapping of a compose.yaml.
type object = map[string]any

// load makes a stack of a model. It reads nothing: all that the stack holds is passed.
func load(
	name string, model object, secrets map[string]lab.Secret, files []compose.File, lock compose.Lock,
) (compose.Stack, error) {
	model["name"] = name
	text, err := json.Marshal(model) // JSON is YAML
	if err != nil {
		return compose.Stack{}, err
	}
	s := compose.Source{Name: name, Content: text, Secrets: secrets, Files: files, Lock: lock}
	return compose.Load(context.Background(), s)
}

// dirOf returns the directory of a stack on the machine.
func dirOf(name string) string { return path.Join("/opt/stacks", name) }

func nameOr(name, fallback string) string { return cmp.Or(name, fallback) }

// tag returns the tag of an image, without a digest that follows it.
func tag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	i := strings.LastIndexByte(image, ':')
	if i <= strings.LastIndexByte(image, '/') {
		return ""
	}
	return image[i+1:]
}

// ports returns what a service publishes: "IP:PORT" here to a port in the container; an empty
// address publishes nothing.
func ports(pairs ...string) (out []any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "" {
			out = append(out, pairs[i]+":"+pairs[i+1])
		}
	}
	return out
}

// healthcheck returns a health check by a command, which may fail while the service starts.
func healthcheck(interval, start string, command ...string) object {
	test := append([]string{"CMD"}, command...)
	return object{"test": test, "interval": interval, "timeout": "10s", "start_period": start, "retries": 6}
}

// validateListen reports an address that is not of one interface: Docker's published ports bypass
// the machine's firewall.
func validateListen(ps *lab.Problems, field, addr string) {
	if addr == "" {
		return
	}
	if host, port, ok := cutLast(addr, ":"); !ok || host == "" || port == "" || host == "0.0.0.0" || host == "[::]" {
		*ps = append(*ps, lab.Problem{Path: field, Text: addr,
			Message: "is not the address of one interface with a port",
			Hint:    "write IP:PORT; Docker publishes past the machine's firewall"})
	}
}

// validateDir reports a directory on the machine that guards would look for in another place than
// Docker does; empty is one of the stack's own.
func validateDir(ps *lab.Problems, field, dir string) {
	if dir != "" && (!path.IsAbs(dir) || path.Clean(dir) != dir || strings.ContainsAny(dir, ":\n")) {
		*ps = append(*ps, lab.Problem{Path: field, Text: dir,
			Message: "is not an absolute path in its shortest form, without a colon"})
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
