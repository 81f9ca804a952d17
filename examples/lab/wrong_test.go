package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/tools/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// counter counts the connections that are made to a port, on every address of loopback.
type counter struct {
	port  string
	dials atomic.Int64
}

func newCounter(tb testing.TB) *counter {
	tb.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	c := &counter{port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.dials.Add(1)
			conn.Close()
		}
	}()
	return c
}

// TestWrongConfigs runs the program with configs that are wrong, one a file of testdata/wrong, and compares
// what it prints, word by word. Nothing is dialled: every machine is at a port that counts, $PORT.
func TestWrongConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	c := newCounter(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, code := c.plan(t, archive)
			want := archive.Files[len(archive.Files)-1]
			if want.Name != "want" || *update {
				if want.Name != "want" {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
				}
				archive.Files[len(archive.Files)-1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want.Data) || code != lab.ExitError {
				t.Errorf("exit %d\n%s\nwant:\n%s", code, got, want.Data)
			}
			if n := c.dials.Load(); n > 0 {
				t.Fatalf("%d connections were made", n)
			}
		})
	}
	// and what is right is dialled, so that the count can be trusted
	_, key, _ := ed25519.GenerateKey(nil) // it cannot fail
	block, err := cryptossh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse([]byte("-- id --\n" + string(pem.EncodeToMemory(block)) +
		"-- lab.yaml --\ndomain: a.test\nssh: {identities: [id], acceptNew: known}\n" +
		"inventory: {hosts: {pi1: {address: 127.0.0.1, port: $PORT}}}\n"))
	if got, _ := c.plan(t, archive); c.dials.Load() == 0 {
		t.Errorf("a config that is right: nothing was dialled: %s", got)
	}
}

// plan plans the lab.yaml of an archive, with its other files beside it, and returns what is printed of the
// error, and the exit code.
func (c *counter) plan(tb testing.TB, archive *txtar.Archive) (string, int) {
	tb.Helper()
	dir := tb.TempDir()
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		data := strings.ReplaceAll(string(f.Data), "$PORT", c.port)
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(data), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	var out, printed bytes.Buffer
	err := cli.Run(tb.Context(), program(), []string{"plan", "--config", filepath.Join(dir, "lab.yaml")}, &out, &printed)
	cli.PrintError(&printed, err)
	return strings.NewReplacer(c.port, "$PORT", dir+string(filepath.Separator), "").Replace(printed.String()), cli.Code(err)
}

// FuzzConfig: no config, however broken, makes reading it panic or dial, or is wrong without saying so.
func FuzzConfig(f *testing.F) {
	f.Add(string(defaultConfig))
	files, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "lab.yaml" {
				f.Add(string(part.Data))
			}
		}
	}
	c := newCounter(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) { c.read(t, dir, text) })
}

// TestMutilatedConfigs reads the built-in config with each of its lines left out.
func TestMutilatedConfigs(t *testing.T) {
	c, dir := newCounter(t), t.TempDir()
	lines := strings.SplitAfter(string(defaultConfig), "\n")
	for i := range lines {
		c.read(t, dir, strings.Join(lines[:i], "")+strings.Join(lines[i+1:], ""))
	}
}

// read reads a config, whatever it is.
func (c *counter) read(t *testing.T, dir, text string) {
	l, err := ReadConfig(filepath.Join(dir, "lab.yaml"), []byte(strings.ReplaceAll(text, "$PORT", c.port)))
	var ps lab.Problems
	switch {
	case err != nil && !errors.As(err, &ps):
		t.Errorf("no problem of the config: %v", err)
	case err != nil && l != nil:
		t.Error("a config that is wrong is returned")
	case err == nil:
		for _, s := range l.outline() { // what is right can be built
			for _, h := range l.Hosts {
				if _, err := l.all(t.Context(), s.components, h, l.dummies()); err != nil {
					t.Errorf("%s of %s: %v", s.name, h.Name, err)
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range ps {
		if text := fmt.Sprint(p); seen[text] {
			t.Errorf("told twice: %s", text)
		} else {
			seen[text] = true
		}
		if p.File == "" {
			t.Errorf("no file: %s", p)
		}
	}
	if n := c.dials.Load(); n > 0 {
		t.Fatalf("%d connections were made", n)
	}
}
