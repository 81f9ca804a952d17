package main

import (
	"flag"
	"fmt"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/programtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/nodetest"
)

var update = flag.Bool("update", false, "rewrite schema.json")

var snapshotName = regexp.MustCompile(`"name":"([^"]+)"`)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cluster": main})
}

// TestSchemaIsInStep keeps the schema in step with the config and its comments.
func TestSchemaIsInStep(t *testing.T) {
	docs, err := strictyaml.ReadDocs(".", "../../k3s", "../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := strictyaml.Schema(Config{}, docs)
	if err != nil {
		t.Fatal(err)
	}
	programtest.Schema(t, schema, want, *update)
}

// TestScript runs the program against machines in this process that can get a stand-in for k3s: pi1, pi2 and pi3, as
// [programtest.Machines] tells, which are 192.0.2.1 and so on to each other. $OLD and $NEW are the checksums of the
// two releases.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		// fail VERSION TEXT: k3s of the version says the text instead of starting; an empty text ends that
		// latest FILE: sets $LATEST to the last snapshot in what snapshot list --output json has printed
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": programtest.Expand,
			"fail": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value("cluster").(*nodetest.Cluster).Fail(args[0], args[1])
			},
			"latest": func(ts *testscript.TestScript, _ bool, args []string) {
				names := snapshotName.FindAllStringSubmatch(ts.ReadFile(args[0]), -1)
				ts.Setenv("LATEST", names[len(names)-1][1])
			}},
		Setup: func(env *testscript.Env) error {
			const older, newer = "v1.34.3+k3s1", "v1.34.4+k3s1"
			cluster := nodetest.NewCluster(older, newer)
			env.Values["cluster"] = cluster
			env.Setenv("OLD", cluster.Binaries(older)["arm64"].SHA256)
			env.Setenv("NEW", cluster.Binaries(newer)["arm64"].SHA256)
			config := hosttest.Config{Cmdline: "console=tty1 root=PARTUUID=00000000-02 rootwait cgroup_memory=1 cgroup_enable=memory"}
			machines, err := programtest.Machines(env, config, config, config)
			for i, m := range machines {
				cluster.Install(m, fmt.Sprintf("192.0.2.%d", i+1))
			}
			return err
		},
	})
}
