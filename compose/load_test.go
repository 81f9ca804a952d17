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
)

var update = flag.Bool("update", false, "write the golden files")

const id = "sha256:06d6b733e3649c8f0a1bfae77edf58c76931f4ce6761232b25ad18fe22b60514"

// TestLoadGolden renders the compose.yaml of each testdata/load/*.txtar. An archive holds the files of a folder, vars with NAME=VALUE lines, and the
// rendered file as golden.yaml, or what is wrong as golden.txt.
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
			s := compose.Source{Dir: filepath.Join(t.TempDir(), "web"), Variables: map[string]string{}, Lock: compose.Lock{
				"busybox:1.36": {ID: id}, "images.example.test/app:2": {Digest: id}, "nginx": {Digest: id}}}
			golden := -1
			for i, f := range a.Files {
				switch f.Name {
				case "vars":
					for line := range strings.Lines(string(f.Data)) {
						k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
						s.Variables[k] = v
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
				got = string(stack.Render())
				for _, f := range stack.Files {
					got += "# file " + f.Path + " " + f.Mode.String() + " " + f.Owner + "\n"
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

// FuzzLoad must not panic, and what it takes must be refused or render to something that it takes again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(shop))
	f.Add([]byte("services: {a: {image: 'busybox:1.36', command: ['$$x'], environment: {A: 1}}}"))
	f.Add([]byte("services:\n  a:\n    image: busybox:1.36\n    network_mode: service:b\n  b: {image: busybox:1.36}\n"))
	lock := compose.Lock{"busybox:1.36": {ID: id}}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := compose.Source{Name: "x", Content: data, Lock: lock, Variables: map[string]string{"GREETING": "$$"}, Secrets: map[string]lab.Secret{}}
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
