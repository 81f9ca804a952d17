package host

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// KernelModule is a kernel module that is loaded now and at boot (modules-load.d(5)). A module that is
// built into the kernel counts as loaded. It is an error if the configuration of modprobe, or the kernel's
// command line, keeps it from being loaded at boot.
type KernelModule struct {
	Order `yaml:",inline"`
	composite

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

// loadedModule is the module in the running kernel.
type loadedModule struct{ name string }

func (m loadedModule) ID() string { return "module:" + m.name + "/loaded" }

func (loadedModule) Validate() lab.Problems { return nil }

// kernelName returns the name under /sys/module, in which hyphens are underscores.
func (m loadedModule) kernelName() string { return strings.ReplaceAll(m.name, "-", "_") }

func (m loadedModule) Observe(q *Query) { q.Module(m.kernelName()) }

func (m loadedModule) Plan(o *Observation) ([]Op, error) {
	if o.builtin[m.kernelName()] {
		return nil, nil
	}
	if file, line := m.denied(o); file != "" {
		return nil, &lab.Error{Op: "load module", Hint: "remove that from " + file + ", or the module from the state",
			Err: fmt.Errorf("%w: it is not loaded at boot: %s: %s", lab.ErrConflict, file, lab.Printable(line))}
	}
	if o.Module(m.kernelName()) {
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: "not loaded", Script: "modprobe -- " + ssh.Quote(m.name)}}, nil
}

// denied returns the file and the line that keep the module from being loaded by systemd-modules-load,
// which, unlike modprobe, respects a blacklist for the modules that it is told to load; "" if none does.
func (m loadedModule) denied(o *Observation) (file, line string) {
	same := func(name string) bool { return strings.ReplaceAll(name, "-", "_") == m.kernelName() }
	for _, word := range strings.Fields(o.Facts.Cmdline) {
		key, names, _ := strings.Cut(word, "=")
		listed := slices.ContainsFunc(strings.Split(names, ","), same)
		if listed && (key == "modprobe.blacklist" || key == "module_blacklist") {
			return "the kernel command line", word
		}
	}
	for _, f := range o.confFiles("modprobe.d") {
		for _, l := range o.confLines(f) {
			w := strings.Fields(l)
			if len(w) < 2 || !same(w[1]) {
				continue
			}
			program := ""
			if w[0] == "install" && len(w) > 2 {
				program = path.Base(w[2])
			}
			if w[0] == "blacklist" || program == "true" || program == "false" {
				return f, strings.Join(w, " ")
			}
		}
	}
	return "", ""
}
