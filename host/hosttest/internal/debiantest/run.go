package debiantest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Sh runs a script as root and gives its output, standard error too, and exit code.
func Sh(m *hosttest.Machine, script string) (string, int) {
	r := Run(m, "exec 2>&1; "+script, "")
	return r.Out, r.Code
}

// CompareOutput runs scripts in an empty directory, by the real tools and on a machine of this package, and compares what
// they write. The tools are those of Debian 12, run as root, as on the machine.
func CompareOutput(t *testing.T, missing Missing, scripts map[string]string, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
	if b, err := os.ReadFile("/etc/debian_version"); err != nil || !strings.HasPrefix(string(b), "12.") {
		missing(t, "Debian 12")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool)
		}
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", "-c", "exec 2>&1; "+script)
			cmd.Dir = t.TempDir()
			cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=/root"}
			want, err := cmd.Output()
			if err != nil {
				t.Fatalf("the real one: %v", err)
			}
			m := hosttest.New(t, hosttest.Config{})
			got, err := m.Exec("exec 2>&1; export LC_ALL=C; mkdir /w; cd /w; " + script)
			if err != nil {
				t.Fatalf("here: %v\n%s", err, got)
			}
			if got != string(want) {
				t.Errorf("%s\ngot:\n%s\nthe real one:\n%s", script, got, want)
			}
		})
	}
}
