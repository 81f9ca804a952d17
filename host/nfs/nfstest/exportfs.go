// Package nfstest gives a machine of host/hosttest the program exportfs of nfs-kernel-server, as far as package
// host/nfs asks it. Nothing can be mounted from the machine.
package nfstest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// etab is where exportfs notes what is exported.
const etab = "/var/lib/nfs/etab"

// Install answers exportfs -ra and exportfs -s once nfs-kernel-server is installed.
func Install(m *hosttest.Machine) { m.Handle("exportfs", exportfs) }

func exportfs(p *hosttest.Process) int {
	switch strings.Join(p.Args[1:], " ") {
	case "-s":
		return p.Run("sh", "-c", "cat "+etab+" 2>/dev/null || :")
	case "-ra":
		return exportAll(p)
	}
	fmt.Fprintln(p.Stderr(), "hosttest: exportfs takes -ra or -s")
	return 1
}

// exportAll exports what the files say. As in nfs-utils 2.6.2, a missing /etc/exports is an error, but the rest is
// exported; an unknown option keeps its line from being exported.
func exportAll(p *hosttest.Process) (code int) {
	fs := p.Machine().FS()
	fail := func(format string, a ...any) {
		fmt.Fprintf(p.Stderr(), "exportfs: "+format+"\n", a...)
		code = 1
	}
	var out strings.Builder
	files := []string{"/etc/exports"}
	names, _ := fs.ReadDir("/etc/exports.d")
	slices.Sort(names)
	for _, n := range names {
		if strings.HasSuffix(n, ".exports") && !strings.HasPrefix(n, ".") {
			files = append(files, path.Join("/etc/exports.d", n))
		}
	}
	for _, file := range files {
		b, err := fs.ReadFile(file)
		if err != nil {
			fail("can't open %s for reading", file)
		}
		for n, line := range strings.Split(string(b), "\n") {
			f := strings.Fields(line)
			if len(f) < 2 || strings.HasPrefix(f[0], "#") {
				continue
			}
			for _, client := range f[1:] {
				who, options, _ := strings.Cut(strings.TrimSuffix(client, ")"), "(")
				shown, unknown := show(strings.Split(options, ","))
				if unknown != "" {
					fail("%s:%d: unknown keyword \"%s\"\n", file, n+1, unknown)
					continue
				}
				fmt.Fprintf(&out, "%s  %s(%s)\n", f[0], who, shown)
			}
		}
	}
	if fs.MkdirAll(path.Dir(etab)) != nil || fs.WriteFile(etab, []byte(out.String())) != nil {
		fail("can't write %s", etab)
	}
	return code
}

// show returns the options as exportfs -s shows them, and one that it does not know.
func show(options []string) (shown, unknown string) {
	for _, o := range options {
		if !slices.Contains([]string{"", "rw", "ro", "sync", "no_subtree_check", "root_squash", "no_root_squash", "mountpoint"}, o) {
			return "", o
		}
	}
	has := func(o string) bool { return slices.Contains(options, o) }
	out := []string{"sync", "wdelay", "hide", "no_subtree_check"}
	if has("mountpoint") {
		out = append(out, "mountpoint")
	}
	access, root := "ro", "root_squash"
	if has("rw") {
		access = "rw"
	}
	if has("no_root_squash") {
		root = "no_root_squash"
	}
	return strings.Join(append(out, "sec=sys", access, root, "no_all_squash"), ","), ""
}
