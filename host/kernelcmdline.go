package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// KernelCmdline adds words to the kernel command line of a Raspberry Pi: to the one line of its
// cmdline.txt. Existing words are never removed. On other machines, which have no such file, it does
// nothing.
//
// A change asks for a reboot. If the running kernel has the words and still lacks a cgroup
// controller listed in Controllers, the kernel has a bug that no reboot fixes (raspberrypi/linux
// issue 5933), and planning fails.
type KernelCmdline struct {
	Order `yaml:",inline"`

	Words       []string `yaml:"words"`       // "cgroup_enable=memory"; compared as a whole, since two may have the same key
	Controllers []string `yaml:"controllers"` // cgroup controllers that the words enable: "memory"; empty means none
	Reboot      bool     `yaml:"reboot"`      // reboot if the running kernel lacks a word; false leaves the reboot to others
}

// ID returns "cmdline:kernel".
func (KernelCmdline) ID() string { return "cmdline:kernel" }

// cmdlineFiles are the places of the line: in Raspberry Pi OS since bookworm, in Ubuntu since 25, and
// in older versions.
var cmdlineFiles = []string{"/boot/firmware/cmdline.txt", "/boot/firmware/current/cmdline.txt", "/boot/cmdline.txt"}

// Validate implements [Resource].
func (k KernelCmdline) Validate() (ps lab.Problems) {
	for i, w := range k.Words {
		if w == "" || strings.ContainsAny(w, " \t\n\x00") {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("words[%d]", i), Text: w, Message: "is empty or contains a space"})
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
	have, err := parseCmdline(file, string(content))
	if err != nil {
		return nil, err
	}
	var ops []Op
	lacking := missing(k.Words, strings.Fields(o.Facts.Cmdline))
	switch added := missing(k.Words, have); {
	case len(added) > 0:
		ops, err = writeCmdline(o, file, have, added)
	case len(lacking) == 0:
		err = k.verifyControllers(o.Facts)
	}
	if err != nil {
		return nil, err
	}
	if len(lacking) > 0 && k.Reboot {
		ops = append(ops, Op{Name: "reboot", Action: lab.Run, Risk: lab.RiskDisrupt, Reboot: true,
			Cause: "the running kernel lacks " + strings.Join(lacking, " ")})
	}
	return ops, nil
}

// parseCmdline returns the words of the file. It must be one line, with root=.
func parseCmdline(file, content string) ([]string, error) {
	words := strings.Fields(content)
	reason := ""
	if lines := strings.Count(strings.TrimRight(content, "\n"), "\n"); lines > 0 {
		reason = fmt.Sprintf("%s has %d lines", file, lines+1)
	} else if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "root=") }) {
		reason = file + " names no root"
	}
	if reason != "" {
		return nil, &lab.Error{Op: "change kernel command line",
			Hint: "fix " + file + " by hand: it must be one line, with root=",
			Err:  fmt.Errorf("%w: %s", lab.ErrConflict, reason)}
	}
	return words, nil
}

// missing returns the words that are not among have, each once.
func missing(words, have []string) (out []string) {
	for _, w := range words {
		if !slices.Contains(have, w) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// writeCmdline returns the op that adds words to the file.
func writeCmdline(o *Observation, file string, have, added []string) ([]Op, error) {
	line := strings.Join(slices.Concat(have, added), " ") + "\n"
	ops, err := edit{path: file}.plan(o, func([]string) []string { return []string{line} })
	if err != nil {
		return nil, err
	}
	// The partition is FAT, which has no owners; what matters is that the old line is kept.
	backup := fmt.Sprintf("cp -- %[1]s %[2]s || { rm -f -- %[2]s; exit 1; }; sync -- %[2]s\n", ssh.Quote(file), ssh.Quote(file+".bak"))
	ops[0].Script = backup + ops[0].Script
	ops[0].Cause = "lacks " + strings.Join(added, " ")
	return ops, nil
}

// verifyControllers returns an error if the running kernel lacks one of the controllers.
func (k KernelCmdline) verifyControllers(f Facts) error {
	lacking := missing(k.Controllers, strings.Fields(f.Controllers))
	if len(lacking) == 0 {
		return nil
	}
	return &lab.Error{Op: "enable cgroup controller",
		Hint: "this kernel ignores its command line: install another one (raspberrypi/linux issue 5933)",
		Err:  fmt.Errorf("%w: the controller %s", lab.ErrNotFound, lacking[0])}
}
