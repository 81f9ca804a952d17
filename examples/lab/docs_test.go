package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

var (
	yamlBlock  = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// pages returns the README and the pages under docs.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, file := range append(files, "../../README.md") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text[file] = string(b)
	}
	return text
}

// TestConfigsInDocs: a config that begins with an environment or a domain is a whole one, and is right.
func TestConfigsInDocs(t *testing.T) {
	n := 0
	for page, text := range pages(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "environment:") && !strings.HasPrefix(m[1], "domain:") {
				continue
			}
			n++
			if _, err := ReadConfig(page, []byte(m[1])); err != nil {
				t.Errorf("%v\n%s", err, m[1])
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d configs", n)
	}
}

// TestCommandsInDocs: every command in a block of shell is one that the program has, with its flags.
func TestCommandsInDocs(t *testing.T) {
	n := 0
	for page, text := range pages(t) {
		for _, m := range shellBlock.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(m[1]) {
				rest, ok := strings.CutPrefix(strings.TrimSpace(line), "lab ")
				if !ok {
					continue
				}
				n++
				words := append(strings.Fields(strings.ReplaceAll(rest, "'", "")), "--help") // it is not run
				err := cli.Run(t.Context(), program(), words, io.Discard, io.Discard)
				if err != nil {
					t.Errorf("%s: lab %s: %v", page, rest, err)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d commands", n)
	}
}
