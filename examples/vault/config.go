package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// Config is VAULT.yaml.
type Config struct {
	vaultprov.Spec `yaml:",inline"`

	// The apps. All of their names in Vault come from these.
	Apps []App `yaml:"apps"`

	// What each of the apps has, and what they share. Without it the apps have nothing.
	PerApp *vaultprov.Apps `yaml:"perApp"`
}

// App is an app, in one or more environments.
type App struct {
	// In lowercase kebab-case.
	Name string `yaml:"name,required"`

	// Its environments; prod alone when it is left out.
	Envs []string `yaml:"envs"`
}

// readSpec reads VAULT.yaml, and the secrets that it refers to.
func readSpec(file string, env func(string) (string, bool)) (vaultprov.Spec, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return vaultprov.Spec{}, &lab.Error{Op: "read config", Path: file, Err: err}
	}
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return vaultprov.Spec{}, err
	}
	var c Config
	if err := d.Decode(&c); err != nil {
		return vaultprov.Spec{}, err
	}
	spec, err := c.spec(env, cli.DirOf(file))
	return spec, d.Locate(err)
}

// spec turns the configuration into what package vaultprov takes.
func (c *Config) spec(env func(string) (string, bool), dir cli.Dir) (vaultprov.Spec, error) {
	spec, err := c.Spec.Resolve(env, dir.ReadFile)
	ps := problems(err, "")
	ps = append(ps, spec.Validate()...)
	if c.PerApp == nil {
		return spec, ps.Err()
	}
	apps, err := c.PerApp.Resolve(env, dir.ReadFile)
	ps = append(ps, problems(err, "perApp")...)
	var places []string // of the instances
	for n, a := range c.Apps {
		if len(a.Envs) == 0 {
			a.Envs = []string{lab.Prod}
		}
		for _, e := range a.Envs {
			apps.Instances = append(apps.Instances, lab.App(a.Name).In(e))
			places = append(places, fmt.Sprintf("apps[%d]", n))
		}
	}
	for _, p := range apps.Validate() {
		if p.Path = relocate(p.Path, places); !slices.Contains(ps, p) { // what is wrong with an app is wrong in each environment
			ps = append(ps, p)
		}
	}
	if len(ps) > 0 {
		return spec, ps.Err()
	}
	spec = spec.With(apps.Spec())
	return spec, spec.Validate().Err()
}

// relocate turns the path of a problem with the apps into that in the document.
func relocate(path string, places []string) string {
	for n, place := range places {
		if rest, ok := strings.CutPrefix(path, fmt.Sprintf("instances[%d]", n)); ok {
			return place + strings.NewReplacer(".app", ".name", ".env", ".envs").Replace(rest)
		}
	}
	return "perApp." + path
}

// problems returns those of an error, below a path.
func problems(err error, path string) lab.Problems {
	var ps lab.Problems
	if errors.As(err, &ps) && path != "" {
		return ps.Under(path)
	}
	return ps
}
