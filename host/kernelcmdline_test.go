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
		o.Facts.BootID = "now"
		return o
	}
	noted := func(boot string, words ...string) string { return boot + " " + strings.Join(words, " ") + "\n" }
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
		{"written by hand, not booted", pi(all+"\n", "root=x", "cpu"),
			"note create: a reboot that changes nothing must not be repeated; " +
				"reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"written in this boot", pi(all+"\n", "root=x", "cpu").file(cmdlineNote, noted("now", k.Words...)),
			"reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"written, booted, and not read", pi(all+"\n", "root=x", "cpu").file(cmdlineNote, noted("before", k.Words...)),
			"error: change kernel command line: conflict: " + file + " has cgroup_enable=cpuset cgroup_memory=1 " +
				"cgroup_enable=memory, and the machine has booted since, and its kernel lacks it"},
		{"other words since", pi(all+"\n", "root=x", "cpu").file(cmdlineNote, noted("before", "quiet")),
			"note create: a reboot that changes nothing must not be repeated; " +
				"reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"lost again after that", pi("root=x\n", "root=x", "cpu").file(cmdlineNote, noted("before", k.Words...)),
			"update: lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory; " +
				"reboot run: the running kernel lacks cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"},
		{"turned off after them", pi(all+" cgroup_disable=memory\n", all+" cgroup_disable=memory", "cpu"),
			"error: enable cgroup controller: conflict: " + file + " has cgroup_disable=memory"},
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

// TestKernelCmdlineFiles: the line is written to the first of the files that exists, and nowhere else.
func TestKernelCmdlineFiles(t *testing.T) {
	for _, files := range [][]string{
		{"/boot/firmware/cmdline.txt"}, {"/boot/firmware/current/cmdline.txt"}, {"/boot/cmdline.txt"},
		{"/boot/firmware/cmdline.txt", "/boot/cmdline.txt"},
		{"/boot/firmware/current/cmdline.txt", "/boot/cmdline.txt"},
	} {
		o := blank()
		for _, f := range files {
			o.file(f, "root=x\n")
		}
		o.Facts.Model = "Raspberry Pi 5"
		ops, err := KernelCmdline{Words: []string{"a=b"}}.Plan(o)
		if err != nil || len(ops) != 1 || ops[0].Payload.Replaces != files[0] {
			t.Errorf("%q: %v %+v", files, err, ops)
		}
	}
	for _, word := range []string{"root=/dev/sda1", "init=/bin/sh", "rw", "a b", ""} {
		if ps := (KernelCmdline{Words: []string{word}}).Validate(); len(ps) != 1 || ps[0].Path != "words[0]" {
			t.Errorf("%q: %v", word, ps)
		}
	}
}
