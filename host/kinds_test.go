package host

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// blank returns an observation of a machine that has nothing.
func blank() *Observation {
	o := newObservationParser(&Query{}).o
	o.pending, o.prints = map[string]bool{}, map[string]string{}
	o.now = time.Unix(1_800_000_000, 0)
	o.Facts = Facts{Hostname: "pi1", Arch: "aarch64", Uptime: time.Hour}
	return o
}

func (o *Observation) with(change func(*Observation)) *Observation {
	change(o)
	return o
}

func (o *Observation) file(path, content string) *Observation {
	o.contents[path] = []byte(content)
	o.sums[path] = hexSum([]byte(content))
	o.shown[path] = []byte(content)
	o.paths[path] = Stat{Type: RegularFile, Mode: 0o644, User: "root", Group: "root", Size: int64(len(content))}
	return o
}

func TestLineAndBlock(t *testing.T) {
	for _, c := range []struct {
		name         string
		r            interface{ change([]string) []string }
		before, want string
	}{
		{"appended", Line{Line: "x"}, "a\n", "a\nx\n"},
		{"there", Line{Line: "x"}, "x\na\n", "x\na\n"},
		{"there without newline", Line{Line: "x"}, "a\nx", "a\nx"},
		{"appended to a last line without newline", Line{Line: "x"}, "a", "a\nx\n"},
		{"to nothing", Line{Line: "x"}, "", "x\n"},
		{"the last match is the one", Line{Line: "k=2", Match: "^k="}, "k=0\na\nk=1\n", "k=0\na\nk=2\n"},
		{"replaced, last line without newline", Line{Line: "k=2", Match: "^k="}, "k=0", "k=2"},
		{"after", Line{Line: "x", InsertAfter: "^a"}, "a1\na2\nb\n", "a1\na2\nx\nb\n"},
		{"before", Line{Line: "x", InsertBefore: "^b"}, "a\nb1\nb2\n", "a\nb1\nx\nb2\n"},
		{"after nothing that matches", Line{Line: "x", InsertAfter: "^z"}, "a\n", "a\nx\n"},
		{"gone", Line{Match: "^k=", Absent: true}, "k=0\na\nk=1\n", "a\n"},
		{"gone by itself", Line{Line: "a", Absent: true}, "a\nab\na", "ab\n"},
		{"carriage returns are content", Line{Line: "x"}, "x\r\n", "x\r\nx\n"},
		{"block", Block{Name: "n", Content: "1\n2"}, "a\n", "a\n# BEGIN lab n\n1\n2\n# END lab n\n"},
		{"block there", Block{Name: "n", Content: "1\n2\n"}, "a\n# BEGIN lab n\n1\n2\n# END lab n\nb\n", "a\n# BEGIN lab n\n1\n2\n# END lab n\nb\n"},
		{"block there at the end without newline", Block{Name: "n", Content: "1\n"}, "# BEGIN lab n\n1\n# END lab n", "# BEGIN lab n\n1\n# END lab n"},
		{"block changed in its place", Block{Name: "n", Content: "3"}, "a\n# BEGIN lab n\n1\n2\n# END lab n\nb\n", "a\n# BEGIN lab n\n3\n# END lab n\nb\n"},
		{"another block is left", Block{Name: "n", Content: "3"}, "# BEGIN lab m\n1\n# END lab m\n", "# BEGIN lab m\n1\n# END lab m\n# BEGIN lab n\n3\n# END lab n\n"},
		{"block gone", Block{Name: "n", Absent: true}, "a\n# BEGIN lab n\n1\n# END lab n\nb\n", "a\nb\n"},
		{"block cut in two keeps what may be others' lines", Block{Name: "n", Content: "3"}, "# BEGIN lab n\n1\n", "1\n# BEGIN lab n\n3\n# END lab n\n"},
		{"empty block", Block{Name: "n"}, "", "# BEGIN lab n\n# END lab n\n"},
		{"another comment", Block{Name: "n", Comment: "//", Content: "x"}, "", "// BEGIN lab n\nx\n// END lab n\n"},
	} {
		got := strings.Join(c.r.change(splitKeep(c.before)), "")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if again := strings.Join(c.r.change(splitKeep(got)), ""); again != got {
			t.Errorf("%s: a second time %q", c.name, again)
		}
	}
}

