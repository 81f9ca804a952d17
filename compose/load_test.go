package compose_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

var update = flag.Bool("update", false, "write the golden files")

const id = "sha256:06d6b733e3649c8f0a1bfae77edf58c76931f4ce6761232b25ad18fe22b60514"

// TestLoadGolden renders the compose.yaml of each testdata/load/*.txtar. An archive holds the files
// of a folder, vars with NAME=VALUE lines, profiles, private files, symbolic links, and as golden
// the rendered file and the files beside it, or what is wrong.
func TestLoadGolden(t *testing.T) {
	t.Setenv("AMBIENT", "from the environment")
	files, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := compose.Source{Dir: filepath.Join(t.TempDir(), "web"), Variables: map[string]string{},
				Lock: compose.Lock{
					"busybox:1.36": {ID: id}, "images.example.test/app:2": {Digest: id}, "nginx": {Digest: id}}}
			t.Setenv("HOME", t.TempDir())
			golden := -1
			for i, f := range a.Files {
				switch f.Name {
				case "vars":
					for line := range strings.Lines(string(f.Data)) {
						k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
						s.Variables[k] = v
					}
				case "plain":
					s.PlainEnvironment = strings.Fields(string(f.Data))
				case "profiles":
					s.Profiles = strings.Fields(string(f.Data))
				case "private": // files that nobody else may read
					for _, name := range strings.Fields(string(f.Data)) {
						if err := os.Chmod(filepath.Join(s.Dir, name), 0o600); err != nil {
							t.Fatal(err)
						}
					}
				case "links": // NAME TARGET
					for line := range strings.Lines(string(f.Data)) {
						name, to, _ := strings.Cut(strings.TrimSpace(line), " ")
						if err := os.Symlink(to, filepath.Join(s.Dir, name)); err != nil {
							t.Fatal(err)
						}
					}
				case "golden":
					golden = i
				default:
					writeFile(t, s.Dir, f.Name, string(f.Data))
				}
			}
			var got string
			stack, err := compose.Load(t.Context(), s)
			if err != nil {
				got = strings.ReplaceAll(err.Error(), s.Dir, "DIR") + "\n"
			} else {
				if err := (host.State{stack}).Validate(); err != nil {
					t.Errorf("it loads, and no machine takes it: %v", err)
				}
				// where the folder lies here must not matter
				moved := s
				moved.Dir = filepath.Join(t.TempDir(), "web")
				if err := os.Rename(s.Dir, moved.Dir); err != nil {
					t.Fatal(err)
				}
				if again, err := compose.Load(t.Context(), moved); err != nil ||
					string(again.Render()) != string(stack.Render()) {
					t.Errorf("the same folder elsewhere: %v\n%s", err, again.Render())
				}
				got = string(stack.Render())
				for _, w := range stack.Warnings {
					got += "# warning " + w.String() + "\n"
				}
				for _, f := range stack.Files {
					got += strings.TrimSpace("# file "+f.Path+" "+f.Mode.String()+" "+f.Owner) + "\n"
					if f.Secret.IsZero() {
						got += "# shown " + strings.TrimSuffix(f.Content, "\n") + "\n"
					}
				}
			}
			if *update {
				if golden < 0 {
					a.Files = append(a.Files, txtar.File{Name: "golden"})
					golden = len(a.Files) - 1
				}
				a.Files[golden].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if golden < 0 || string(a.Files[golden].Data) != got {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

// TestLoadAbsolute mounts a path of the machine that is beside the folder here too, as on a machine
// that keeps itself.
func TestLoadAbsolute(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "web")
	media := filepath.Join(filepath.Dir(dir), "media")
	writeFile(t, dir, "compose.yaml", "services: {a: {image: 'busybox:1.36', volumes: ['"+media+":/media', '${MORE}:/more']}}")
	s, err := compose.Load(t.Context(), compose.Source{Dir: dir, Lock: compose.Lock{"busybox:1.36": {ID: id}},
		Variables: map[string]string{"MORE": media + "/more"}})
	if err != nil || !strings.Contains(string(s.Render()), "source: "+media+"\n") ||
		!strings.Contains(string(s.Render()), "source: "+media+"/more\n") {
		t.Errorf("%v\n%s", err, s.Render())
	}
	writeFile(t, dir, "compose.yaml", "services: {a: {image: 'busybox:1.36', volumes: ['"+dir+"/data:/data']}}")
	if s, err := compose.Load(t.Context(),
		compose.Source{Dir: dir, Lock: compose.Lock{"busybox:1.36": {ID: id}}}); err != nil ||
		strings.Contains(string(s.Render()), dir) {
		t.Errorf("a path here: %v\n%s", err, s.Render())
	}
}

// FuzzLoad must not panic, and what it takes must be refused or render to something that it takes
// again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(shop))
	f.Add([]byte("services: {a: {image: 'busybox:1.36', command: ['$$x'], environment: {A: 1}}}"))
	f.Add([]byte("services:\n  a:\n    image: busybox:1.36\n    network_mode: service:b\n  b: {image: busybox:1.36}\n"))
	lock := compose.Lock{"busybox:1.36": {ID: id}}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := compose.Source{Name: "x", Content: data, Lock: lock, Variables: map[string]string{"GREETING": "$$"},
			Secrets: map[string]lab.Secret{}}
		s, err := compose.Load(context.Background(), source)
		if err != nil {
			return
		}
		first := s.Render()
		source.Lock = compose.Lock{id: {ID: id}, "busybox:1.36": {ID: id}}
		source.Content = first
		again, err := compose.Load(context.Background(), source)
		if err != nil {
			if strings.Contains(err.Error(), "the label is ours") || strings.Contains(err.Error(), "is not pinned") {
				return
			}
			t.Fatalf("what was rendered is not taken: %v\n%s", err, first)
		}
		_ = again
	})
}

