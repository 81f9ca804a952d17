package k3s

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Access is how an administrator reaches a cluster. It never expires by itself: k3s makes the certificate again at its
// start, once it has less than 90 days left (docs.k3s.io/cli/certificate).
type Access struct {
	Name        string     // of the cluster, the user and the context: "prod"
	Server      string     // URL of the API
	CA          []byte     // that signed the API's certificate, PEM
	Certificate []byte     // of the administrator, PEM
	Key         lab.Secret // of that certificate, PEM
}

var contextPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)

// ReadAccess reads the administrator's access to the cluster from its first server. name is what the cluster, the user
// and the context are called.
func ReadAccess(ctx context.Context, machines []*host.Machine, c Config, name string) (a Access, err error) {
	founder, err := c.first(machines)
	if err != nil {
		return a, err
	}
	if !contextPattern.MatchString(name) || name == "default" {
		return a, lab.Problems{{Path: "name", Text: name, Message: "is not a name that tells clusters apart",
			Hint: `the environment's, such as "prod"`}}.Err()
	}
	out, err := run(ctx, founder, "read kubeconfig", shell("token", "file", etc+"/k3s.yaml"))
	if err != nil {
		return a, err
	}
	fail := func(why string) (Access, error) { // which must not have the file in it
		return Access{}, &lab.Error{Op: "read kubeconfig", Target: founder.Name(), Path: etc + "/k3s.yaml",
			Hint: "restart k3s, which writes it", Err: fmt.Errorf("%w: %s", lab.ErrInvalid, why)}
	}
	var d kubeconfig
	if err := yaml.Unmarshal([]byte(out), &d); err != nil {
		return fail("it is not YAML")
	}
	if len(d.Clusters) != 1 || len(d.Users) != 1 {
		return fail("it has not one cluster and one user")
	}
	a = Access{Name: name, Server: c.url()}
	var ca, cert, key error
	var text []byte
	a.CA, ca = base64.StdEncoding.DecodeString(d.Clusters[0].Cluster.CA)
	a.Certificate, cert = base64.StdEncoding.DecodeString(d.Users[0].User.Certificate)
	text, key = base64.StdEncoding.DecodeString(d.Users[0].User.Key)
	a.Key = lab.NewSecret(string(text))
	if ca != nil || cert != nil || key != nil || len(a.CA) == 0 || len(a.Certificate) == 0 || len(text) == 0 {
		return fail("its certificates cannot be read")
	}
	return a, nil
}

// kubeconfig is what is written, and read of what k3s writes.
type kubeconfig struct {
	APIVersion string         `yaml:"apiVersion"`
	Kind       string         `yaml:"kind"`
	Current    string         `yaml:"current-context"`
	Clusters   []namedCluster `yaml:"clusters"`
	Users      []namedUser    `yaml:"users"`
	Contexts   []namedContext `yaml:"contexts"`
}

type namedCluster struct {
	Name    string `yaml:"name"`
	Cluster struct {
		Server string `yaml:"server"`
		CA     string `yaml:"certificate-authority-data"`
	} `yaml:"cluster"`
}

type namedUser struct {
	Name string `yaml:"name"`
	User struct {
		Certificate string `yaml:"client-certificate-data"`
		Key         string `yaml:"client-key-data"`
	} `yaml:"user"`
}

type namedContext struct {
	Name    string `yaml:"name"`
	Context struct {
		Cluster string `yaml:"cluster"`
		User    string `yaml:"user"`
	} `yaml:"context"`
}

// document returns the access as a kubeconfig.
func (a Access) document() kubeconfig {
	b64 := base64.StdEncoding.EncodeToString
	d := kubeconfig{APIVersion: "v1", Kind: "Config", Current: a.Name, Clusters: make([]namedCluster, 1),
		Users: make([]namedUser, 1), Contexts: make([]namedContext, 1)}
	d.Clusters[0].Name, d.Clusters[0].Cluster.Server, d.Clusters[0].Cluster.CA = a.Name, a.Server, b64(a.CA)
	d.Users[0].Name, d.Users[0].User.Certificate, d.Users[0].User.Key = a.Name, b64(a.Certificate), b64([]byte(a.Key.Reveal()))
	d.Contexts[0].Name, d.Contexts[0].Context.Cluster, d.Contexts[0].Context.User = a.Name, a.Name, a.Name
	return d
}

// Kubeconfig returns the access as the text of a kubeconfig of its own.
func (a Access) Kubeconfig() lab.Secret {
	text, err := yaml.Marshal(a.document())
	if err != nil {
		panic(err) // of strings alone
	}
	return lab.NewSecret(string(text))
}

// WriteFile writes the access to a kubeconfig of its own, 0600, and makes its directory. A file that is there is
// replaced if it is of the same cluster, by its CA; any other is an [lab.ErrConflict].
func (a Access) WriteFile(file string) error {
	return a.locked(file, func(have []byte) ([]byte, error) {
		var d kubeconfig
		if len(have) > 0 {
			err := yaml.Unmarshal(have, &d)
			if err != nil || len(d.Clusters) != 1 || d.Clusters[0].Cluster.CA != base64.StdEncoding.EncodeToString(a.CA) {
				return nil, a.conflict(file, "it is not a kubeconfig of this cluster alone")
			}
		}
		return []byte(a.Kubeconfig().Reveal()), nil
	})
}

