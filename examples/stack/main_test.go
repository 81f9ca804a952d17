package main

import (
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stack": main})
}

// TestScript runs the program against a machine in this process with a docker, as
// [programtest.Machines] tells.
func TestScript(t *testing.T) {
	health := func(unhealthy bool) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, _ bool, args []string) {
			ts.Value("docker").(*composetest.Docker).Unhealthy(args[0], unhealthy)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		// unhealthy SERVICE, or healthy SERVICE: what its health check says from now on
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"unhealthy": health(true),
			"healthy": health(false)},
		Setup: func(env *testscript.Env) error {
			ms, err := programtest.Machines(env, hosttest.Config{Sleep: func(<-chan struct{}, time.Duration) {}})
			if err != nil {
				return err
			}
			env.Values["docker"] = composetest.Install(ms[0],
				composetest.Config{Registry: []composetest.Image{{Name: "nginx:1.29"}, {Name: "nginx:1.30"}}})
			return nil
		},
	})
}
