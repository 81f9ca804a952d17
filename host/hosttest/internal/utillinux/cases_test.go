package utillinux_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// A shellCase is a script that root runs on a new machine, and what it writes.
type shellCase struct {
	name, script string
	want         string // standard output and standard error
}

// runCases runs each script on a machine of its own.
func runCases(t *testing.T, cfg hosttest.Config, cases []shellCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := hosttest.New(t, cfg)
			out, err := m.Exec("exec 2>&1; " + c.script)
			if err != nil {
				out += err.Error() + "\n"
			}
			if want := strings.TrimLeft(c.want, "\n"); out != want {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", c.script, out, want)
			}
		})
	}
}
