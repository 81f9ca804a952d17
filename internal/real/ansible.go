package real

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// Ansible returns the path of the ansible command of ansible-core;
// ansible-playbook, ansible-inventory and the others are in the same directory.
func Ansible(tb testing.TB) string {
	tb.Helper()
	bin := findBinary("ansible", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
	if bin == "" {
		Missing(tb, "ansible (Debian package ansible-core)")
	}
	return bin
}

// AnsiblePython returns the Python that runs [Ansible], which is not always the
// first in PATH. "import ansible" works in it.
func AnsiblePython(tb testing.TB) string {
	tb.Helper()
	f, err := os.Open(Ansible(tb))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	python, ok := strings.CutPrefix(line, "#!")
	python = strings.TrimSpace(python)
	if !ok || strings.Contains(python, " ") { // such as a wrapper of pyenv, or env python3
		Missing(tb, "an ansible whose first line names its Python")
	}
	return python
}
