package host

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// fstab is the table of mounts at boot, fstab(5).
const fstab = "/etc/fstab"

// Mount is a file system that is mounted, now and at boot, by a line of /etc/fstab (fstab(5)). Another device or
// share that is mounted there is refused, as far as the source can be found; what has no device, as tmpfs, is not told apart. Of
// options that change, ro, noatime, nodiratime, nodev, nosuid and noexec hold at once, where they are added, and all others from the next mount on.
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

// Validate implements [Resource].
func (m Mount) Validate() (ps lab.Problems) {
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

// Claims implements [Claimer].
func (m Mount) Claims() []Claim { return []Claim{{Path: fstab, Part: true}} }

// Provides implements [Provider].
func (m Mount) Provides() []string { return []string{"path:" + fstab, "path:" + m.Path} }

// Needs implements [Needer].
func (m Mount) Needs() []string { return []string{"path:" + fstab, "path:" + m.Path} }

// Observe implements [Resource].
func (m Mount) Observe(q *Query) {
	q.Content(fstab)
	q.Path(m.Path)
	q.Mounts()
	if m.onDevice() {
		q.Probe(m.ID(), shell("mounted", "source", m.Source, "path", m.Path))
	}
}

// onDevice reports whether the source is a device, by its path or what is on it.
func (m Mount) onDevice() bool {
	return !m.Absent && !m.NoMount && !m.binds() && (strings.HasPrefix(m.Source, "/dev/") || m.onTag())
}

func (m Mount) onTag() bool {
	return slices.ContainsFunc([]string{"UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="}, func(tag string) bool { return strings.HasPrefix(m.Source, tag) })
}

func (m Mount) binds() bool {
	return slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// another returns what is mounted in place of the source, "" when that is not known to be something else.
func (m Mount) another(o *Observation, live *MountState) string {
	switch {
	case live == nil:
		return ""
	case m.onDevice():
		return string(o.Probe(m.ID()).Output)
	case strings.Contains(m.Source, ":/") && strings.TrimRight(m.Source, "/") != strings.TrimRight(live.Source, "/"):
		return live.Source
	}
	return ""
}

// lacks returns the options that the mount is wanted with and does not have, of those that every file system of a device knows (mount(8)).
func (m Mount) lacks(live *MountState) (flags []string) {
	if live == nil || !m.onDevice() {
		return nil
	}
	for _, f := range []string{"ro", "noatime", "nodiratime", "nodev", "nosuid", "noexec"} {
		if slices.Contains(m.Options, f) && !slices.Contains(live.Options, f) {
			flags = append(flags, f)
		}
	}
	return flags
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
	var live *MountState // the last, which hides those below it
	for _, t := range o.Mounts() {
		if t.Target == m.Path {
			live = &t
		}
	}
	if other := m.another(o, live); other != "" && !m.Absent && !m.NoMount {
		return nil, &lab.Error{Op: "mount", Hint: "look at what is there; if it is not wanted there: umount " + ssh.Quote(m.Path),
			Err: fmt.Errorf("%w: it is the mount of %s, not of %s", lab.ErrConflict, lab.Printable(other), lab.Printable(m.Source))}
	}
	var ops []Op
	if m.Absent && live != nil {
		ops = append(ops, Op{Name: "unmount", Action: lab.Run, Cause: "is mounted", Risk: lab.RiskDisrupt, Script: "umount -- " + ssh.Quote(m.Path)})
	}
	st := o.Stat(m.Path)
	if !m.Absent && st.Type != NoFile && st.Type != DirFile {
		return nil, &lab.Error{Op: "mount", Hint: "move it away", Err: fmt.Errorf("%w: there is a %s", lab.ErrConflict, st.Type)}
	}
	e := edit{path: fstab, create: true}
	edits, err := e.plan(o, func(lines []string) []string {
		var out []string
		found := false
		for _, l := range lines {
			f := strings.Fields(l)
			if len(f) < 2 || strings.HasPrefix(f[0], "#") || path.Clean(unescapeMount(f[1])) != m.Path {
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
	if flags := m.lacks(live); len(flags) > 0 {
		ops = append(ops, Op{Name: "options", Action: lab.Update, Cause: "is mounted without " + strings.Join(flags, ", "),
			Script: fmt.Sprintf("mount -o remount,%s -- %s", strings.Join(flags, ","), ssh.Quote(m.Path))})
	}
	if !m.Absent && !m.NoMount && live == nil {
		ops = append(ops, Op{Name: "mounted", Action: lab.Run, Cause: "not mounted", Script: fmt.Sprintf("mkdir -p -m 0755 -- %[1]s\nmount -- %[1]s", ssh.Quote(m.Path))})
	}
	return ops, nil
}
