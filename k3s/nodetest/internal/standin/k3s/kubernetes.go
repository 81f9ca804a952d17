//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/k3s/nodetest/internal/standin"
)

// programs is the directory that has etcd, kube-apiserver and kubectl, where there is to be a real API.
const programs = "/usr/local/lib/k3s-standin"

// hasPrograms reports whether there is to be a real API.
func hasPrograms() bool {
	_, err := os.Stat(programs + "/kube-apiserver")
	return err == nil
}

// kubectl runs the real one.
func kubectl(ctx context.Context, kubeconfig string, args []string) error {
	cmd := exec.CommandContext(ctx, programs+"/kubectl", args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	} else if err != nil {
		return err
	}
	return nil
}

// kubernetes starts etcd, with the data that k3s has there, and kube-apiserver, on the port behind that of k3s.
func kubernetes(ctx context.Context, c standin.ControlPlane) (http.Handler, error) {
	dir := filepath.Dir(c.AccessKey) + "/standin"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{"ca.crt": c.CA, "server.crt": c.Cert, "server.key": c.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	pair, err := tls.X509KeyPair(c.AdminCert, c.AdminKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	proxy := &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "https", Host: "127.0.0.1:6444"}) }}
	child(ctx, "etcd", "--name=standin", "--data-dir="+c.Data, "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=standin="+peer, "--log-level=warn")
	child(ctx, "kube-apiserver", "--etcd-servers="+client, "--bind-address=127.0.0.1", "--secure-port=6444",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--client-ca-file="+dir+"/ca.crt",
		"--tls-cert-file="+dir+"/server.crt", "--tls-private-key-file="+dir+"/server.key", "--authorization-mode=Node,RBAC",
		"--service-account-key-file="+c.AccessKey, "--service-account-signing-key-file="+c.AccessKey,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-cluster-ip-range="+c.ServiceCIDR,
		"--allow-privileged=true", "--disable-admission-plugins=ServiceAccount")
	for {
		get, cancel := context.WithTimeout(ctx, 5*time.Second)
		r, err := http.NewRequestWithContext(get, http.MethodGet, "https://127.0.0.1:6444/readyz", nil)
		if err == nil {
			var answer *http.Response
			if answer, err = transport.RoundTrip(r); err == nil {
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					cancel()
					return proxy, nil
				}
				err = errors.New(answer.Status)
			}
		}
		cancel()
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// snapshot writes what etcd sends of itself, through its JSON gateway.
func snapshot(ctx context.Context, file string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:2379/v3/maintenance/snapshot", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(answer.Body); ; {
		var part struct {
			Result struct{ Blob []byte }
			Error  struct{ Message string }
		}
		if err = d.Decode(&part); errors.Is(err, io.EOF) {
			return errors.Join(f.Sync(), f.Close())
		}
		if err == nil && part.Error.Message != "" {
			err = errors.New(part.Error.Message)
		}
		if err == nil {
			_, err = f.Write(part.Result.Blob)
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
}

// child runs a program until the context ends, which ends it with this process too: k3s has both in its own process, and
// systemd stops the main process of its unit alone.
func child(ctx context.Context, name string, args ...string) {
	cmd := exec.CommandContext(ctx, filepath.Join(programs, name), args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = []string{"HOME=/root"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread that started it ends
		err := cmd.Run()
		if ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, name, "ended:", err)
			os.Exit(1)
		}
	}()
}
