package hosttest_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRooms holds which room of the machine may import which. Only debian and the machine itself know all of them.
func TestRooms(t *testing.T) {
	const rooms = "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/"
	may := map[string]string{
		"kernel":     "",
		"libc":       "kernel",
		"sh":         "kernel libc",
		"posix":      "kernel libc",
		"utillinux":  "kernel libc",
		"netclient":  "kernel libc",
		"systemd":    "kernel libc",
		"accounts":   "kernel libc posix",   // useradd copies a home directory, userdel removes it
		"apt":        "kernel libc systemd", // a package's units are read as systemd reads them
		"sshd":       "kernel libc",
		"debian":     "kernel libc sh posix utillinux netclient systemd accounts apt sshd",
		"debiantest": "kernel",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./internal/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		room := strings.TrimPrefix(f[0], rooms)
		allowed, known := may[room]
		if !known {
			t.Errorf("internal/%s: say here what it may import", room)
		}
		delete(may, room)
		for _, path := range f[1:] {
			if other, ok := strings.CutPrefix(path, rooms); ok && !slices.Contains(strings.Fields(allowed), other) {
				t.Errorf("internal/%s imports internal/%s", room, other)
			}
		}
	}
	for room := range may {
		t.Errorf("internal/%s is not there", room)
	}
}
