package host_test

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// manyFiles returns n files in two directories, and an edit of each of two files that exist.
func manyFiles(n int) host.State {
	s := host.State{host.Directory{Path: "/srv/a"}, host.Directory{Path: "/srv/b"}}
	for i := range n {
		s = append(s, host.File{Path: fmt.Sprintf("/srv/%c/%d", 'a'+i%2, i), Content: fmt.Sprint(i),
			Mode: []host.Mode{0o600, 0o640, 0o644, 0o660}[i%4]})
	}
	return append(s, host.Line{Path: "/etc/hosts", Line: "192.0.2.1 one"}, host.Line{Path: "/etc/issue", Line: "two"},
		host.Line{Path: "/etc/hosts", Line: "192.0.2.2 three"})
}

// TestFilesShareTheirSyncs: files that nothing comes between are moved into place with the same syncs, however many
// they are.
func TestFilesShareTheirSyncs(t *testing.T) {
	syncs := func(n int) int64 {
		box, m := open(t, hosttest.Config{})
		settle(t, m, manyFiles(n))
		return box.Counters().Commands["sync"]
	}
	if few, many := syncs(2), syncs(40); few != many || many > 10 {
		t.Errorf("%d syncs for 2 files, %d for 40", few, many)
	}
}

// TestStagedFilesFailAlone: of the files that are moved into place together, those fail whose own move fails; a sync
// that fails for all of them is made for each.
func TestStagedFilesFailAlone(t *testing.T) {
	statuses := func(t *testing.T, box *hosttest.Machine, m *host.Machine, between func(*hosttest.Machine)) (failed string) {
		t.Helper()
		p, err := m.Plan(t.Context(), manyFiles(6)[2:])
		if err != nil {
			t.Fatal(err)
		}
		between(box)
		r, err := p.Apply(t.Context(), nil)
		var ids []string
		for _, res := range r.Results {
			if res.Status == lab.StatusFailed {
				_, id, _ := strings.Cut(res.ID, "/pi1/")
				ids = append(ids, id)
			} else if res.Status != lab.StatusDone && res.Status != lab.StatusSkipped {
				t.Errorf("%s is %s", res.ID, res.Status)
			}
		}
		if (err != nil) != (len(ids) > 0) {
			t.Errorf("%v\n%s", err, r)
		}
		if err != nil {
			return strings.Join(ids, " ") + ": " + err.Error()
		}
		return ""
	}
	sh := func(script string) func(*hosttest.Machine) {
		return func(box *hosttest.Machine) {
			if out, err := box.Exec("sudo sh -c " + ssh.Quote(script)); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	}
	for _, c := range []struct {
		name    string
		between func(*hosttest.Machine)
		failed  string // IDs
		says    string
	}{
		{"nothing", func(*hosttest.Machine) {}, "", ""},
		{"a directory is in the way", sh("mkdir /srv/b/3"), "file:/srv/b/3", "3"},
		{"no parent", sh("rm -r /srv/b"), "file:/srv/b/1 file:/srv/b/3 file:/srv/b/5", "Directory nonexistent"},
		{"edited since the plan", sh("echo x >>/etc/issue"), "line:/etc/issue:two", "changed since it was planned"},
		{"the sync of all is killed", func(b *hosttest.Machine) { b.Faults().KillCommand("sync", 3) }, "", ""},
		{"the sync of the directories is killed", func(b *hosttest.Machine) { b.Faults().KillCommand("sync", 4) }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			box, m := open(t, hosttest.Config{})
			sh("mkdir /srv/a /srv/b")(box)
			got := statuses(t, box, m, c.between)
			if ids, _, _ := strings.Cut(got, ": "); ids != c.failed || !strings.Contains(got, c.says) {
				t.Errorf("got %q, want %q: %q", got, c.failed, c.says)
			}
			if left, err := box.Exec("find / -xdev -name '.lab-*'"); err != nil || left != "" {
				t.Errorf("left behind: %q %v", left, err)
			}
			if c.failed == "" {
				settle(t, m, manyFiles(6)[2:])
			}
		})
	}
}
