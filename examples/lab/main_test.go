package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// TestScript runs the program against three machines in this process, as [programtest.Machines] tells.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": programtest.Expand},
		Setup: func(env *testscript.Env) error {
			_, err := programtest.Machines(env, make([]hosttest.Config, 3)...)
			return err
		},
	})
}
