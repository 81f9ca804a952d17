package kube

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"

	"gitea.arcodange.lab/arcodange-org/lab"
	api "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// Cluster says which Kubernetes API to apply objects to, and how to get there. Nothing is read of the
// environment: no KUBECONFIG, no ~/.kube, no service account of a pod, no proxy.
type Cluster struct {
	Name string // for messages: "pi1"; empty means "kubernetes"

	// Kubeconfig is the content of a kubeconfig, such as that of /etc/rancher/k3s/k3s.yaml. It is required.
	// Certificates and the token must be in it: what names files, or a program that logs in, is refused.
	Kubeconfig lab.Secret

	Context string // of the kubeconfig; empty means its current-context

	// Boundary makes the connections: a [*lab.Boundary], or an SSH connection to a machine, from which the
	// address in the kubeconfig, such as 127.0.0.1:6443, is dialled: the port need not be open to anybody.
	// Nil means the zero [lab.Boundary], which allows loopback only.
	Boundary lab.Dialer

	// Identity is the UID of the cluster's namespace kube-system, which it must prove before anything is
	// planned; empty means that any cluster is taken. Whatever it is, a plan is applied only to the
	// cluster that it was made for.
	Identity string

	// Parallel is how many requests are under way at once; 0 means 8.
	Parallel int

	Log      *slog.Logger // told of the server's warnings; nil discards them
	Counters *Counters    // counts what plans and applies cost; nil counts nothing
}

// Counters count the requests to a cluster. One may be shared by several.
type Counters struct {
	Requests atomic.Int64 // each try by itself
	Writes   atomic.Int64 // those of them that change something; a dry run changes nothing
}

func (c *Cluster) name() string { return cmp.Or(c.Name, "kubernetes") }

func (c *Cluster) parallel() int {
	if c.Parallel <= 0 {
		return 8
	}
	return c.Parallel
}

func (c *Cluster) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// Validate reports everything that is wrong with the cluster's fields.
func (c *Cluster) Validate() error {
	_, ps := c.access()
	return ps.Err()
}

// access is how an API server is reached and trusted, and as whom.
type access struct {
	server         *url.URL
	tls            *tls.Config
	token          lab.Secret
	user, password lab.Secret // of basic authentication; most servers have none
}

// access reads the kubeconfig. It repeats nothing of its text, which has secrets in it.
func (c *Cluster) access() (a access, ps lab.Problems) {
	if c.Kubeconfig.IsZero() {
		ps.Add("kubeconfig", "empty: nothing is assumed")
		return a, ps
	}
	var config api.Config
	if err := yaml.Unmarshal([]byte(c.Kubeconfig.Reveal()), &config); err != nil || len(config.Contexts) == 0 {
		ps.Add("kubeconfig", "is not a kubeconfig with a context")
		return a, ps
	}
	name := cmp.Or(c.Context, config.CurrentContext)
	context, ok := find(config.Contexts, func(n api.NamedContext) (string, api.Context) { return n.Name, n.Context }, name)
	if !ok {
		var names []string
		for _, n := range config.Contexts {
			names = append(names, n.Name)
		}
		ps = append(ps, lab.Problem{Path: "context", Text: name, Message: "is not in the kubeconfig",
			Hint: fmt.Sprintf("it has %q", names)})
		return a, ps
	}
	cluster, ok := find(config.Clusters, func(n api.NamedCluster) (string, api.Cluster) { return n.Name, n.Cluster }, context.Cluster)
	if !ok {
		ps.Add("kubeconfig", "has no cluster %q, which the context %q names", context.Cluster, name)
	}
	user, ok := find(config.AuthInfos, func(n api.NamedAuthInfo) (string, api.AuthInfo) { return n.Name, n.AuthInfo }, context.AuthInfo)
	if !ok {
		ps.Add("kubeconfig", "has no user %q, whom the context %q names", context.AuthInfo, name)
	}
	if len(ps) > 0 {
		return a, ps
	}
	ps = append(refused(cluster, user), a.readServer(cluster)...)
	return a, append(ps, a.readUser(user)...)
}

// find returns what has the name in a list of a kubeconfig.
func find[N, T any](all []N, of func(N) (string, T), name string) (found T, ok bool) {
	for _, n := range all {
		if is, t := of(n); is == name {
			return t, true
		}
	}
	return found, false
}

// refused reports what of a kubeconfig would read files, run programs, or trust anybody.
func refused(cluster api.Cluster, user api.AuthInfo) (ps lab.Problems) {
	for _, f := range []struct {
		field, hint string
		set         bool
	}{
		{"certificate-authority", "put the file's content into certificate-authority-data, in base64", cluster.CertificateAuthority != ""},
		{"insecure-skip-tls-verify", "put the authority's certificate into certificate-authority-data", cluster.InsecureSkipTLSVerify},
		{"proxy-url", "connect through a machine instead", cluster.ProxyURL != ""},
		{"client-certificate", "put the file's content into client-certificate-data, in base64", user.ClientCertificate != ""},
		{"client-key", "put the file's content into client-key-data, in base64", user.ClientKey != ""},
		{"tokenFile", "put the file's content into token", user.TokenFile != ""},
		{"exec", "log in by a certificate or a token", user.Exec != nil},
		{"auth-provider", "log in by a certificate or a token", user.AuthProvider != nil},
		{"as", "log in as the user itself", user.Impersonate != "" || len(user.ImpersonateGroups) > 0},
	} {
		if f.set {
			ps = append(ps, lab.Problem{Path: "kubeconfig", Message: f.field + " is refused: a kubeconfig reads no files, " +
				"runs no programs and trusts one authority", Hint: f.hint})
		}
	}
	return ps
}

// readServer reads where the server is, and whom it must prove to be.
func (a *access) readServer(cluster api.Cluster) (ps lab.Problems) {
	u, err := url.Parse(cluster.Server)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil:
		ps.Add("kubeconfig", "the cluster's server is not a URL: write https://HOST:PORT")
	case u.Scheme != "https":
		ps.Add("kubeconfig", "the cluster's server is not at https://")
	}
	a.server, a.tls = u, &tls.Config{ServerName: cluster.TLSServerName, MinVersion: tls.VersionTLS12}
	if len(cluster.CertificateAuthorityData) > 0 {
		a.tls.RootCAs = x509.NewCertPool()
		if !a.tls.RootCAs.AppendCertsFromPEM(cluster.CertificateAuthorityData) {
			ps.Add("kubeconfig", "certificate-authority-data holds no certificate in PEM")
		}
	}
	return ps
}

// readUser reads as whom to log in.
func (a *access) readUser(user api.AuthInfo) (ps lab.Problems) {
	a.token, a.user, a.password = lab.NewSecret(user.Token), lab.NewSecret(user.Username), lab.NewSecret(user.Password)
	if len(user.ClientCertificateData) == 0 && len(user.ClientKeyData) == 0 {
		if user.Token == "" && user.Username == "" {
			ps.Add("kubeconfig", "the user has neither a certificate nor a token")
		}
		return ps
	}
	pair, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData)
	if err != nil {
		ps.Add("kubeconfig", "client-certificate-data and client-key-data are not a certificate and its key")
		return ps
	}
	a.tls.Certificates = []tls.Certificate{pair}
	return ps
}
