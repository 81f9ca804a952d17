package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vault": main})
}

// TestScript runs the program against a Vault in this process, at $ADDRESS, whose root token is in the file token.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			v := vaulttest.New(t, vaulttest.Config{})
			env.Setenv("ADDRESS", v.Address())
			env.Setenv("VAULT_ADDR", "http://192.0.2.1:8200") // nothing ambient is read
			env.Setenv("VAULT_TOKEN", "wrong")
			env.Values["vault"] = v
			if err := errors.Join(installed(t, env), logsIn(t, env, v)); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "token"), []byte(v.Root().Reveal()+"\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"seal":    func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value("vault").(*vaulttest.Server).Seal() },
			"decrypt": decrypt,
			"tokens":  tokens,
		},
	})
}
