package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// KernelCmdline are words on the kernel's command line, on a Raspberry Pi: in the one line of its cmdline.txt. Words that are there are never
// removed. Elsewhere, where there is no such file, nothing is done.
//
// A change asks for a reboot. When the running kernel has the words and its cgroup controllers still lack one that Controllers names, the
// kernel is at fault, and no reboot helps (raspberrypi/linux issue 5933): that is an error.
type KernelCmdline struct {
	Order `yaml:",inline"`

	Words       []string `yaml:"words"`       // "cgroup_enable=memory"; compared whole, since two may share what is before the =
	Controllers []string `yaml:"controllers"` // cgroup controllers that the words are there for: "memory"; empty means that none is checked
	Reboot      bool     `yaml:"reboot"`      // reboot when the running kernel lacks a word; false leaves that to others
}

// ID returns "cmdline:kernel".
func (KernelCmdline) ID() string { return "cmdline:kernel" }

// cmdlineFiles are where the line is: Raspberry Pi OS since bookworm, Ubuntu since 25, and before.
var cmdlineFiles = []string{"/boot/firmware/cmdline.txt", "/boot/firmware/current/cmdline.txt", "/boot/cmdline.txt"}

// Validate implements [Resource].
func (k KernelCmdline) Validate() (ps lab.Problems) {
	for i, w := range k.Words {
		if w == "" || strings.ContainsAny(w, " \t\n\x00") {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("words[%d]", i), Text: w, Message: "is empty, or holds a space"})
		}
	}
	return ps
}

// Observe implements [Resource].
func (k KernelCmdline) Observe(q *Query) {
	for _, f := range cmdlineFiles {
		q.Content(f)
	}
}

// Plan implements [Resource].
func (k KernelCmdline) Plan(o *Observation) ([]Op, error) {
	file := ""
	for _, f := range slices.Backward(cmdlineFiles) {
		if o.Stat(f).Type == RegularFile {
			file = f
		}
	}
	if file == "" || !o.Facts.RaspberryPi() {
		return nil, nil
	}
	content, _ := o.Content(file)
	have := strings.Fields(string(content))
	fault := func(cause string) error {
		return &lab.Error{Op: "change kernel command line", Hint: "mend " + file + " by hand: it must be one line, with root=", Err: fmt.Errorf("%w: %s", lab.ErrConflict, cause)}
	}
	if lines := strings.Count(strings.TrimRight(string(content), "\n"), "\n"); lines > 0 {
		return nil, fault(fmt.Sprintf("%s has %d lines", file, lines+1))
	}
	if !slices.ContainsFunc(have, func(w string) bool { return strings.HasPrefix(w, "root=") }) {
		return nil, fault(file + " names no root")
	}
	want := slices.Clone(have)
	for _, w := range k.Words {
		if !slices.Contains(want, w) {
			want = append(want, w)
		}
	}
	var ops []Op
	running := strings.Fields(o.Facts.Cmdline)
	lacking := slices.DeleteFunc(slices.Clone(k.Words), func(w string) bool { return slices.Contains(running, w) })
	if line := strings.Join(want, " ") + "\n"; len(want) != len(have) {
		e := edit{path: file}
		edited, err := e.plan(o, func([]string) []string { return []string{line} })
		if err != nil {
			return nil, err
		}
		// The partition is FAT, which knows no owners: what matters is that the old line is kept beside the new one.
		edited[0].Script = fmt.Sprintf("cp -- %[1]s %[2]s; sync -- %[2]s\n", ssh.Quote(file), ssh.Quote(file+".bak")) + edited[0].Script
		edited[0].Cause = "lacks " + strings.Join(want[len(have):], " ")
		ops = append(ops, edited...)
	} else if len(lacking) == 0 {
		controllers := strings.Fields(o.Facts.Controllers)
		for _, c := range k.Controllers {
			if !slices.Contains(controllers, c) {
				return nil, &lab.Error{Op: "enable cgroup controller", Hint: "this kernel does not enable it though it is told to: install another kernel (raspberrypi/linux issue 5933)",
					Err: fmt.Errorf("%w: the controller %s", lab.ErrNotFound, c)}
			}
		}
	}
	if len(lacking) > 0 && k.Reboot {
		ops = append(ops, Op{Name: "reboot", Action: lab.Run, Cause: "the running kernel lacks " + strings.Join(lacking, " "), Risk: lab.RiskDisrupt, Reboot: true})
	}
	return ops, nil
}