// TestLoadKeepsSecrets loads what cannot be read, or is something else, with a secret in all places:
// neither our messages nor those of the parsers below may repeat it.
func TestLoadKeepsSecrets(t *testing.T) {
	const hidden = "s3cretP4ssw0rd"
	for _, value := range []string{"*" + hidden, "&" + hidden, "\"" + hidden, "'" + hidden, "[" + hidden, "{" + hidden + ": {}}",
		"!!int " + hidden, "!" + hidden + " x", "%" + hidden, "@" + hidden, "`" + hidden + "`", hidden + ": x", "[" + hidden + "]",
		"\t" + hidden, "|\n" + hidden, hidden + "$x", "${" + hidden, "x$" + hidden, "\"\\x" + hidden + "\"",
		"!!binary " + hidden, "<<: " + hidden} {
		for _, key := range []string{"environment: {DB_PASSWORD: ", "environment: {A: ", "labels: {api-token: "} {
			_, err := compose.Load(t.Context(), compose.Source{Name: "x", Lock: compose.Lock{"nginx": {ID: id}},
				Content: []byte("services:\n  a:\n    image: nginx\n    " + key + value + "}\n")})
			if err != nil && strings.Contains(err.Error(), hidden) && !(strings.Contains(value, "${") || strings.Contains(key, "{A")) {
				t.Errorf("%s%s: %v", key, value, err)
			}
		}
	}
	for _, use := range []string{"ports: ['${DB_PASSWORD}:80']", "mem_limit: '${DB_PASSWORD}'", "cpus: '${DB_PASSWORD}'",
		"privileged: '${DB_PASSWORD}'",
		"restart: '${DB_PASSWORD}'", "volumes: ['${DB_PASSWORD}:${DB_PASSWORD}:${DB_PASSWORD}:x']",
		"networks: ['${DB_PASSWORD}']", "image: '${DB_PASSWORD}:x:y'",
		"depends_on: ['${DB_PASSWORD}']", "healthcheck: {interval: '${DB_PASSWORD}'}",
		"ulimits: {nofile: '${DB_PASSWORD}'}", "env_file: '${DB_PASSWORD}'",
		"extends: '${DB_PASSWORD}'", "extra_hosts: ['${DB_PASSWORD}']", "shm_size: '${DB_PASSWORD}'",
		"secrets: ['${DB_PASSWORD}']", "configs: ['${DB_PASSWORD}']",
		"security_opt: ['seccomp=${DB_PASSWORD}']", "network_mode: 'service:${DB_PASSWORD}'",
		"network_mode: 'container:${DB_PASSWORD}'", "label_file: '${DB_PASSWORD}'",
		"entrypoint: ['${A?${DB_PASSWORD}}']", "container_name: '${DB_PASSWORD}'"} {
		dir := t.TempDir()
		writeFile(t, dir, "compose.yaml", "name: x\nservices:\n  a:\n    image: nginx\n    "+use+"\n")
		if strings.HasPrefix(use, "image") {
			writeFile(t, dir, "compose.yaml", "name: x\nservices:\n  a:\n    "+use+"\n")
		}
		writeFile(t, dir, ".env", "DB_PASSWORD="+hidden+"\n")
		stack, err := compose.Load(t.Context(), compose.Source{Dir: dir, Lock: compose.Lock{"nginx": {ID: id}}})
		if err == nil {
			t.Errorf("%s: taken: %v", use, stack.Warnings)
		} else if strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v", use, err)
		}
	}
}