// FuzzLineConverges: whatever the file, a second edit changes nothing, and no other line is lost.
func FuzzLineConverges(f *testing.F) {
	f.Add("a\nb\nk=1", "k=2", "^k=", "^a", false)
	f.Add("", "x", "", "", false)
	f.Add("x\n\nx", "x", "", "", true)
	f.Fuzz(func(t *testing.T, file, line, match, after string, absent bool) {
		l := Line{Path: "/f", Line: line, Match: match, InsertAfter: after, Absent: absent}
		if len(l.Validate()) > 0 {
			return
		}
		once := strings.Join(l.change(splitKeep(file)), "")
		if twice := strings.Join(l.change(splitKeep(once)), ""); twice != once {
			t.Fatalf("%q, then %q", once, twice)
		}
		b := Block{Path: "/f", Name: "n", Content: line, InsertAfter: after, Absent: absent}
		if len(b.Validate()) > 0 {
			return
		}
		once = strings.Join(b.change(splitKeep(file)), "")
		if twice := strings.Join(b.change(splitKeep(once)), ""); twice != once {
			t.Fatalf("block: %q, then %q", once, twice)
		}
	})
}

// causes returns the names and causes of a resource's ops.
func causes(t *testing.T, r Resource, o *Observation) []string {
	t.Helper()
	ops, err := r.Plan(o)
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	var out []string
	for _, op := range ops {
		out = append(out, strings.TrimSpace(op.Name+" "+string(op.Action)+": "+op.Cause))
	}
	return out
}

func TestUnitIsRestartedExactlyWhenItMust(t *testing.T) {
	u := Unit{Name: "a.service", State: Started, RestartOn: []string{"file:/etc/a"}, ReloadOn: []string{"file:/etc/b"}}
	u = u.Bind(&Whole{resources: []Resource{File{Path: "/etc/a"}, File{Path: "/etc/b"}}}).(Unit)
	running := func() *Observation {
		o := blank().file("/etc/a", "x").file("/etc/b", "y")
		o.prints = map[string]string{"file:/etc/a": "A", "file:/etc/b": "B"}
		o.units["a.service"] = UnitState{Load: "loaded", Active: "active", InvocationID: "i1", Entered: 10 * time.Minute}
		return o
	}
	started := running().now.Add(-time.Hour).Add(10 * time.Minute)
	stamp := func(o *Observation, invocation string) *Observation {
		return o.file(u.stamp(), invocation+" "+u.want(u.RestartOn, o)+" "+u.want(u.ReloadOn, o)+"\n")
	}
	ctime := func(o *Observation, path string, at time.Time) *Observation {
		s := o.paths[path]
		s.Changed = at
		o.paths[path] = s
		return o
	}
	for _, c := range []struct {
		name string
		o    *Observation
		want string
	}{
		{"never touched by us, files older", ctime(running(), "/etc/a", started.Add(-time.Minute)), ""},
		{"never touched by us, file younger", ctime(running(), "/etc/a", started.Add(time.Minute)), "restart run: /etc/a changed after it was started"},
		{"never touched by us, the other file younger", ctime(running(), "/etc/b", started.Add(time.Minute)), "reload run: /etc/b changed after it was started"},
		{"stamped, as configured", ctime(stamp(running(), "i1"), "/etc/a", started.Add(time.Minute)), ""},
		{"stamped, configuration is another now", stamp(running(), "i1").with(func(o *Observation) { o.prints["file:/etc/a"] = "A2" }), "restart run: runs with an earlier configuration"},
		{"stamped, the reloaded one is another", stamp(running(), "i1").with(func(o *Observation) { o.prints["file:/etc/b"] = "B2" }), "reload run: runs with an earlier configuration"},
		{"stamped by an earlier run of the unit", ctime(stamp(running(), "i0"), "/etc/a", started.Add(-time.Minute)), ""},
		{"stamped by an earlier run, file younger", ctime(stamp(running(), "i0"), "/etc/a", started.Add(time.Minute)), "restart run: /etc/a changed after it was started"},
		{"the change is in this plan", running().with(func(o *Observation) { o.pending["file:/etc/a"] = true; o.pending["file:/etc/b"] = true }), "restart run: notified by file:/etc/a"},
		{"not running", running().with(func(o *Observation) {
			o.units["a.service"] = UnitState{Load: "loaded", Active: "inactive"}
			o.pending["file:/etc/a"] = true
		}), "start run: is inactive"},
		{"failed", running().with(func(o *Observation) { o.units["a.service"] = UnitState{Load: "loaded", Active: "failed"} }), "start run: is failed"},
		{"not known yet", blank(), "start run: is absent"},
	} {
		if got := strings.Join(causes(t, u, c.o), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnitEnabling(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		u    Unit
		st   UnitState
		want string
	}{
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "enabled"}, ""},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "disabled"}, "enable update: is disabled"},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "enabled-runtime"}, "enable update: is enabled-runtime"},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "static"}, ""},
		{Unit{Enabled: &no}, UnitState{Load: "loaded", File: "static"}, ""},
		{Unit{Enabled: &no}, UnitState{Load: "loaded", File: "enabled"}, "disable update: is enabled"},
		{Unit{Enabled: &yes, State: Started}, UnitState{Load: "masked", File: "masked"}, "unmask update: is masked; enable update: is masked; start run: is absent"},
		{Unit{Masked: true, State: Stopped}, UnitState{Load: "loaded", Active: "active"}, "mask update: not masked; stop run: is active"},
		{Unit{Masked: true}, UnitState{Load: "masked", File: "masked"}, ""},
		{Unit{Masked: true}, UnitState{Load: "masked", File: "masked-runtime"}, "mask update: not masked"},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "linked"}, ""},
		{Unit{Enabled: &yes}, UnitState{Load: "loaded", File: "linked", install: true}, "enable update: is linked"},
		{Unit{Enabled: &no}, UnitState{Load: "loaded", File: "linked", install: true}, ""},
		{Unit{}, UnitState{Load: "loaded", Active: "active", File: "disabled"}, ""},
	} {
		c.u.Name = "a.service"
		o := blank().with(func(o *Observation) { o.units["a.service"] = c.st })
		if got := strings.Join(causes(t, c.u, o), "; "); got != c.want {
			t.Errorf("%+v %+v: %q, want %q", c.u, c.st, got, c.want)
		}
	}
}

