package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Sysctl is a kernel parameter: as it is now, and as it is set at boot by a line in a file of /etc/sysctl.d (sysctl.d(5)).
type Sysctl struct {
	Order `yaml:",inline"`

	Key   string `yaml:"key,required"` // "net.ipv4.ip_forward"; a slash stands for a dot within a name
	Value string `yaml:"value,required"`
	File  string `yaml:"file"` // empty means /etc/sysctl.d/90-lab.conf
}

// ID returns "sysctl:KEY".
func (s Sysctl) ID() string { return "sysctl:" + s.Key }

var sysctlPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+([./][A-Za-z0-9_@:-]+)+$`)

// Validate implements [Resource].
func (s Sysctl) Validate() (ps lab.Problems) {
	if !sysctlPattern.MatchString(s.Key) {
		ps = append(ps, lab.Problem{Path: "key", Text: s.Key, Message: "is not the name of a kernel parameter"})
	}
	if strings.TrimSpace(s.Value) == "" || strings.ContainsAny(s.Value, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "value", Text: s.Value, Message: "is empty, or more than one line"})
	}
	checkPath(&ps, "file", s.file())
	return ps
}

func (s Sysctl) file() string {
	if s.File == "" {
		return "/etc/sysctl.d/90-lab.conf"
	}
	return s.File
}

func (s Sysctl) provides() []string { return []string{"path:" + s.file()} }

func (s Sysctl) needs() []string { return []string{"path:" + s.file()} }

func (s Sysctl) fingerprint() string { return "sysctl " + s.Value }

// Observe implements [Resource].
func (s Sysctl) Observe(q *Query) {
	q.Sysctl(s.Key)
	q.Content(s.file())
}

// Plan implements [Resource].
func (s Sysctl) Plan(o *Observation) ([]Op, error) {
	line := Line{Path: s.file(), Line: s.Key + " = " + s.Value, Match: `^\s*-?` + regexp.QuoteMeta(s.Key) + `\s*=`, Create: true}
	ops, err := line.Plan(o)
	if err != nil {
		return nil, err
	}
	want := strings.Join(strings.Fields(s.Value), " ")
	if have, ok := o.Sysctl(s.Key); !ok || have != want {
		cause := "is " + have
		if !ok {
			cause = "the kernel has none of this name now; a module may bring it"
		}
		ops = append(ops, Op{Name: "now", Action: lab.Update, Cause: cause, Diff: fmt.Sprintf("-%s = %s\n+%s = %s\n", s.Key, have, s.Key, want),
			Script: "sysctl -q -w -- " + ssh.Quote(s.Key+"="+s.Value)})
	}
	return ops, nil
}

// KernelModule is a kernel module that is loaded now and at boot (modules-load.d(5)). One that is built into the kernel counts as loaded.
type KernelModule struct {
	Order `yaml:",inline"`

	Name string `yaml:"name,required"`
}

// ID returns "module:NAME".
func (m KernelModule) ID() string { return "module:" + m.Name }

// Validate implements [Resource].
func (m KernelModule) Validate() (ps lab.Problems) {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(m.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: m.Name, Message: "is not the name of a kernel module"})
	}
	return ps
}

// Resources implements [Set].
func (m KernelModule) Resources() []Resource {
	return []Resource{File{Path: "/etc/modules-load.d/lab-" + m.Name + ".conf", Content: m.Name + "\n"}, loadedModule{m.Name}}
}

// Observe implements [Resource]: its parts ask.
func (KernelModule) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (KernelModule) Plan(*Observation) ([]Op, error) { return nil, nil }

// loadedModule is the module in the kernel that runs.
type loadedModule struct{ name string }

func (m loadedModule) ID() string { return "module:" + m.name + "/loaded" }

func (loadedModule) Validate() lab.Problems { return nil }

// kernelName is the name under /sys/module, where a hyphen is an underscore.
func (m loadedModule) kernelName() string { return strings.ReplaceAll(m.name, "-", "_") }

func (m loadedModule) Observe(q *Query) { q.Module(m.kernelName()) }

func (m loadedModule) Plan(o *Observation) ([]Op, error) {
	if o.Module(m.kernelName()) {
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: "not loaded", Script: "modprobe -- " + ssh.Quote(m.name)}}, nil
}

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

// Reboot reboots the machine, after all other changes, when a package has asked for it (/run/reboot-required). A machine is rebooted at most
// once in a run.
type Reboot struct {
	Order `yaml:",inline"`
}

// ID returns "reboot:required".
func (Reboot) ID() string { return "reboot:required" }

// Validate implements [Resource].
func (Reboot) Validate() lab.Problems { return nil }

// Observe implements [Resource]: the facts tell.
func (Reboot) Observe(*Query) {}

// Plan implements [Resource].
func (Reboot) Plan(o *Observation) ([]Op, error) {
	if !o.Facts.RebootRequired {
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: "a package asked for it", Risk: lab.RiskDisrupt, Reboot: true}}, nil
}
