package k3s_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// The access of a cluster goes to a file of its own, or among others, of which nothing else is changed.
func TestKubeconfig(t *testing.T) {
	s := newSite(t, 1, 0)
	s.apply()
	a, err := k3s.ReadAccess(t.Context(), s.machines, s.config, "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own := filepath.Join(dir, "new", "sandbox.yaml")
	for range 2 {
		if err := a.WriteFile(own); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(own, 0o644); err != nil { // others may read the key: not after the next write
			t.Fatal(err)
		}
	}
	if err := a.WriteFile(own); err != nil {
		t.Fatal(err)
	}
	text := read(t, own)
	if st, _ := os.Stat(own); st.Mode().Perm() != 0o600 || !strings.Contains(text, "server: https://192.0.2.1:6443") || strings.Contains(text, "default") {
		t.Errorf("%v\n%s", st.Mode(), text)
	}
	if _, err := k3s.ReadAccess(t.Context(), s.machines, s.config, "default"); err == nil {
		t.Error("default is accepted as a name")
	}

	shared := filepath.Join(dir, "config")
	const before = `apiVersion: v1
kind: Config
# mine
clusters:
- name: work
  cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: QUJD} # keep
contexts:
- name: work
  context: {cluster: work, user: me}
users:
- name: me
  user: {token: abc}
current-context: work
preferences: {}
`
	write(t, shared, before)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(shared, link); err != nil {
		t.Fatal(err)
	}
	if err := a.Merge(link); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	merged := read(t, shared)
	for _, want := range []string{"# mine", "# keep", "token: abc", "current-context: work", "preferences: {}", "name: sandbox"} {
		if !strings.Contains(merged, want) {
			t.Errorf("%s is missing:\n%s", want, merged)
		}
	}
	var d struct{ Clusters, Users, Contexts []map[string]any }
	if err := yaml.Unmarshal([]byte(merged), &d); err != nil || len(d.Clusters) != 2 || len(d.Users) != 2 || len(d.Contexts) != 2 {
		t.Errorf("%v\n%s", err, merged)
	}
	write(t, shared, strings.Replace(merged, "user: sandbox", "user: sandbox\n      namespace: erp", 1))
	if err := a.Merge(shared); err != nil {
		t.Fatal(err)
	}
	if again := read(t, shared); !strings.Contains(again, "namespace: erp") || strings.Count(again, "name: sandbox") != 3 {
		t.Errorf("a second merge:\n%s", again)
	}

	// Another cluster under the name, a file of something else, and a lock.
	other := a
	other.CA = []byte("another")
	for name, err := range map[string]error{"merge": other.Merge(shared), "own": other.WriteFile(own), "shared": a.WriteFile(shared)} {
		if !errors.Is(err, lab.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text != read(t, own) {
		t.Error("the file was changed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("left over: %v %v", entries, err)
	}
}

// Two that merge at once lose nothing of each other.
func TestMergeAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		all.Go(func() {
			a := k3s.Access{Name: name, Server: "https://" + name, CA: []byte(name), Certificate: []byte(name), Key: lab.NewSecret(name)}
			if err := a.Merge(file); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, name := range []string{"a", "b", "c", "d"} {
		if !strings.Contains(read(t, file), "server: https://"+name) {
			t.Errorf("%s is lost", name)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
