package k3s_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// valid is a Config without a problem.
func valid() k3s.Config {
	return k3s.Config{Version: release, Servers: []string{"pi1"}, Agents: []string{"pi2"}, Address: "192.168.1.201",
		Binaries: map[string]k3s.Binary{"arm64": {URL: "https://example.org/k3s", SHA256: strings.Repeat("a", 64)}}}
}

// Every wrong value is a problem at its path, and all of them are found at once.
func TestValidate(t *testing.T) {
	if ps := valid().Validate(); len(ps) > 0 {
		t.Fatal(ps)
	}
	for path, change := range map[string]func(*k3s.Config){
		"version":                   func(c *k3s.Config) { c.Version = "1.34.3" },
		"binaries":                  func(c *k3s.Config) { c.Binaries = nil },
		"binaries.riscv64":          func(c *k3s.Config) { c.Binaries["riscv64"] = c.Binaries["arm64"] },
		"binaries.arm64.url":        func(c *k3s.Config) { c.Binaries["arm64"] = k3s.Binary{SHA256: strings.Repeat("a", 64)} },
		"binaries.arm64.sha256":     func(c *k3s.Config) { c.Binaries["arm64"] = k3s.Binary{URL: "https://example.org/k3s", SHA256: "abc"} },
		"servers":                   func(c *k3s.Config) { c.Servers = []string{"pi1", "pi3"} },
		"agents[0]":                 func(c *k3s.Config) { c.Agents = []string{"pi1"} },
		"servers[0]":                func(c *k3s.Config) { c.Servers = []string{"Pi_1"} },
		"address":                   func(c *k3s.Config) { c.Address = "https://192.168.1.201:6443" },
		"dockerAPI":                 func(c *k3s.Config) { c.DockerAPI = "v1.44" },
		"registries":                func(c *k3s.Config) { c.Docker, c.Registries = true, []k3s.Registry{{Host: "gitea.lab"}} },
		"registries[0].host":        func(c *k3s.Config) { c.Registries = []k3s.Registry{{Host: "https://gitea.lab"}} },
		"registries[0].password":    func(c *k3s.Config) { c.Registries = []k3s.Registry{{Host: "gitea.lab", Username: "me"}} },
		"registries[0].ca":          func(c *k3s.Config) { c.Registries = []k3s.Registry{{Host: "gitea.lab", CA: "x"}} },
		"images[0].source":          func(c *k3s.Config) { c.Images = []k3s.Image{{}} },
		"images[0].url":             func(c *k3s.Config) { c.Docker, c.Images = true, []k3s.Image{{URL: "https://example.org/x.tar"}} },
		"images[0].sha256":          func(c *k3s.Config) { c.Images = []k3s.Image{{URL: "https://example.org/x.tar"}} },
		"disable[0]":                func(c *k3s.Config) { c.Disable = []string{"treafik"} },
		"tlsSANs[0]":                func(c *k3s.Config) { c.TLSSANs = []string{"a b"} },
		"nameservers[0]":            func(c *k3s.Config) { c.Nameservers = []string{"127.0.0.53"} },
		"dataDir":                   func(c *k3s.Config) { c.DataDir = "data" },
		"mounts[0]":                 func(c *k3s.Config) { c.Mounts = []string{"/mnt/a b"} },
		"timeout":                   func(c *k3s.Config) { c.Timeout = -1 },
		"nodes.pi9":                 func(c *k3s.Config) { c.Nodes = map[string]k3s.Node{"pi9": {}} },
		"nodes.pi2.address":         func(c *k3s.Config) { c.Nodes = map[string]k3s.Node{"pi2": {Address: "pi2"}} },
		"nodes.pi2.labels[0]":       func(c *k3s.Config) { c.Nodes = map[string]k3s.Node{"pi2": {Labels: []string{"disk"}}} },
		"nodes.pi2.taints[0]":       func(c *k3s.Config) { c.Nodes = map[string]k3s.Node{"pi2": {Taints: []string{"a=b:Never"}}} },
		"options.kubelet-args":      func(c *k3s.Config) { c.Options = map[string]any{"kubelet-args": "x"} },
		"options.cluster-cidr":      func(c *k3s.Config) { c.Options = map[string]any{"cluster-cidr": "10.0.0.0/8"} },
		"options.token":             func(c *k3s.Config) { c.Options = map[string]any{"token": "x"} },
		"options.server":            func(c *k3s.Config) { c.Options = map[string]any{"server": "x"} },
		"options.kubelet-arg+":      func(c *k3s.Config) { c.Options = map[string]any{"kubelet-arg+": "x"} },
		"serverOptions.tls-san":     func(c *k3s.Config) { c.ServerOptions = map[string]any{"tls-san": "x"} },
		"serverOptions.agent-token": func(c *k3s.Config) { c.ServerOptions = map[string]any{"agent-token": "x"} },
		"nodes.pi2.options.disable-agent": func(c *k3s.Config) {
			c.Nodes = map[string]k3s.Node{"pi2": {Options: map[string]any{"disable-agent": true}}}
		},
	} {
		c := valid()
		change(&c)
		if ps := c.Validate(); !slices.ContainsFunc(ps, func(p lab.Problem) bool { return p.Path == path }) {
			t.Errorf("%s: %v", path, ps)
		}
	}
	c := valid()
	c.Version, c.Address, c.Options = "x", "", map[string]any{"resolve-conf": "x"}
	if ps := c.Validate(); len(ps) != 3 || !strings.Contains(ps.Error(), "perhaps resolv-conf") {
		t.Error(ps)
	}
}

