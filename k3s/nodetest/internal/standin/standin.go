package standin

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

// Files are those of the machine, as root sees them.
type Files interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, mode fs.FileMode) error // makes missing directories, 0755
	Symlink(target, name string) error                          // replaces what is there
	Remove(name string) error                                   // with all that is below it
	ReadDir(name string) ([]string, error)
}

// Machine is where the stand-in runs.
type Machine struct {
	Files
	Version  string // that it says it has: "v1.34.3+k3s1"
	Hostname string
	Address  string   // at which other machines reach it
	Args     []string // with the program's name first
	Env      func(string) string
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer

	Ready func() // tells systemd that it is ready

	// Serve serves HTTPS on the port until the context ends; serving is called once connections are accepted.
	Serve func(ctx context.Context, port int, h http.Handler, certificate tls.Certificate, serving func()) error

	// Kubernetes starts a real API, with its etcd, and returns what passes requests to it, as the administrator; it ends
	// with the context. Nil means the little of the API that is here.
	Kubernetes func(ctx context.Context, c ControlPlane) (http.Handler, error)

	// Kubectl runs a real kubectl, with a kubeconfig. Nil means the little of it that is here.
	Kubectl func(ctx context.Context, kubeconfig string, args []string) error

	// Snapshot writes a snapshot of the real etcd to a file.
	Snapshot func(ctx context.Context, file string) error

	// Client returns a client that presents the certificate, if it has one, and trusts the CA, in PEM; empty trusts anybody.
	Client func(ca []byte, certificate *tls.Certificate) *http.Client
}

// ControlPlane is what a real API is given: files in PEM, and where its data are.
type ControlPlane struct {
	Data                   string // of etcd
	CA, Cert, Key          []byte // of the cluster; for servers and clients alike
	AdminCert, AdminKey    []byte
	ServiceCIDR, AccessKey string
}

// configFile is where k3s reads its options, and kubeconfigFile where it writes the administrator's credentials.
const (
	configFile     = "/etc/rancher/k3s/config.yaml"
	kubeconfigFile = "/etc/rancher/k3s/k3s.yaml"
)

// Run runs the stand-in, until the context ends if it is a node, and returns its exit code.
func Run(ctx context.Context, m *Machine) int {
	err := m.run(ctx)
	if err == nil || ctx.Err() != nil {
		return 0
	}
	fmt.Fprintln(m.Stderr, err)
	return 1
}

func (m *Machine) run(ctx context.Context) error {
	args := m.Args[1:]
	if len(args) == 0 {
		return fmt.Errorf("k3s stand-in: no command")
	}
	switch args[0] {
	case "--version", "-v":
		fmt.Fprintf(m.Stdout, "k3s version %s (standin)\ngo version go1.26\n", m.Version)
		return nil
	case "server", "agent":
		file, _ := m.ReadFile(configFile) // which need not be there
		o, err := readOptions(args[0], args[1:], file, m.Env)
		if err != nil {
			return fmt.Errorf("fatal: %w", err)
		}
		if args[0] == "agent" {
			return m.agent(ctx, o)
		}
		return m.server(ctx, o)
	case "kubectl":
		return m.kubectl(ctx, args[1:])
	case "certificate":
		return m.certificate(args[1:])
	case "etcd-snapshot":
		return m.etcdSnapshot(ctx, args[1:])
	}
	return fmt.Errorf("k3s stand-in: unknown command: k3s %s", strings.Join(args, " "))
}

// option returns the value of an option of a command's arguments: --name value or --name=value.
func option(args []string, name string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			return v
		}
		if a == "--"+name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// nodeName returns the name of the node.
func (m *Machine) nodeName(o options) string { return o.get("node-name", strings.ToLower(m.Hostname)) }

// token returns the token that the node was given.
func (m *Machine) token(o options, name string) (string, error) {
	if v := o.get(name, ""); v != "" {
		return v, nil
	}
	file := o.get(name+"-file", "")
	if file == "" {
		return "", nil
	}
	text, err := m.ReadFile(file)
	if err != nil {
		return "", err
	}
	if v := strings.TrimSpace(string(text)); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("fatal: %s is empty", file)
}

// credentials returns the parts of a token, as k3s reads it: the hash of the CA, the user, the password.
func credentials(token string) (caHash, user, password string) {
	rest, ok := strings.CutPrefix(token, "K10")
	if !ok {
		return "", "", token
	}
	caHash, creds, _ := strings.Cut(rest, "::")
	user, password, ok = strings.Cut(creds, ":")
	if !ok {
		return caHash, "", creds
	}
	return caHash, user, password
}
