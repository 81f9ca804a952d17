package host

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Mount is a file system that is mounted, now and at boot, by a line of /etc/fstab (fstab(5)).
type Mount struct {
	Order `yaml:",inline"`

	Path    string   `yaml:"path,required"` // where; it is made when it is not there
	Source  string   `yaml:"source"`        // "UUID=...", "LABEL=...", a device by /dev/disk/by-id, "server:/path", "tmpfs"; empty only when absent
	FSType  string   `yaml:"fsType"`        // empty means ext4
	Options []string `yaml:"options"`       // empty means defaults
	Pass    int      `yaml:"pass"`          // order of fsck at boot: 1 for the root, 2 for others, 0 for never
	NoMount bool     `yaml:"noMount"`       // only the line in fstab; nothing is mounted now
	Absent  bool     `yaml:"absent"`        // not mounted, and no line in fstab; what is mounted is unmounted, which fails while it is in use
}

// ID returns "mount:PATH".
func (m Mount) ID() string { return "mount:" + m.Path }

// Check implements [Resource].
func (m Mount) Check() (ps lab.Problems) {
	checkPath(&ps, "path", m.Path)
	if m.Pass < 0 || m.Pass > 9 {
		ps.Add("pass", "is not between 0 and 9")
	}
	if m.Absent {
		return ps
	}
	if m.Source == "" {
		ps.Add("source", "is empty")
	}
	if isUnstableDevice(m.Source) {
		ps = append(ps, lab.Problem{Path: "source", Text: m.Source, Message: "names another disk after a reboot", Hint: "write UUID=..., LABEL=... or a path below /dev/disk/by-id"})
	}
	for field, s := range map[string]string{"source": m.Source, "fsType": m.FSType, "options": strings.Join(m.Options, "")} {
		if strings.ContainsAny(s, "\n\x00") || field != "source" && strings.ContainsAny(s, " \t,") {
			ps = append(ps, lab.Problem{Path: field, Text: s, Message: "holds a space, a comma or a newline"})
		}
	}
	return ps
}

// isUnstableDevice reports whether a device's name can change at a boot, as the kernel finds disks in another order.
func isUnstableDevice(dev string) bool {
	rest, ok := strings.CutPrefix(dev, "/dev/")
	for _, p := range []string{"sd", "hd", "vd", "nvme", "mmcblk"} {
		if ok && strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

func (m Mount) provides() []string { return []string{"path:/etc/fstab", "path:" + m.Path} }

func (m Mount) needs() []string { return []string{"path:/etc/fstab", "path:" + m.Path} }

// Observe implements [Resource].
func (m Mount) Observe(q *Questions) {
	q.Content("/etc/fstab")
	q.Path(m.Path)
	q.Mounts()
}

func (m Mount) line() string {
	options, fs := strings.Join(m.Options, ","), m.FSType
	if options == "" {
		options = "defaults"
	}
	if fs == "" {
		fs = "ext4"
	}
	return fmt.Sprintf("%s %s %s %s 0 %d\n", escapeMount(m.Source), escapeMount(m.Path), fs, options, m.Pass)
}

func escapeMount(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(s)
}

// Plan implements [Resource].
func (m Mount) Plan(o *Observation) ([]Op, error) {
	mounted := false
	for _, t := range o.Mounts() {
		mounted = mounted || t.Target == m.Path
	}
	var ops []Op
	if m.Absent && mounted {
		ops = append(ops, Op{Name: "unmount", Action: lab.Run, Cause: "is mounted", Risk: lab.RiskDisrupt, Script: "umount -- " + Quote(m.Path)})
	}
	st := o.Stat(m.Path)
	if !m.Absent && st.Type != NoFile && st.Type != DirFile {
		return nil, &lab.Error{Op: "mount", Hint: "move it away", Err: fmt.Errorf("%w: there is a %s", lab.ErrConflict, st.Type)}
	}
	e := edit{path: "/etc/fstab", create: true}
	edits, err := e.plan(o, func(lines []string) []string {
		var out []string
		found := false
		for _, l := range lines {
			f := strings.Fields(l)
			if len(f) < 2 || strings.HasPrefix(f[0], "#") || unescapeMount(f[1]) != m.Path {
				out = append(out, l)
				continue
			}
			if !found && !m.Absent {
				if strings.Join(strings.Fields(l), " ")+"\n" == m.line() {
					out = append(out, l)
				} else {
					out = append(out, m.line())
				}
			}
			found = true
		}
		if !found && !m.Absent {
			out = insert(out, len(out), m.line())
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	for _, op := range edits {
		op.Script += "\nsystemctl daemon-reload" // systemd makes its mount units from fstab when it reads its files
		ops = append(ops, op)
	}
	if !m.Absent && !m.NoMount && !mounted {
		ops = append(ops, Op{Name: "mounted", Action: lab.Run, Cause: "not mounted", Script: fmt.Sprintf("mkdir -p -m 0755 -- %[1]s\nmount -- %[1]s", Quote(m.Path))})
	}
	return ops, nil
}
