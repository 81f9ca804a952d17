package host

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// KernelCmdline adds words to the kernel command line of a Raspberry Pi: to the one line of its
// cmdline.txt. Existing words are never removed. On other machines, which have no such file, it does
// nothing.
//
// A change asks for a reboot, once: the boot before it is noted in /var/lib/lab/cmdline. If the running kernel
// still lacks the words, or has them and lacks a cgroup controller listed in Controllers, no reboot fixes that,
// and planning fails: the firmware reads another file (cmdline= or os_prefix= in config.txt), or the kernel has
// a bug (raspberrypi/linux issue 5933).
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
		if key, _, _ := strings.Cut(w, "="); slices.Contains([]string{"root", "rootfstype", "init", "ro", "rw"}, key) {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("words[%d]", i), Text: w, Hint: "change it by hand",
				Message: "says what the machine boots from, and a second one would count instead of the first"})
		}
	}
	return ps
}

// Observe implements [Resource].
func (k KernelCmdline) Observe(q *Query) {
	for _, f := range cmdlineFiles {
		q.Content(f)
	}
	q.Content(cmdlineNote)
}

// cmdlineNote is the file that notes in which boot a reboot for the words was asked for: the boot ID, and the words.
const cmdlineNote = "/var/lib/lab/cmdline"

// note returns the content of the note of this boot.
func (k KernelCmdline) note(o *Observation) string {
	return o.Facts.BootID + " " + strings.Join(k.Words, " ") + "\n"
}

// rebooted reports whether the machine has booted since the words were in the file.
func (k KernelCmdline) rebooted(o *Observation) bool {
	noted, ok := o.Content(cmdlineNote)
	boot, words, _ := strings.Cut(strings.TrimSuffix(string(noted), "\n"), " ")
	return ok && boot != o.Facts.BootID && words == strings.Join(k.Words, " ")
}

// writeNote returns the script that writes the note. It is on disk before the reboot.
func (k KernelCmdline) writeNote(o *Observation) string {
	return shell("cmdline-note", "note", k.note(o), "file", cmdlineNote)
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
	lacking := missing(k.Words, strings.Fields(o.Facts.Cmdline))
	if added := missing(k.Words, have); len(added) > 0 {
		ops, err := writeCmdline(o, file, have, added)
		if err != nil {
			return nil, err
		}
		ops[0].Script += "\n" + k.writeNote(o)
		ops[0].Temps = []string{cmdlineNote + ".tmp"}
		return append(ops, k.reboot(lacking)...), nil
	}
	switch {
	case len(lacking) == 0:
		return nil, k.verifyControllers(o.Facts, file, have)
	case k.rebooted(o):
		return nil, &lab.Error{Op: "change kernel command line",
			Hint: "see which file the firmware reads: cmdline= and os_prefix= in " + path.Dir(file) + "/config.txt",
			Err: fmt.Errorf("%w: %s has %s, and the machine has booted since, and its kernel lacks it", lab.ErrConflict,
				file, strings.Join(lacking, " "))}
	case !k.Reboot:
		return nil, nil
	}
	var ops []Op
	if noted, _ := o.Content(cmdlineNote); string(noted) != k.note(o) {
		ops = append(ops, Op{Name: "note", Action: lab.Create, Cause: "a reboot that changes nothing must not be repeated",
			Script: k.writeNote(o), Temps: []string{cmdlineNote + ".tmp"}})
	}
	return append(ops, k.reboot(lacking)...), nil
}

// reboot returns the op that reboots for the words that the running kernel lacks.
func (k KernelCmdline) reboot(lacking []string) []Op {
	if len(lacking) == 0 || !k.Reboot {
		return nil
	}
	return []Op{{Name: "reboot", Action: lab.Run, Risk: lab.RiskDisrupt, Reboot: true,
		Cause: "the running kernel lacks " + strings.Join(lacking, " ")}}
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

// verifyControllers returns an error if the running kernel lacks one of the controllers. The firmware puts
// cgroup_disable=memory before the words of the file; in the file, after them, it counts.
func (k KernelCmdline) verifyControllers(f Facts, file string, have []string) error {
	lacking := missing(k.Controllers, strings.Fields(f.Controllers))
	if len(lacking) == 0 {
		return nil
	}
	if off := "cgroup_disable=" + lacking[0]; slices.Contains(have, off) {
		return &lab.Error{Op: "enable cgroup controller", Hint: "remove the word by hand, and reboot",
			Err: fmt.Errorf("%w: %s has %s", lab.ErrConflict, file, off)}
	}
	return &lab.Error{Op: "enable cgroup controller",
		Hint: "this kernel ignores its command line: install another one (raspberrypi/linux issue 5933)",
		Err:  fmt.Errorf("%w: the controller %s", lab.ErrNotFound, lacking[0])}
}