func TestPackage(t *testing.T) {
	for _, c := range []struct {
		p    Package
		st   PackageState
		want string
	}{
		{Package{}, PackageState{Installed: true, Status: "ii", Version: "1"}, ""},
		{Package{}, PackageState{}, "create: not installed"},
		{Package{}, PackageState{Status: "rc"}, "create: not installed"},
		{Package{}, PackageState{Status: "iF"}, "update: is half installed: iF"},
		{Package{Version: "2"}, PackageState{Installed: true, Status: "ii", Version: "1"}, "update: version is 1, not 2"},
		{Package{Version: "2"}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"}, "error: change version: refused: it is held at version 1"},
		{Package{Version: "2", Hold: true}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"}, "update: version is 1, not 2; hold update: not held"},
		{Package{Hold: true}, PackageState{Installed: true, Status: "ii", Version: "1"}, "hold update: not held"},
		{Package{Hold: true}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"}, ""},
		{Package{Absent: true}, PackageState{Installed: true, Status: "ii", Version: "1"}, "delete: is installed, version 1"},
		{Package{Absent: true}, PackageState{Status: "rc"}, ""},
		{Package{Absent: true}, PackageState{Status: "iF"}, "delete: is half installed: iF"},
		{Package{Absent: true}, PackageState{Status: "un"}, ""},
		{Package{Absent: true}, PackageState{Installed: true, Held: true, Status: "hi", Version: "1"}, "error: remove package: refused: it is held at version 1"},
	} {
		c.p.Name = "aa"
		o := blank().with(func(o *Observation) { o.packages["aa"] = c.st })
		if got := strings.Join(causes(t, c.p, o), "; "); got != c.want {
			t.Errorf("%+v %+v: %q, want %q", c.p, c.st, got, c.want)
		}
	}
}

func TestKernelCmdline(t *testing.T) {
	k := KernelCmdline{Words: []string{"cgroup_enable=cpuset", "cgroup_memory=1", "cgroup_enable=memory"}, Controllers: []string{"memory"}, Reboot: true}
	const file = "/boot/firmware/cmdline.txt"
	pi := func(line, running, controllers string) *Observation {
		o := blank().file(file, line)
		o.Facts.Model, o.Facts.Cmdline, o.Facts.Controllers = "Raspberry Pi 5", running, controllers
		return o
	}
	all := "console=tty1 root=PARTUUID=1 cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"
	for _, c := range []struct {
		name string
		o    *Observation
		want string
	}{
		{"fresh", pi("console=tty1 root=PARTUUID=1\n", "root=x", "cpu"), "update: lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory; reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"one word shares its key with another", pi("root=x cgroup_enable=cpuset cgroup_memory=1\n", all, "memory"), "update: lacks cgroup_enable=memory"},
		{"written, not booted", pi(all+"\n", "root=x", "cpu"), "reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"right; the firmware puts a word of its own before", pi(all, "cgroup_disable=memory "+all, "cpu memory"), ""},
		{"a kernel that does not do it", pi(all, all, "cpu"), "error: enable cgroup controller: not found: the controller memory"},
		{"two lines", pi("root=x\nmore\n", all, "memory"), "error: change kernel command line: conflict: " + file + " has 2 lines"},
		{"no root", pi("console=tty1\n", all, "memory"), "error: change kernel command line: conflict: " + file + " names no root"},
		{"no Pi", blank().file(file, "root=x"), ""},
		{"no file", blank().with(func(o *Observation) { o.Facts.Model = "Raspberry Pi 5" }), ""},
	} {
		if got := strings.Join(causes(t, k, c.o), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	ops, err := k.Plan(pi("console=tty1   root=PARTUUID=1\tquiet\n", all, "memory"))
	if err != nil || len(ops) != 1 || string(ops[0].Payload.Content) != "console=tty1 root=PARTUUID=1 quiet cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory\n" {
		t.Errorf("%v %+v", err, ops)
	}
}

func TestDiskIsNeverTakenByMistake(t *testing.T) {
	const dev = "/dev/sda"
	blankDisk := diskFacts{device: dev, size: 1 << 40, parts: []blockDevice{{Path: dev, Type: "disk"}}, blank: true}
	d := Disk{Device: "/dev/disk/by-id/usb-X", Label: "longhorn", Initialise: InitialiseIfBlank, MinSize: 1 << 39}
	for _, c := range []struct {
		name  string
		d     Disk
		facts func(*diskFacts)
		want  string // part of the error, "initialise", or nothing
	}{
		{"blank", d, func(*diskFacts) {}, "initialise"},
		{"has the label", d, func(f *diskFacts) {
			f.parts = append(f.parts, blockDevice{Path: "/dev/sda1", Type: "part", Label: "longhorn", FSType: "ext4", MountPoint: "/mnt"})
			f.blank = false
		}, ""},
		{"has the label on another file system", d, func(f *diskFacts) {
			f.parts = append(f.parts, blockDevice{Path: "/dev/sda1", Label: "longhorn", FSType: "ntfs"})
		}, "is ntfs, not ext4"},
		{"missing", d, func(f *diskFacts) { *f = diskFacts{missing: true} }, "not found"},
		{"never", Disk{Device: d.Device, Label: "longhorn"}, func(*diskFacts) {}, "no file system with the label"},
		{"mounted", d, func(f *diskFacts) { f.parts[0].MountPoint = "/" }, "is mounted at /"},
		{"mounted, says the kernel", d, func(f *diskFacts) { f.mounted = []string{"/x"} }, "mounted at /x"},
		{"file system without partitions", d, func(f *diskFacts) { f.parts[0].FSType = "LVM2_member" }, "contains LVM2_member"},
		{"a partition", d, func(f *diskFacts) { f.parts = append(f.parts, blockDevice{Path: "/dev/sda1", Type: "part"}) }, "has the partition"},
		{"in fstab", d, func(f *diskFacts) { f.fstab = true }, "fstab names it"},
		{"swap", d, func(f *diskFacts) { f.swap = true }, "swap"},
		{"held", d, func(f *diskFacts) { f.holders = "dm-0" }, "held by dm-0"},
		{"signature", d, func(f *diskFacts) { f.signature = "crypto_LUKS" }, "signature of crypto_LUKS"},
		{"small", d, func(f *diskFacts) { f.size = 1 << 38 }, "fewer than"},
		{"raw data without a signature", d, func(f *diskFacts) { f.blank, f.data = false, "20" }, "data on it, at 20 MiB"},
		{"not read to the end", d, func(f *diskFacts) { f.blank = false }, "not enough of it could be read"},
	} {
		f := blankDisk
		f.parts = slices.Clone(blankDisk.parts)
		c.facts(&f)
		initialise, err := c.d.decide(f)
		switch {
		case c.want == "" || c.want == "initialise":
			if err != nil || initialise != (c.want != "") {
				t.Errorf("%s: %t %v", c.name, initialise, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || len(lab.Hints(err)) == 0:
			t.Errorf("%s: %t %v", c.name, initialise, err)
		}
	}
	// what cannot be read as a fact stops the plan, it does not count as "nothing found"
	for _, out := range []string{"wipefs garbage", "blkid 4 cannot open", "lsblk\n{\n."} {
		if _, err := readDiskFacts(out); err == nil {
			t.Errorf("%q was read", out)
		}
	}
}

func TestHostnameOfANodeIsKept(t *testing.T) {
	o := blank().file("/etc/hostname", "raspberrypi\n").file("/etc/hosts", "127.0.0.1 localhost\n")
	o.Facts.Hostname = "raspberrypi"
	if got := causes(t, Hostname{Name: "pi1"}, o); len(got) != 3 {
		t.Errorf("%q", got)
	}
	o.paths[k3sData] = Stat{Type: DirFile}
	if _, err := (Hostname{Name: "pi1"}).Plan(o); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a k3s node was renamed: %v", err)
	}
}

func TestStateFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		s    State
		want []string
	}{
		{"good", State{File{Path: "/a"}, Unit{Name: "a.service", RestartOn: []string{"file:/a"}}}, nil},
		{"all at once", State{File{Path: "a"}, Directory{Path: "/"}, Command{Name: "x", Run: "x"}, nil}, []string{"[0].path: is not absolute", "[1].path: is the root directory", "[2].unless", "[3]: is nil"}},
		{"twice", State{File{Path: "/a"}, File{Path: "/a"}}, []string{"[1]: the same as [0]: file:/a"}},
		{"unknown order, nearest", State{File{Path: "/abc"}, File{Path: "/b", Order: Order{After: []string{"file:/abd"}}}}, []string{"nearest: file:/abc"}},
		{"cycle", State{File{Path: "/a", Order: Order{After: []string{"file:/b"}}}, File{Path: "/b", Order: Order{After: []string{"file:/a"}}}}, []string{"comes after itself: file:/a, after file:/b, after file:/a"}},
		{"file and line", State{File{Path: "/a", Content: "x"}, Line{Path: "/a", Line: "y"}}, []string{"is managed as a whole by"}},
		{"secret for all", State{File{Path: "/a", Value: lab.NewSecret("x"), Mode: 0o644}}, []string{"every user of the machine could read the secret"}},
		{"path not clean", State{File{Path: "/a/../b"}}, []string{"use /b"}},
		{"unstable device", State{Mount{Path: "/m", Source: "/dev/sda1"}}, []string{"may name a different disk after a reboot"}},
		{"disk by letter", State{Disk{Device: "/dev/sda", Label: "x"}}, []string{"does not name the disk by its serial number"}},
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

// TestOrder: parents before children and accounts before what they own, in whatever order they are written.
func TestOrder(t *testing.T) {
	s := State{
		File{Path: "/a/b/c", Owner: "u"}, Directory{Path: "/a/b"}, Directory{Path: "/a"}, User{Name: "u", Groups: []string{"g"}}, Group{Name: "g"},
		Unit{Name: "x.service"}, UnitFile{Name: "x.service", Content: "[Service]"}, Package{Name: "pp"}, AptSource{Name: "s", URIs: []string{"u"}, Suites: []string{"x"}},
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
	if err != nil || len(only) != 3 {
		t.Errorf("%d %v", len(only), err)
	}
}

func TestSumsOfOddNames(t *testing.T) {
	p := newObservationParser(&Query{})
	sum := strings.Repeat("ab", 32)
	p.sums.WriteString(`\` + sum + `  /a\nb\\c` + "\n" + sum + "  /plain  name\n")
	p.readSums()
	if p.o.sums["/a\nb\\c"] != sum || p.o.sums["/plain  name"] != sum {
		t.Errorf("%q", p.o.sums)
	}
	if _, err := hex.DecodeString(sum); err != nil {
		t.Fatal(err)
	}
}

// TestKeyBody finds the key behind any options.
func TestKeyBody(t *testing.T) {
	for line, want := range map[string]string{
		"ssh-ed25519 AAAA":         "AAAA",
		"ssh-ed25519 AAAA a b":     "AAAA",
		"restrict ssh-rsa BBBB it": "BBBB",
		`command="ssh-wrapper CCCC x",no-pty ecdsa-sha2-nistp256 DDDD x`: "DDDD",
		`command="/bin/x ssh-add EEEE" sk-ssh-ed25519@openssh.com FFFF`:  "FFFF",
		`command="say \"ssh-x GGGG\"" ssh-ed25519 HHHH it's "x`:          "HHHH",
		"ssh-ed25519 AAAA\n": "AAAA", "\tssh-ed25519\tAAAA\r\n": "AAAA",
		"": "", "ssh-ed25519": "", "AAAA": "", `command="ssh-ed25519 AAAA`: "",
	} {
		if got := keyBody(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
