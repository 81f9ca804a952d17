package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func TestExample(t *testing.T) {
	c, err := readConfig("cluster.yaml", &login.Login{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "lab" || !c.Docker || c.Machines["pi2"] != "pi@192.168.1.202" || strings.HasPrefix(c.Secrets, "~") {
		t.Errorf("%+v", c)
	}
}

// TestConfigInDocs: the config on the page is a whole one, and is right.
func TestConfigInDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/k3s.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("there is none")
	}
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := readConfig(file, &login.Login{}); err != nil || len(c.Machines) != 3 {
		t.Errorf("%+v %v", c, err)
	}
}

// TestProblems are found by file and line, all at once.
func TestProblems(t *testing.T) {
	text, err := os.ReadFile("cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	for _, c := range []struct{ old, new, says string }{
		{"docker: true", "dokcer: true", "unknown key: dokcer (nearest: docker)"},
		{"agents: [pi2, pi3]", "agents: [pi2, pi4]", "cluster.yaml:14:15: agents[1]: is none of the machines: pi4"},
		{"agents: [pi2, pi3]", "agents: [pi2]", "cluster.yaml:6:8: machines.pi3: is neither a server nor an agent"},
		{"pi1: pi@192.168.1.201", "pi1: pi1", `cluster.yaml:4:8: machines.pi1: "pi1" is not USER@ADDR[:PORT]`},
		{"pi1: pi@192.168.1.201", "pi1: pi:hunter2@192.168.1.201", "without a password"},
		{"v1.34.3+k3s1", "v1.34", "version: is not a release of k3s"},
		{"secrets: ~/.mylab/k3s", "", "secrets"},
		{"docker: true", "registries: [{host: reg.lab, username: me, password: hunter2}]", "a secret in plain text"},
		{"docker: true", "registries: [{host: reg.lab, username: me, password: file:none}]", "cluster.yaml:16:54: registries[0].password: "},
	} {
		if !strings.Contains(string(text), c.old) {
			t.Fatalf("%q is not in the example", c.old)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readConfig(file, &login.Login{})
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q in\n%v", c.says, err)
		}
	}
}

// TestUpgrade: where the programs of a release are follows from where those of another are.
func TestUpgrade(t *testing.T) {
	const version, sum = "v1.35.0+k3s3", "1111111111111111111111111111111111111111111111111111111111111111"
	for name, c := range map[string]struct {
		binary k3s.Binary
		image  k3s.Image
		want   string // the URL or the source; empty means that it is refused
	}{
		"as GitHub writes it": {binary: k3s.Binary{URL: "https://h/v1.34.3%2Bk3s1/k3s-arm64"}, want: "https://h/v1.35.0%2Bk3s3/k3s-arm64"},
		"as it is":            {binary: k3s.Binary{URL: "https://h/v1.34.3+k3s1/k3s"}, want: "https://h/v1.35.0+k3s3/k3s"},
		"a local file":        {binary: k3s.Binary{Source: "/b/k3s-v1.34.3+k3s1"}, want: "/b/k3s-v1.35.0+k3s3"},
		"of no release":       {binary: k3s.Binary{URL: "https://h/k3s"}},
		"images of the release": {binary: k3s.Binary{Source: "/b/k3s-v1.34.3+k3s1"},
			image: k3s.Image{Source: "/b/images-v1.34.3+k3s1.tar"}},
		"other images": {binary: k3s.Binary{Source: "/b/k3s-v1.34.3+k3s1"},
			image: k3s.Image{Source: "/b/mine.tar"}, want: "/b/k3s-v1.35.0+k3s3"},
	} {
		config, err := readConfig("cluster.yaml", &login.Login{})
		if err != nil {
			t.Fatal(err)
		}
		config.Binaries = map[string]k3s.Binary{"arm64": c.binary}
		if c.image.Source != "" {
			config.Images = []k3s.Image{c.image}
		}
		err = config.upgrade(version, map[string]string{"arm64": sum})
		got := config.Binaries["arm64"]
		if (err != nil) != (c.want == "") || c.want != "" && (got.URL+got.Source != c.want || got.SHA256 != sum || config.Version != version) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
