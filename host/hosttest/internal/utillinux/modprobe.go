package utillinux

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdModprobe(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "arnqvDfRScibt:d:", "all>a remove>r dry-run>n show>n quiet>q verbose>v first-time "+
		"show-depends>D resolve-alias>R use-blacklist>b ignore-install>i force>f showconfig>c")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "R", "S", "c", "i", "b", "t", "d") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("ERROR: missing parameters. See -h.")
		return 1
	}
	names := o.Args[:1]
	if o.Has("a") || o.Has("r") {
		names = o.Args
	}
	code := 0
	for _, n := range names {
		mod := strings.ReplaceAll(n, "-", "_")
		known := slices.ContainsFunc(kernel.KnownModules, func(k string) bool { return strings.ReplaceAll(k, "-", "_") == mod })
		if !known && !p.Kernel.Loaded(mod) {
			if !o.Has("q") {
				p.Warnf("modprobe: FATAL: Module %s not found in directory /lib/modules/%s\n", n, p.Kernel.Config.Release)
			}
			code = 1
			continue
		}
		if o.Has("n", "D") {
			continue
		}
		if p.Kernel.Loaded(mod) != o.Has("r") {
			if o.Has("first-time") {
				p.Errorf("ERROR: could not insert '%s': Module already in kernel", mod)
				code = 1
			}
			if o.Has("r") && !p.Kernel.Loaded(mod) {
				continue
			}
			continue
		}
		if p.UID != 0 {
			if o.Has("r") {
				p.Errorf("ERROR: ../libkmod/libkmod-module.c:856 kmod_module_remove_module() could not remove '%s': Operation not permitted", mod)
			} else {
				p.Errorf("ERROR: could not insert '%s': Operation not permitted", mod)
			}
			code = 1
			continue
		}
		if p.Kernel.Mutate(nil) != nil {
			return 1
		}
		if o.Has("r") {
			p.Kernel.RemoveModule(mod)
		} else {
			p.Kernel.LoadModule(mod)
		}
	}
	return code
}

// Blacklisted tells that the configuration of modprobe keeps systemd-modules-load from loading a module.
func Blacklisted(k *kernel.Kernel, name string) bool {
	for _, f := range ConfFiles(k.FS(), "modprobe.d") {
		b, _ := k.FS().ReadFile(f)
		for line := range strings.Lines(string(b)) {
			w := strings.Fields(line)
			if len(w) > 1 && w[0] == "blacklist" && strings.ReplaceAll(w[1], "-", "_") == strings.ReplaceAll(name, "-", "_") {
				return true
			}
		}
	}
	return false
}

func cmdLsmod(p *kernel.Process) int {
	p.Print("Module                  Size  Used by\n")
	for _, n := range p.Kernel.ModuleList() {
		p.Printf("%-20s 16384  0\n", n)
	}
	return 0
}
