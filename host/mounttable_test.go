package host

import (
	"slices"
	"strings"
	"testing"
)

// table returns the observation of a mount table, of which each line has an ID, the ID of its parent, the
// mount point, the type and the source.
func table(lines ...string) *Observation {
	o := blank()
	var info strings.Builder
	for _, l := range lines {
		f := strings.Fields(l)
		info.WriteString(f[0] + " " + f[1] + " 8:" + f[0] + " / " + f[2] + " rw,relatime shared:1 - " + f[3] + " " + f[4] + " rw\n")
	}
	o.mounts = readMountinfo(info.String())
	return o
}

// root is the line of the root directory.
const root = "20 1 / ext4 root"

func TestMountsAt(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		point string
		want  string // the sources, the lowest first
	}{
		{"nothing", []string{root}, "/data", ""},
		{"one", []string{root, "21 20 /data tmpfs a"}, "/data", "a"},
		{"a name that begins alike", []string{root, "21 20 /data2 tmpfs a"}, "/data", ""},
		{"stacked", []string{root, "21 20 /data tmpfs a", "22 21 /data tmpfs b", "23 22 /data tmpfs c"}, "/data", "a b c"},
		{"stacked, in another order", []string{root, "23 22 /data tmpfs c", "22 21 /data tmpfs b", "21 20 /data tmpfs a"}, "/data", "a b c"},
		{"below another", []string{root, "21 20 /data tmpfs a", "22 21 /data/x/y tmpfs b"}, "/data/x/y", "b"},
		{"hidden by one above", []string{root, "21 20 /data/x tmpfs hidden", "22 20 /data tmpfs a"}, "/data/x", ""},
		{"hidden, and mounted again", []string{root, "21 20 /data/x tmpfs hidden", "22 20 /data tmpfs a", "23 22 /data/x tmpfs b"},
			"/data/x", "b"},
		{"hidden by one at the same place", []string{root, "21 20 /d tmpfs a", "22 21 /d/x tmpfs hidden", "23 21 /d tmpfs b"}, "/d/x", ""},
		{"the root is its own parent", []string{"20 20 / ext4 root", "21 20 /data tmpfs a"}, "/data", "a"},
		{"the root is mounted over", []string{"1 1 / rootfs rootfs", root, "21 1 /data tmpfs hidden", "22 20 /data tmpfs a"}, "/data", "a"},
		{"the root directory is no mount point", []string{"21 7 /data tmpfs a", "22 21 /data/x tmpfs b"}, "/data/x", "b"},
		{"waits for an access", []string{root, "21 20 /data autofs systemd-1", "22 21 /data ext4 /dev/sda1"}, "/data", "systemd-1 /dev/sda1"},
		{"through a link", []string{root, "21 20 /mnt/ssd/c tmpfs a"}, "/link/c", "a"},
		{"with a blank", []string{root, `21 20 /a\040b\134\043 tmpfs a`}, `/a b\#`, "a"},
	} {
		o := table(c.lines...)
		o.resolved["/link/c"] = "/mnt/ssd/c"
		var got []string
		for _, m := range o.mountsAt(c.point) {
			got = append(got, m.Source)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAutomounts: a mount that waits for the first access, on a machine whose kernel may have none.
func TestAutomounts(t *testing.T) {
	waiting := func() *Observation { return table(root, "21 20 /data autofs systemd-1") }
	accessed := func() *Observation {
		return table(root, "21 20 /data autofs systemd-1", "22 21 /data tmpfs tmpfs")
	}
	other := func() *Observation { return table(root, "21 20 /data autofs /etc/auto.misc") }
	for _, c := range []struct {
		name string
		o    *Observation
		m    Mount
		want string
	}{
		{"waits", waiting(), Mount{Options: []string{"x-systemd.automount"}}, ""},
		{"was accessed", accessed(), Mount{Options: []string{"x-systemd.automount"}}, ""},
		{"waits, and should be mounted", waiting(), Mount{}, "mounted run: is only mounted when it is accessed"},
		{"was accessed, and should be mounted", accessed(), Mount{}, ""},
		{"belongs to another automounter", other(), Mount{},
			"error: mount: conflict: an automounter, /etc/auto.misc, decides what is mounted there"},
		{"should not be there", waiting(), Mount{Absent: true}, "unmount run: is mounted"},
	} {
		c.m.Path, c.m.Source, c.m.FSType = "/data", "tmpfs", "tmpfs"
		if !c.m.Absent {
			c.o.file(fstab, c.m.line())
		}
		if got := strings.Join(causes(t, c.m, c.o), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	ops, err := Mount{Path: "/data", Absent: true}.Plan(accessed())
	if err != nil || len(ops) != 1 || !strings.Contains(ops[0].Script, "umount -- /data\nsystemctl stop -- data.automount") {
		t.Errorf("%v %+v", err, ops)
	}
}

// TestRemountConverges: whatever options are wanted, and whatever the mount has, there is nothing to do
// once the mount has the flags that the remount asks for.
func TestRemountConverges(t *testing.T) {
	words := []string{"ro", "rw", "noexec", "exec", "nosuid", "nodev", "dev", "user", "defaults", "noatime", "relatime", "strictatime",
		"nodiratime", "nofail", "x-systemd.automount"}
	subsets := func(n int, use func([]string)) {
		for i := range 1 << n {
			var s []string
			for j := range n {
				if i>>j&1 == 1 {
					s = append(s, words[(j*7+n)%len(words)])
				}
			}
			use(s)
		}
	}
	changes := 0
	subsets(9, func(want []string) {
		subsets(6, func(have []string) {
			o := table(root, "21 20 /data ext4 /dev/sda1")
			m := Mount{Path: "/data", Source: "LABEL=a", Options: want}
			live := func(options []string) *MountState {
				s := o.mountsAt("/data")[0]
				s.Options, s.super = []string{"rw", "rw"}, []string{"rw"}
				for _, f := range wantedFlags(options) {
					if f.shown || f.option == "relatime" {
						s.Options = append(s.Options, f.option)
					}
				}
				return &s
			}
			op, ok := m.remount(o, live(have))
			if !ok {
				if a, b := live(want).flags(), live(have).flags(); !slices.Equal(a, b) {
					t.Fatalf("%q is wanted, %q is there, and nothing is done: %q %q", want, have, a, b)
				}
				return
			}
			changes++
			asked := strings.Split(strings.Trim(strings.Fields(op.Script)[2], "'"), ",")[1:]
			if _, ok := m.remount(o, live(asked)); ok {
				t.Fatalf("%q is wanted, %q is there, and %q does not end it", want, have, op.Script)
			}
		})
	})
	if changes < 1000 {
		t.Errorf("only %d remounts", changes)
	}
}
