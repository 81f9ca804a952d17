package real

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// KubeAPI is a Kubernetes API server with its etcd, in processes of their own: an API as a cluster has it,
// with admission, validation, custom resources and server-side apply, and without nodes, scheduler and
// controllers. Nothing ever runs there: a Deployment makes no Pods, and a deleted namespace stays.
type KubeAPI struct {
	Addr string // where it listens: "127.0.0.1:6443"
	CA   string // in PEM, of its certificate

	// Kubeconfig is of an administrator; the context is called "real".
	Kubeconfig string

	// Token is the administrator's bearer token.
	Token string

	// Audit is a file in which each request has a line of JSON, once it is answered.
	Audit string
}

// kubeAPIVersion is what internal/real/kube builds.
const kubeAPIVersion = "v1.34.2"

// KubeAPIServer starts an API server for the duration of the test. Its first build takes minutes.
func KubeAPIServer(tb testing.TB) *KubeAPI {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute)
	defer cancel()
	etcd, err := etcdProgram(ctx)
	api := ""
	if err == nil {
		api, err = kubeAPIProgram(ctx)
	}
	if err != nil {
		lacksTool(tb, "a Kubernetes API server", err)
		tb.Fatalf("Kubernetes API server: %v", err)
	}
	k := &KubeAPI{Token: "administrator-of-a-test"}
	logs, stop, err := k.start(ctx, tb.TempDir(), etcd, api)
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Errorf("Kubernetes API server: %v", err)
		}
		if !tb.Failed() {
			return
		}
		for _, log := range logs {
			if b, err := os.ReadFile(log); err == nil {
				tb.Logf("%s:\n%s", filepath.Base(log), b[max(0, len(b)-8<<10):])
			}
		}
	})
	if err != nil {
		tb.Fatalf("Kubernetes API server: %v", err)
	}
	return k
}

// Handler passes requests on to the server, as its administrator.
func (k *KubeAPI) Handler() http.Handler {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(k.CA))
	return &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // of requests that are cut off
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: k.Addr})
			r.Out.Header.Set("Authorization", "Bearer "+k.Token)
			r.Out.Header.Del("Accept-Encoding") // the answers are read
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16},
	}
}

// Kubectl returns the path of kubectl in the version of [KubeAPIServer].
func Kubectl(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute)
	defer cancel()
	path, err := kubectlProgram(ctx)
	if err != nil {
		lacksTool(tb, "kubectl", err)
		tb.Fatalf("kubectl: %v", err)
	}
	return path
}

// KubePrograms are the paths of static programs for Linux.
type KubePrograms struct{ Etcd, APIServer, Kubectl string }

// KubernetesPrograms returns the programs of [KubeAPIServer] and [Kubectl], for tests that run them on other machines.
func KubernetesPrograms(tb testing.TB) (p KubePrograms) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute)
	defer cancel()
	var errs [3]error
	p.Etcd, errs[0] = etcdProgram(ctx)
	p.APIServer, errs[1] = kubeAPIProgram(ctx)
	p.Kubectl, errs[2] = kubectlProgram(ctx)
	if err := errors.Join(errs[:]...); err != nil {
		lacksTool(tb, "a Kubernetes API server", err)
		tb.Fatalf("Kubernetes API server: %v", err)
	}
	return p
}

func etcdProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "etcd", "go.etcd.io/etcd/server/v3")
}

func kubeAPIProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "kube", "k8s.io/kubernetes/cmd/kube-apiserver", kubeVersionFlags...)
}

func kubectlProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "kube", "k8s.io/kubernetes/cmd/kubectl", kubeVersionFlags...)
}

// Without its version the API server says v0.0.0-master and offers no beta of a feature
// (k8s.io/component-base/version).
var kubeVersionFlags = []string{
	"-X k8s.io/component-base/version.gitVersion=" + kubeAPIVersion,
	"-X k8s.io/component-base/version.gitMajor=1", "-X k8s.io/component-base/version.gitMinor=34",
	"-X k8s.io/client-go/pkg/version.gitVersion=" + kubeAPIVersion,
}

