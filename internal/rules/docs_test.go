package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages returns the README and the pages under docs, by their paths from here.
func pages(t *testing.T) map[string][]byte {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	text := map[string][]byte{}
	for _, file := range append(found, "../../README.md") {
		if text[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

var program = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// TestPrograms builds the programs in the README and in docs, and lets those run that need no machine of the reader's:
// what a newcomer copies must work.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	var paths []string
	run := map[string]string{} // of the programs that run by themselves, where they are from
	for page, text := range pages(t) {
		for i, p := range program.FindAllSubmatch(text, -1) {
			name := fmt.Sprintf("%s%d", strings.TrimSuffix(strings.ToLower(filepath.Base(page)), ".md"), i)
			file := filepath.Join(dir, name+".go")
			if err := os.WriteFile(file, p[1], 0o600); err != nil {
				t.Fatal(err)
			}
			replace[filepath.Join(here, name, "main.go")] = file
			paths = append(paths, "./"+name)
			if bytes.Contains(p[1], []byte("test.Start(")) || !bytes.Contains(p[1], []byte("log.Fatal")) {
				run[name] = page
			}
		}
	}
	if len(paths) < 9 || len(run) < 4 {
		t.Fatalf("%d programs, %d of them run", len(paths), len(run))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	out, err := exec.Command("go", append([]string{"build", "-o", bin + "/", "-overlay", file}, paths...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, page := range run {
		if out, err := exec.Command(filepath.Join(bin, name)).CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}

// TestLinks: links in the README and in docs lead to files that are there.
func TestLinks(t *testing.T) {
	links := 0
	for page, text := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]*)(#[^)]*)?\)`).FindAllSubmatch(text, -1) {
			link := string(m[1])
			if link == "" || strings.Contains(link, "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), link)); err != nil {
				t.Errorf("%s: %s: %v", page, link, err)
			}
		}
	}
	if links < 15 {
		t.Errorf("only %d links", links)
	}
}

// TestREADMEIsShort: who reads it for the first time reads it to the end.
func TestREADMEIsShort(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n >= 200 {
		t.Errorf("%d lines", n)
	}
}
