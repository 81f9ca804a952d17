package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// ImageRegistry is a registry of container images, the CNCF's distribution, in a
// process of its own. It speaks HTTP without TLS, and anybody can push and pull.
// A [DockerEngine] trusts registries on its bridge.
type ImageRegistry struct {
	Addr string // its address: an image is named Addr/NAME:TAG

	binary, config string
	log            string
	proc           *process
}

// Registry starts a registry for the duration of the test. It listens on addr,
// such as the Gateway of a [Machine] with port 0, which means a free port. Its
// first build takes minutes.
func Registry(tb testing.TB, addr string) *ImageRegistry {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute)
	defer cancel()
	binary, err := registryProgram(ctx)
	if err != nil {
		lacksTool(tb, "a registry of images", err)
		tb.Fatalf("registry: %v", err)
	}
	release := func() {}
	if host, port, err := net.SplitHostPort(addr); err == nil && port == "0" {
		free, done, err := reservePort(host)
		if err != nil {
			tb.Fatalf("registry: %v", err)
		}
		addr, release = net.JoinHostPort(host, strconv.Itoa(free)), done
	}
	dir := tb.TempDir()
	r := &ImageRegistry{Addr: addr, binary: binary,
		config: filepath.Join(dir, "config.json"), log: filepath.Join(dir, "log")}
	// JSON is YAML.
	config, err := json.Marshal(map[string]any{
		"version": 0.1,
		"log":     map[string]any{"level": "warn", "accesslog": map[string]any{"disabled": true}},
		"storage": map[string]any{
			"filesystem":  map[string]any{"rootdirectory": filepath.Join(dir, "data")},
			"delete":      map[string]any{"enabled": true},
			"maintenance": map[string]any{"uploadpurging": map[string]any{"enabled": false}},
		},
		"http": map[string]any{"addr": addr},
	})
	if err == nil {
		err = os.WriteFile(r.config, config, 0o600)
	}
	if err != nil {
		tb.Fatalf("registry: %v", err)
	}
	r.Start(tb)
	tb.Cleanup(func() {
		if err := r.proc.stop(syscall.SIGTERM, 5*time.Second); err != nil {
			tb.Errorf("registry: %v", err)
		}
		release()
		if b, err := os.ReadFile(r.log); tb.Failed() && err == nil {
			tb.Logf("log of the registry:\n%s", b)
		}
	})
	return r
}

func registryProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "registry", "github.com/distribution/distribution/v3/cmd/registry")
}

// Start starts the registry again, with the images that were pushed before.
func (r *ImageRegistry) Start(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	if err := r.start(ctx); err != nil {
		tb.Fatalf("registry: %v", err)
	}
}

func (r *ImageRegistry) start(ctx context.Context) error {
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(r.binary, "serve", r.config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"} // without REGISTRY_ variables, which would change the configuration
	if r.proc, err = start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	return r.proc.until(ctx, "the registry answers", func() error {
		resp, err := http.Get("http://" + r.Addr + "/v2/")
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
		return errors.Join(err, resp.Body.Close())
	})
}

// Stop stops the registry. Connections are refused until [ImageRegistry.Start].
func (r *ImageRegistry) Stop(tb testing.TB) {
	tb.Helper()
	if err := r.proc.stop(syscall.SIGTERM, 5*time.Second); err != nil {
		tb.Fatalf("registry: %v", err)
	}
}

// Digest returns the digest that the registry has for a tag, without any code under
// test.
func (r *ImageRegistry) Digest(tb testing.TB, name, tag string) string {
	tb.Helper()
	digest, err := r.digest(tb.Context(), name, tag)
	if err != nil {
		tb.Fatalf("registry: %v", err)
	}
	return digest
}

func (r *ImageRegistry) digest(ctx context.Context, name, tag string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead,
		fmt.Sprintf("http://%s/v2/%s/manifests/%s", r.Addr, name, tag), nil)
	if err != nil {
		return "", err
	}
	for _, t := range []string{"vnd.docker.distribution.manifest.v2", "vnd.docker.distribution.manifest.list.v2",
		"vnd.oci.image.manifest.v1", "vnd.oci.image.index.v1"} {
		req.Header.Add("Accept", "application/"+t+"+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s:%s: %s", name, tag, resp.Status)
	}
	return resp.Header.Get("Docker-Content-Digest"), nil
}