func (a Access) conflict(file, why string) error {
	return &lab.Error{Op: "write kubeconfig", Target: a.Name, Path: file, Hint: "write it to another file, or remove what is there by hand",
		Err: fmt.Errorf("%w: %s", lab.ErrConflict, why)}
}

// Merge puts the access into a kubeconfig with others, such as ~/.kube/config: its cluster, its user and its context,
// under its name. Everything else, comments too, stays; the current context is only set where there is none. A cluster of
// the name with another CA is an [lab.ErrConflict]. Nobody else who locks the file as kubectl does writes meanwhile.
func (a Access) Merge(file string) error {
	return a.locked(file, func(have []byte) ([]byte, error) {
		var root, own yaml.Node
		if err := yaml.Unmarshal(have, &root); err != nil {
			return nil, a.conflict(file, "it cannot be read as YAML")
		}
		if err := own.Encode(a.document()); err != nil {
			return nil, err
		}
		if root.Kind == 0 { // an empty file
			return []byte(a.Kubeconfig().Reveal()), nil
		}
		into := root.Content[0]
		if into.Kind != yaml.MappingNode {
			return nil, a.conflict(file, "it is not a kubeconfig")
		}
		if other := entry(field(into, "clusters"), a.Name); other != nil {
			if ca := field(field(other, "cluster"), "certificate-authority-data"); ca == nil || ca.Value != base64.StdEncoding.EncodeToString(a.CA) {
				return nil, a.conflict(file, "it has a cluster "+a.Name+" with another CA")
			}
		}
		for _, list := range []string{"clusters", "users", "contexts"} {
			merge(into, list, a.Name, field(&own, list).Content[0])
		}
		if current := field(into, "current-context"); current == nil || current.Value == "" {
			set(into, "current-context", field(&own, "current-context"))
		}
		var out bytes.Buffer
		e := yaml.NewEncoder(&out)
		e.SetIndent(2)
		err := errors.Join(e.Encode(&root), e.Close())
		return out.Bytes(), err
	})
}

// field returns the value of a mapping's key; nil if it has none.
func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// set sets the value of a mapping's key.
func set(n *yaml.Node, key string, v *yaml.Node) {
	if have := field(n, key); have != nil {
		*have = *v
		return
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, v)
}

// entry returns the entry of the name in a list of a kubeconfig; nil if there is none.
func entry(list *yaml.Node, name string) *yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, e := range list.Content {
		if n := field(e, "name"); n != nil && n.Value == name {
			return e
		}
	}
	return nil
}

// merge puts an entry into a list of a kubeconfig, in the place of that of its name. An entry may have more than ours,
// such as the namespace of a context: that stays.
func merge(into *yaml.Node, key, name string, own *yaml.Node) {
	list := field(into, key)
	if list == nil || list.Kind != yaml.SequenceNode {
		list = &yaml.Node{Kind: yaml.SequenceNode}
		set(into, key, list)
		list = field(into, key)
	}
	have := entry(list, name)
	if have == nil {
		list.Content, list.Style = append(list.Content, own), 0
		return
	}
	inner := strings.TrimSuffix(key, "s")
	if to := field(have, inner); to != nil && to.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(field(own, inner).Content); i += 2 {
			set(to, field(own, inner).Content[i].Value, field(own, inner).Content[i+1])
		}
		return
	}
	*have = *own
}

// lockPatience is how long somebody else's lock is waited for.
const lockPatience = 10 * time.Second

// locked replaces a file by what change makes of it, atomically, while it holds the lock that kubectl takes: FILE.lock
// (client-go, tools/clientcmd, lockFile). A link is followed. The mode of a file that is there is kept, but for what
// others may do with it: it has a private key.
func (a Access) locked(file string, change func([]byte) ([]byte, error)) (err error) {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	fail := func(err error) error {
		return &lab.Error{Op: "write kubeconfig", Target: a.Name, Path: file, Hint: "check the directory and its permissions", Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fail(err)
	}
	lock := file + ".lock"
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0)
		if err == nil {
			_ = f.Close() // it is empty
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return fail(err)
		}
		if time.Since(begun) > lockPatience {
			return &lab.Error{Op: "write kubeconfig", Target: a.Name, Path: file, Hint: "if no kubectl is running: rm " + lock,
				Err: fmt.Errorf("%w: it is locked by %s", lab.ErrBlocked, lock)}
		}
	}
	defer func() { err = errors.Join(err, os.Remove(lock)) }()
	mode, open := fs.FileMode(0o600), false
	have, err := os.ReadFile(file)
	switch {
	case err == nil:
		st, err := os.Stat(file)
		if err != nil {
			return fail(err)
		}
		mode, open = st.Mode().Perm()&^0o077, st.Mode().Perm()&0o077 != 0
	case !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	}
	text, err := change(have)
	if err != nil || bytes.Equal(text, have) && !open {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".kubeconfig-*.tmp") // 0600
	if err != nil {
		return fail(err)
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return fail(errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}
