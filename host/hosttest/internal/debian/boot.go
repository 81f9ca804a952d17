package debian

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/utillinux"
)

// bootConfig does what happens between the kernel and the services: the command line is taken from the boot partition,
// modules and kernel parameters from their configuration.
func bootConfig(k *kernel.Kernel) {
	fs := k.FS()
	line, _ := fs.ReadFile("/boot/firmware/cmdline.txt")
	cmdline, _, _ := strings.Cut(string(line), "\n")
	if k.Config.Model != "-" {
		// What the Raspberry Pi's firmware puts in front.
		cmdline = "reboot=w coherent_pool=1M cgroup_disable=memory numa_policy=interleave " + cmdline
	}
	k.SetCmdline(cmdline)
	if h, err := fs.ReadFile("/etc/hostname"); err == nil {
		k.SetHostname(strings.TrimSpace(string(h)))
	}
	load := func(mod string) {
		if !utillinux.Blacklisted(k, mod) {
			k.LoadModule(mod)
		}
	}
	for _, f := range utillinux.ConfFiles(fs, "modules-load.d") {
		b, _ := fs.ReadFile(f)
		for mod := range strings.FieldsSeq(utillinux.StripComments(string(b))) {
			load(mod)
		}
	}
	if b, err := fs.ReadFile("/etc/modules"); err == nil {
		for l := range strings.SplitSeq(utillinux.StripComments(string(b)), "\n") {
			if f := strings.Fields(l); len(f) > 0 {
				load(f[0])
			}
		}
	}
	utillinux.ApplySysctl(k)
	for _, f := range libc.Fstab(k) {
		if f.FSType == "swap" {
			if p := libc.FindDevice(k, f.Spec); p != nil && p.FSType == "swap" {
				k.SwapOn("/dev/" + p.Name)
			} else if st, err := fs.Stat(f.Spec); err == nil && st.IsRegular() {
				k.SwapOn(f.Spec)
			}
		}
	}
}
