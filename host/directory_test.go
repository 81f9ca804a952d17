package host_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// TestDirectoryBehindALink: a link to a directory is accepted if the state says so, and otherwise the plan
// names the ways out, none of which moves away what is behind the link.
func TestDirectoryBehindALink(t *testing.T) {
	both(t, func(t *testing.T, m *host.Machine, dir string) {
		run := rootRun(t, m)
		run("cd '" + dir + "'; mkdir -m 0755 disk; echo data >disk/data; ln -s disk link; ln -s nowhere dangling; ln -s disk/data file")
		for _, c := range []struct {
			d          host.Directory
			says, hint string
		}{
			{host.Directory{Path: dir + "/link"}, "is a link to disk", "followLink: true"},
			{host.Directory{Path: dir + "/dangling"}, "is a link to nowhere", "create that first"},
			{host.Directory{Path: dir + "/dangling", FollowLink: true}, "is a link to nowhere", "create that first"},
			{host.Directory{Path: dir + "/file", FollowLink: true}, "is a link to disk/data", "points to no directory"},
			{host.Directory{Path: dir + "/disk/data"}, "is a file", "move it away"},
			{host.Directory{Path: dir + "/link", Absent: true}, "is a link to disk", "link resource"},
			{host.Directory{Path: dir + "/link", Absent: true, Purge: true}, "is a link to disk", "link resource"},
		} {
			_, err := m.Plan(t.Context(), host.State{c.d})
			if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(strings.Join(lab.Hints(err), "\n"), c.hint) {
				t.Errorf("%+v: %v, hints %q", c.d, err, lab.Hints(err))
			}
		}
		settle(t, m, host.State{host.Directory{Path: dir + "/link", FollowLink: true, Mode: 0o750, Owner: "daemon"}})
		settle(t, m, host.State{host.Directory{Path: dir + "/disk", FollowLink: true, Mode: 0o750, Owner: "daemon"}})
		settle(t, m, host.State{host.Directory{Path: dir + "/new", FollowLink: true, Mode: 0o750}})
		settle(t, m, host.State{host.Directory{Path: dir + "/link", FollowLink: true}, host.File{Path: dir + "/link/f", Content: "x"}})
		settle(t, m, host.State{host.Directory{Path: dir + "/nowhere"}, host.Directory{Path: dir + "/dangling", FollowLink: true, Mode: 0o755}})
		if got := run("cd '" + dir + "'; stat -c '%a %U' disk; readlink link; cat disk/data disk/f"); got != "755 root\ndisk\ndata\nx" {
			t.Errorf("in the end %q", got)
		}
	})
}
