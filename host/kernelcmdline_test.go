package host

import (
	"strings"
	"testing"
)

func TestKernelCmdline(t *testing.T) {
	k := KernelCmdline{
		Words:       []string{"cgroup_enable=cpuset", "cgroup_memory=1", "cgroup_enable=memory"},
		Controllers: []string{"memory"},
		Reboot:      true,
	}
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
		{"fresh", pi("console=tty1 root=PARTUUID=1\n", "root=x", "cpu"),
			"update: lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory; " +
				"reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"two words with the same key", pi("root=x cgroup_enable=cpuset cgroup_memory=1\n", all, "memory"),
			"update: lacks cgroup_enable=memory"},
		{"written, not booted", pi(all+"\n", "root=x", "cpu"),
			"reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"complete; the firmware adds a word of its own", pi(all, "cgroup_disable=memory "+all, "cpu memory"), ""},
		{"a kernel that ignores the words", pi(all, all, "cpu"),
			"error: enable cgroup controller: not found: the controller memory"},
		{"two lines", pi("root=x\nmore\n", all, "memory"),
			"error: change kernel command line: conflict: " + file + " has 2 lines"},
		{"no root", pi("console=tty1\n", all, "memory"),
			"error: change kernel command line: conflict: " + file + " names no root"},
		{"no Pi", blank().file(file, "root=x"), ""},
		{"no file", blank().with(func(o *Observation) { o.Facts.Model = "Raspberry Pi 5" }), ""},
	} {
		if got := strings.Join(causes(t, k, c.o), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	ops, err := k.Plan(pi("console=tty1   root=PARTUUID=1\tquiet\n", all, "memory"))
	if err != nil || len(ops) != 1 ||
		string(
			ops[0].Payload.Content,
		) != "console=tty1 root=PARTUUID=1 quiet cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory\n" {
		t.Errorf("%v %+v", err, ops)
	}
}
