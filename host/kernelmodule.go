package host

import (
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// KernelModule is a kernel module that is loaded now and at boot (modules-load.d(5)). A module that
// is built into the kernel counts as loaded.
type KernelModule struct {
	Order `yaml:",inline"`

	Name string `yaml:"name,required"`
}

// ID returns "module:NAME".
func (m KernelModule) ID() string { return "module:" + m.Name }

// Validate implements [Resource].
func (m KernelModule) Validate() (ps lab.Problems) {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(m.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: m.Name, Message: "is not the name of a kernel module"})
	}
	return ps
}

// Resources implements [Set].
func (m KernelModule) Resources() []Resource {
	return []Resource{File{Path: "/etc/modules-load.d/lab-" + m.Name + ".conf", Content: m.Name + "\n"}, loadedModule{m.Name}}
}

// Observe implements [Resource]; the members of the set observe.
func (KernelModule) Observe(*Query) {}

// Plan implements [Resource]; the members of the set plan.
func (KernelModule) Plan(*Observation) ([]Op, error) { return nil, nil }

// loadedModule is the module in the running kernel.
type loadedModule struct{ name string }

func (m loadedModule) ID() string { return "module:" + m.name + "/loaded" }

func (loadedModule) Validate() lab.Problems { return nil }

// kernelName returns the name under /sys/module, in which hyphens are underscores.
func (m loadedModule) kernelName() string { return strings.ReplaceAll(m.name, "-", "_") }

func (m loadedModule) Observe(q *Query) { q.Module(m.kernelName()) }

func (m loadedModule) Plan(o *Observation) ([]Op, error) {
	if o.Module(m.kernelName()) {
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: "not loaded", Script: "modprobe -- " + ssh.Quote(m.name)}}, nil
}
