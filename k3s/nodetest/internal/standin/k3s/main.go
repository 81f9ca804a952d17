//go:build linux

// Command k3s is the stand-in for k3s as a static program, for machines with a real systemd.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/k3s/nodetest/internal/standin"
)

// version is set by the linker.
var version = "v0.0.0+k3s0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hostname, err := os.Hostname()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m := &standin.Machine{
		Files: files{}, Version: version, Hostname: hostname, Address: address(), Args: os.Args, Env: os.Getenv,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Ready: ready, Serve: serve, Client: client,
	}
	if hasPrograms() {
		m.Kubernetes, m.Kubectl, m.Snapshot = kubernetes, kubectl, snapshot
	}
	os.Exit(standin.Run(ctx, m))
}

// address returns that of the interface with the default route, or of another.
func address() string {
	if c, err := net.Dial("udp", "192.0.2.1:9"); err == nil { // nothing is sent
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).IP.String()
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}

// ready tells systemd, as sd_notify(3) does.
func ready() {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return // it was not started by systemd
	}
	defer c.Close()
	_, _ = c.Write([]byte("READY=1"))
}

func serve(ctx context.Context, port int, h http.Handler, cert tls.Certificate, serving func()) error {
	l, err := tls.Listen("tcp", fmt.Sprintf(":%d", port), &tls.Config{Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	serving()
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	_ = s.Close()
	return err
}

func client(ca []byte, cert *tls.Certificate) *http.Client {
	c := &tls.Config{InsecureSkipVerify: len(ca) == 0, MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(ca)
	}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
}

// files are those of the machine.
type files struct{}

func (files) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

func (files) WriteFile(name string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".standin-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	for _, do := range []func() error{func() error { return f.Chmod(mode) }, f.Sync, f.Close,
		func() error { return os.Rename(f.Name(), name) }} {
		if err == nil {
			err = do()
		}
	}
	return err
}

func (files) Symlink(target, name string) error {
	_ = os.Remove(name) // it need not be there
	return os.Symlink(target, name)
}

func (files) Remove(name string) error { return os.RemoveAll(name) }

func (files) ReadDir(name string) (names []string, err error) {
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
