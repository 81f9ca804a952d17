package host

import (
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestStateProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		s    State
		want []string
	}{
		{"good", State{File{Path: "/a"}, Unit{Name: "a.service", RestartOn: []string{"file:/a"}}}, nil},
		{"all at once", State{File{Path: "a"}, Directory{Path: "/"}, Command{Name: "x", Run: "x"}, nil},
			[]string{"[0].path: is not absolute", "[1].path: is the root directory", "[2].unless", "[3]: is nil"}},
		{"twice", State{File{Path: "/a"}, File{Path: "/a"}}, []string{"[1]: the same as [0]: file:/a"}},
		{"unknown order, nearest", State{File{Path: "/abc"}, File{Path: "/b", Order: Order{After: []string{"file:/abd"}}}},
			[]string{"nearest: file:/abc"}},
		{"cycle",
			State{File{Path: "/a", Order: Order{After: []string{"file:/b"}}}, File{Path: "/b", Order: Order{After: []string{"file:/a"}}}},
			[]string{"comes after itself: file:/a, after file:/b, after file:/a"}},
		{"file and line", State{File{Path: "/a", Content: "x"}, Line{Path: "/a", Line: "y"}},
			[]string{"is managed as a whole by"}},
		{"world-readable secret", State{File{Path: "/a", Value: lab.NewSecret("x"), Mode: 0o644}},
			[]string{"every user of the machine could read the secret"}},
		{"path not clean", State{File{Path: "/a/../b"}}, []string{"use /b"}},
		{"unstable device", State{Mount{Path: "/m", Source: "/dev/sda1"}},
			[]string{"may name a different disk after a reboot"}},
		{"disk by letter", State{Disk{Device: "/dev/sda", Label: "x"}},
			[]string{"does not name the disk by its serial number"}},
	} {
		err := c.s.Validate()
		if len(c.want) == 0 && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q", c.name, err, w)
			}
		}
	}
}

// TestOrder: dependencies come first, in whatever order the state lists the resources.
func TestOrder(t *testing.T) {
	s := State{
		File{Path: "/a/b/c", Owner: "u"},
		Directory{Path: "/a/b"}, Directory{Path: "/a"}, User{Name: "u", Groups: []string{"g"}}, Group{Name: "g"},
		Unit{Name: "x.service"},
		UnitFile{Name: "x.service", Content: "[Service]"}, Package{Name: "pp"},
		AptSource{Name: "s", URIs: []string{"u"}, Suites: []string{"x"}},
	}
	nodes, err := s.expand().order(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range nodes {
		got = append(got, n.resource.ID())
	}
	before := func(a, b string) {
		i, j := slices.Index(got, a), slices.Index(got, b)
		if i < 0 || j < 0 || i > j {
			t.Errorf("%s does not come before %s in %q", a, b, got)
		}
	}
	before("directory:/a", "directory:/a/b")
	before("directory:/a/b", "file:/a/b/c")
	before("group:g", "user:u")
	before("user:u", "file:/a/b/c")
	before("file:/etc/systemd/system/x.service", "systemd:daemon-reload")
	before("systemd:daemon-reload", "unit:x.service")
	before("file:/etc/apt/sources.list.d/s.sources", "apt:update")
	before("apt:update", "package:pp")
	only, err := s.expand().order([]string{"file:*", "aptsource:s"})
	if err != nil || len(only) != 4 { // the file, the two of the source, and the check of all sources
		t.Errorf("%d %v", len(only), err)
	}
}