// containerd gets registries, with their passwords in a file that only root reads, and archives of images.
func TestContainerd(t *testing.T) {
	s := newSite(t, 1, 1)
	archive := filepath.Join(t.TempDir(), "images.tar")
	write(t, archive, "an archive")
	password := lab.NewSecret("hunter2-hunter2")
	s.config.Registries = []k3s.Registry{{Host: "gitea.lab:3000", Endpoints: []string{"https://192.0.2.9:3000"}, Username: "me", Value: password}}
	s.config.Images = []k3s.Image{{Source: archive}}
	s.config.Nameservers = []string{"192.0.2.53"}
	p := s.apply()
	s.converged()
	lawtest.NoSecret(t, []lab.Secret{password}, p.String())
	got := s.exec(2, "cat /etc/rancher/k3s/registries.yaml; stat -c %a /etc/rancher/k3s/registries.yaml; cat /var/lib/rancher/k3s/agent/images/images.tar /etc/rancher/k3s/resolv.conf; grep resolv /etc/rancher/k3s/config.yaml")
	for _, want := range []string{"gitea.lab:3000:", "- https://192.0.2.9:3000", "password: hunter2-hunter2", "\n600\n", "an archive", "nameserver 192.0.2.53",
		"resolv-conf: /etc/rancher/k3s/resolv.conf"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
}

// Docker gets images whose IDs it does not have, and is not asked to load them again.
func TestDockerImages(t *testing.T) {
	id := strings.Repeat("ab", 32)
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	manifest := `[{"Config":"` + id + `.json","RepoTags":["rancher/mirrored-pause:3.6"]}]`
	if err := w.WriteHeader(&tar.Header{Name: "manifest.json", Size: int64(len(manifest)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(manifest)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "k3s-airgap-images-arm64.tar")
	if err := os.WriteFile(archive, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, 1, 0)
	withDocker(t, s.boxes[0], "1.51 1.24")
	loads := 0
	s.boxes[0].Handle("/usr/bin/docker", func(p *hosttest.Process) int {
		switch args := strings.Join(p.Args[1:], " "); {
		case strings.HasPrefix(args, "version"):
			fmt.Fprintln(p.Stdout(), "1.51 1.24")
		case args == "image inspect -f {{.Id}} sha256:"+id:
			if loads == 0 {
				return 1
			}
		case strings.HasPrefix(args, "load -q -i /var/lib/.lab-images-"):
			if b, err := s.boxes[0].FS().ReadFile(p.Args[4]); err != nil || !bytes.Equal(b, text.Bytes()) {
				t.Errorf("another archive was loaded: %v", err)
			}
			loads++
		default:
			t.Errorf("docker %s", args)
			return 1
		}
		return 0
	})
	s.config.Docker, s.config.Images = true, []k3s.Image{{Source: archive}}
	s.apply()
	s.converged()
	if loads != 1 {
		t.Errorf("loaded %d times", loads)
	}
	if got := s.exec(1, "ls -A /var/lib | grep lab-images || :"); got != "" {
		t.Errorf("left over: %s", got)
	}
}

// TestSources: a local binary that is not what the config says it is, or cannot be read, is refused before anything is sent.
func TestSources(t *testing.T) {
	s := newSite(t, 1, 0)
	file := filepath.Join(t.TempDir(), "k3s")
	write(t, file, "not k3s")
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{file: "has the SHA-256 " + k3s.FileSum(t, file), pipe: "is not a regular file",
		t.TempDir(): "is not a regular file", file + "-gone": "no such file"} {
		for arch, b := range s.config.Binaries {
			s.config.Binaries[arch] = k3s.Binary{Source: source, SHA256: b.SHA256}
		}
		p, err := s.plan()
		if p != nil && !p.Empty() || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ".source: ") {
			t.Errorf("%v\n%v, want %q", p, err, want)
		}
	}
}
