package hostsuite

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// roots returns the directories that a snapshot covers, quoted for a shell.
func (s *suite) roots() string {
	if s.Dir != "" {
		return ssh.Quote(s.Dir)
	}
	return "/etc /srv /opt /usr/local /home /var/spool /var/lib/dpkg /boot"
}

// snapshot maps every path to its type, mode, owner and content; with times also to its size and
// times.
func (s *suite) snapshot(t *testing.T, times bool) map[string]string {
	t.Helper()
	format := `%p\t%y %m %u:%g %l\n`
	if times {
		format = `%p\t%y %m %u:%g %l %s %T@ %C@\n`
	}
	out := map[string]string{}
	for line := range strings.Lines(s.sh(t, fmt.Sprintf("find %s -xdev -printf '%s'", s.roots(), format))) {
		p, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		out[p] = what
	}
	for line := range strings.Lines(s.sh(t, fmt.Sprintf("find %s -xdev -type f -print0 | xargs -0 -r sha256sum --", s.roots()))) {
		sum, p, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		out[p] += " " + sum
	}
	return out
}

// changed returns the paths that differ between two snapshots.
func changed(before, after map[string]string) (paths []string) {
	for p := range before {
		if before[p] != after[p] {
			paths = append(paths, p)
		}
	}
	for p := range after {
		if _, ok := before[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// plainer returns the snapshot without sizes and times.
func (s *suite) plainer(in map[string]string) map[string]string {
	out := map[string]string{}
	for p, what := range in {
		f := strings.Fields(what)
		out[p] = strings.Join(append(slices.Clone(f[:min(3, len(f))]), f[max(0, len(f)-1):]...), " ")
		if strings.HasPrefix(what, "d ") {
			out[p] = strings.Join(f[:3], " ")
		}
	}
	return out
}
