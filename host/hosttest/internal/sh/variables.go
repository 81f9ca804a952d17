package sh

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// get gives a variable's value.
func (sh *shell) get(name string) (string, bool) {
	v := sh.vars[name]
	if v == nil || !v.set {
		return "", false
	}
	return v.value, true
}

func (sh *shell) assign(name, value string) {
	v := sh.vars[name]
	if v == nil {
		v = &variable{}
		sh.vars[name] = v
	}
	if v.readonly {
		sh.fail(2, "%s: is read only", name)
	}
	v.value, v.set = value, true
	if sh.has('a') {
		v.exported = true
	}
	sh.envOK = false
}

func (sh *shell) unset(name string) bool {
	v := sh.vars[name]
	if v == nil {
		return true
	}
	if v.readonly {
		return false
	}
	if len(sh.locals) > 0 {
		if _, ok := sh.locals[len(sh.locals)-1][name]; ok {
			*v = variable{}
			sh.envOK = false
			return true
		}
	}
	delete(sh.vars, name)
	sh.envOK = false
	return true
}

// environ gives the exported variables.
func (sh *shell) environ(extra []string) []string {
	if !sh.envOK {
		env := make([]string, 0, 24)
		for k, v := range sh.vars {
			if v.exported && v.set {
				env = append(env, k+"="+v.value)
			}
		}
		slices.Sort(env)
		sh.p.SetEnv(env)
		sh.envOK = true
	}
	env := sh.p.Env
	for _, e := range extra {
		n, v, _ := strings.Cut(e, "=")
		env = libc.Setenv(env, n, v)
	}
	return env
}
