package hosttest

import (
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
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
	for _, f := range confFiles(fs, "modules-load.d") {
		b, _ := fs.ReadFile(f)
		for mod := range strings.FieldsSeq(stripComments(string(b))) {
			k.LoadModule(mod)
		}
	}
	if b, err := fs.ReadFile("/etc/modules"); err == nil {
		for l := range strings.SplitSeq(stripComments(string(b)), "\n") {
			if f := strings.Fields(l); len(f) > 0 {
				k.LoadModule(f[0])
			}
		}
	}
	for _, f := range confFiles(fs, "sysctl.d") {
		b, _ := fs.ReadFile(f)
		for _, kv := range parseSysctl(string(b)) {
			k.SetSysctl(strings.ReplaceAll(kv.key, ".", "/"), kv.value)
		}
	}
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

// confFiles lists the .conf files of a configuration directory of /etc, /run and /usr/lib in the order in which they are
// read: by name, where /etc hides /run and /run hides /usr/lib.
func confFiles(fs kernel.FS, dir string) []string {
	found := map[string]string{}
	for _, root := range []string{"/usr/lib/", "/run/", "/etc/"} {
		names, err := fs.ReadDir(root + dir)
		if err != nil {
			continue
		}
		for _, n := range names {
			if strings.HasSuffix(n, ".conf") {
				found[n] = root + dir + "/" + n
			}
		}
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[n])
	}
	return out
}

func stripComments(s string) string {
	var b strings.Builder
	for l := range strings.SplitSeq(s, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' || l[0] == ';' {
			continue
		}
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.String()
}

type sysctlLine struct {
	key, value string
	optional   bool // the line starts with a dash
}

func parseSysctl(s string) []sysctlLine {
	var out []sysctlLine
	for l := range strings.SplitSeq(stripComments(s), "\n") {
		k, v, ok := strings.Cut(l, "=")
		if !ok {
			continue
		}
		k = strings.TrimSpace(k)
		opt := strings.HasPrefix(k, "-")
		out = append(out, sysctlLine{strings.ReplaceAll(strings.TrimPrefix(k, "-"), "/", "."), strings.TrimSpace(v), opt})
	}
	return out
}
