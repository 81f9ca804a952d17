package utillinux

import (
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// ConfFiles lists the .conf files of a configuration directory of /etc, /run and /usr/lib in the order in which they are
// read: by name, where /etc hides /run and /run hides /usr/lib.
func ConfFiles(fs kernel.FS, dir string) []string {
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

func StripComments(s string) string {
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

type SysctlLine struct {
	Key, Value string
	optional   bool // the line starts with a dash
}

func ParseSysctl(s string) []SysctlLine {
	var out []SysctlLine
	for l := range strings.SplitSeq(StripComments(s), "\n") {
		k, v, ok := strings.Cut(l, "=")
		if !ok {
			continue
		}
		k = strings.TrimSpace(k)
		opt := strings.HasPrefix(k, "-")
		out = append(out, SysctlLine{strings.ReplaceAll(strings.TrimPrefix(k, "-"), "/", "."), strings.TrimSpace(v), opt})
	}
	return out
}
