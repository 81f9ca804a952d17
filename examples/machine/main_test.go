package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"machine": main})
}

// TestScript runs the program against three machines in this process, see [programtest.Machines].
// The file wrong_hosts has a wrong host key for the second.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": programtest.Expand},
		Setup: func(env *testscript.Env) error {
			ms, err := programtest.Machines(env, make([]hosttest.Config, 3)...)
			if err != nil {
				return err
			}
			wrong := knownhosts.Line([]string{ms[1].Addr()}, ms[0].HostKey()) + "\n"
			return os.WriteFile(filepath.Join(env.WorkDir, "wrong_hosts"), []byte(wrong), 0o600)
		},
	})
}
