package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

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

// validateImage reports what is not the name of an image.
func validateImage(ps *lab.Problems, image string) {
	if _, err := reference.ParseDockerRef(image); err != nil {
		*ps = append(*ps, lab.Problem{Path: "image", Text: image, Message: "is not the name of an image: " + err.Error()})
	}
}

// validateListen reports an address that is not of one interface: Docker's published ports bypass
// the machine's firewall.
func validateListen(ps *lab.Problems, field, addr string) {
	if addr == "" {
		return
	}
	if at, err := netip.ParseAddrPort(addr); err != nil || at.Port() == 0 || at.Addr().IsUnspecified() || at.Addr().Zone() != "" {
		*ps = append(*ps, lab.Problem{Path: field, Text: addr,
			Message: "is not the address of one interface with a port",
			Hint:    "write IP:PORT; Docker publishes past the machine's firewall"})
	}
}

// validateURL reports what is not the URL that people and programs reach a server at.
func validateURL(ps *lab.Problems, field, text, message string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		*ps = append(*ps, lab.Problem{Path: field, Text: text, Message: message})
		return false
	}
	return true
}

// systemDirs are directories that the system keeps its own files in. A container that takes one for its
// data changes the owner of everything in it.
var systemDirs = strings.Fields("/bin /boot /dev /etc /lib /lib32 /lib64 /proc /root /run /sbin /sys /usr")

// validateDir reports a directory on the machine that guards would look for in another place than
// Docker does, and one that is the system's; empty is one of the stack's own.
func validateDir(ps *lab.Problems, field, dir string) {
	if dir == "" {
		return
	}
	bad := func(message string) { *ps = append(*ps, lab.Problem{Path: field, Text: dir, Message: message}) }
	if !path.IsAbs(dir) || path.Clean(dir) != dir || strings.ContainsAny(dir, ":\n") {
		bad("is not an absolute path in its shortest form, without a colon")
		return
	}
	within := func(system string) bool { return dir == system || strings.HasPrefix(dir, system+"/") }
	if slices.Contains([]string{"/", "/home", "/mnt", "/media", "/opt", "/srv", "/tmp", "/var", "/var/lib", "/var/log"}, dir) ||
		slices.ContainsFunc(systemDirs, within) {
		bad("is the system's: what is in it would get another owner")
	}
}

// validateTimeout reports a duration that is no time to wait.
func validateTimeout(ps *lab.Problems, field string, d time.Duration) {
	if d < 0 {
		*ps = append(*ps, lab.Problem{Path: field, Text: d.String(), Message: "is negative"})
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