// start starts both servers with their files in dir. stop is never nil.
func (k *KubeAPI) start(ctx context.Context, dir, etcd, api string) (logs []string, stop func() error, err error) {
	var procs []*process
	var releases []func()
	stop = func() (err error) {
		for n := len(procs) - 1; n >= 0; n-- { // the API server before its etcd
			err = errors.Join(err, procs[n].stop(syscall.SIGKILL, 5*time.Second))
		}
		for _, release := range releases {
			release()
		}
		return err
	}
	var ports [3]string
	for n := range ports {
		port, release, err := reservePort("127.0.0.1")
		if err != nil {
			return nil, stop, err
		}
		ports[n], releases = strconv.Itoa(port), append(releases, release)
	}
	files, err := k.files(dir)
	if err != nil {
		return nil, stop, err
	}
	k.Addr = net.JoinHostPort("127.0.0.1", ports[0])
	client, peer := "http://127.0.0.1:"+ports[1], "http://127.0.0.1:"+ports[2]
	for _, server := range []struct {
		binary string
		args   []string
	}{
		{etcd, []string{"--name=test", "--data-dir=" + filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client, "--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer, "--initial-cluster=test=" + peer, "--log-level=warn"}},
		{api, append(files, "--etcd-servers="+client, "--bind-address=127.0.0.1", "--secure-port="+ports[0],
			"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--authorization-mode=Node,RBAC",
			"--service-cluster-ip-range=10.43.0.0/16", "--allow-privileged=true",
			// The controller that makes service accounts does not run here.
			"--disable-admission-plugins=ServiceAccount",
			"--enable-priority-and-fairness=false", "--audit-log-path="+k.Audit, "--audit-log-mode=blocking")},
	} {
		log := filepath.Join(dir, filepath.Base(server.binary)+".log")
		out, err := os.Create(log)
		if err != nil {
			return logs, stop, err
		}
		logs = append(logs, log)
		cmd := exec.Command(server.binary, server.args...)
		cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, dir
		cmd.Env = []string{"HOME=" + dir} // without ETCD_ variables, which would change the configuration
		p, err := start(cmd, syscall.SIGKILL)
		if err = errors.Join(err, out.Close()); err != nil {
			return logs, stop, err
		}
		procs = append(procs, p)
	}
	k.Kubeconfig = k.kubeconfig()
	return logs, stop, k.ready(ctx, procs[1])
}

// files writes what the API server reads, and returns the flags that name it.
func (k *KubeAPI) files(dir string) (flags []string, err error) {
	ca, cert, key, err := newServerCertificate()
	if err != nil {
		return nil, err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(signer)
	if err != nil {
		return nil, err
	}
	k.CA, k.Audit = ca, filepath.Join(dir, "audit.log")
	write := func(flag, name, content string) {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.WriteFile(path, []byte(content), 0o600))
		flags = append(flags, "--"+flag+"="+path)
	}
	accounts := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	write("tls-cert-file", "server.crt", cert)
	write("tls-private-key-file", "server.key", key)
	write("service-account-key-file", "accounts.key", accounts)
	write("service-account-signing-key-file", "accounts.key", accounts)
	write("token-auth-file", "tokens.csv", k.Token+`,admin,admin,"system:masters"`+"\n")
	write("audit-policy-file", "audit.yaml", `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": `+
		`["RequestReceived"], "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}]}`)
	return flags, err
}

func (k *KubeAPI) kubeconfig() string {
	return strings.NewReplacer("ADDR", k.Addr, "CERT", base64.StdEncoding.EncodeToString([]byte(k.CA)),
		"TOKEN", k.Token).Replace(`apiVersion: v1
kind: Config
clusters: [{name: real, cluster: {server: "https://ADDR", certificate-authority-data: CERT}}]
users: [{name: admin, user: {token: TOKEN}}]
contexts: [{name: real, context: {cluster: real, user: admin}}]
current-context: real
`)
}

// ready waits until the server serves, its own objects included.
func (k *KubeAPI) ready(ctx context.Context, p *process) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(k.CA))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	get := func(path string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+k.Addr+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+k.Token)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		if resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s %s", path, resp.Status, body.String())
		}
		return errors.Join(err, resp.Body.Close())
	}
	return p.until(ctx, "the Kubernetes API server is ready", func() error {
		if err := get("/readyz"); err != nil {
			return err
		}
		return get("/api/v1/namespaces/default")
	})
}
