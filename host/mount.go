package host

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// fstab is the table of file systems that are mounted at boot, fstab(5).
const fstab = "/etc/fstab"

// Mount is a file system that is mounted now and, by a line of /etc/fstab (fstab(5)), at boot. It is
// an error if a different device or share is mounted at the path, as far as the source can be found;
// file systems without a device, such as tmpfs, are not distinguished. Of changed options, ro,
// noatime, nodiratime, nodev, nosuid and noexec apply at once when they are added, and all others at
// the next mount.
type Mount struct {
	Order `yaml:",inline"`

	Path    string   `yaml:"path,required"` // mount point; created if it does not exist
	Source  string   `yaml:"source"`        // "UUID=...", "LABEL=...", a path below /dev/disk/by-id, "server:/path" or "tmpfs"
	FSType  string   `yaml:"fsType"`        // empty means ext4
	Options []string `yaml:"options"`       // empty means defaults
	Pass    int      `yaml:"pass"`          // order of fsck at boot: 1 for the root, 2 for others, 0 for never
	NoMount bool     `yaml:"noMount"`       // only write the line in fstab, and mount nothing now
	Absent  bool     `yaml:"absent"`        // not mounted, and no line in fstab; unmounting fails while the file system is in use
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
		ps = append(ps, lab.Problem{Path: "source", Text: m.Source, Message: "may name a different disk after a reboot",
			Hint: "use UUID=..., LABEL=... or a path below /dev/disk/by-id"})
	}
	for field, s := range map[string]string{
		"source": m.Source, "fsType": m.FSType, "options": strings.Join(m.Options, ""),
	} {
		if strings.ContainsAny(s, "\n\x00") || field != "source" && strings.ContainsAny(s, " \t,") {
			ps = append(ps, lab.Problem{Path: field, Text: s, Message: "contains a space, a comma or a newline"})
		}
	}
	return ps
}

// isUnstableDevice reports whether the name of the device can change at a boot, because the kernel
// numbers disks in the order in which it finds them.
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

// onDevice reports whether the source is a device, named by its path or by a tag of its content.
func (m Mount) onDevice() bool {
	return !m.Absent && !m.NoMount && !m.binds() && (strings.HasPrefix(m.Source, "/dev/") || m.onTag())
}

func (m Mount) onTag() bool {
	return slices.ContainsFunc([]string{"UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="}, func(tag string) bool {
		return strings.HasPrefix(m.Source, tag)
	})
}

func (m Mount) binds() bool {
	return slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// other returns what is mounted in place of the source; "" if nothing else is known to be.
func (m Mount) other(o *Observation, mounted *MountState) string {
	switch {
	case mounted == nil:
		return ""
	case m.onDevice():
		return string(o.Probe(m.ID()).Output)
	case strings.Contains(m.Source, ":/") && strings.TrimRight(m.Source, "/") != strings.TrimRight(mounted.Source, "/"):
		return mounted.Source
	}
	return ""
}

// lacks returns the wanted options that the mount does not have, of those that every file system on a
// device supports (mount(8)).
func (m Mount) lacks(mounted *MountState) (options []string) {
	if mounted == nil || !m.onDevice() {
		return nil
	}
	for _, f := range []string{"ro", "noatime", "nodiratime", "nodev", "nosuid", "noexec"} {
		if slices.Contains(m.Options, f) && !slices.Contains(mounted.Options, f) {
			options = append(options, f)
		}
	}
	return options
}

// line returns the mount's line of fstab.
func (m Mount) line() string {
	options, fsType := cmp.Or(strings.Join(m.Options, ","), "defaults"), cmp.Or(m.FSType, "ext4")
	return fmt.Sprintf("%s %s %s %s 0 %d\n", escapeMount(m.Source), escapeMount(m.Path), fsType, options, m.Pass)
}

func escapeMount(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(s)
}

// Plan implements [Resource].
func (m Mount) Plan(o *Observation) ([]Op, error) {
	mounted := m.mounted(o)
	if err := m.refuse(o, mounted); err != nil {
		return nil, err
	}
	var ops []Op
	if m.Absent && mounted != nil {
		ops = append(ops, Op{Name: "unmount", Action: lab.Run, Cause: "is mounted", Risk: lab.RiskDisrupt,
			Script: "umount -- " + ssh.Quote(m.Path)})
	}
	edits, err := edit{path: fstab, create: true}.plan(o, m.editTable)
	if err != nil {
		return nil, err
	}
	for _, op := range edits {
		op.Script += "\nsystemctl daemon-reload" // systemd generates its mount units from fstab
		ops = append(ops, op)
	}
	if options := m.lacks(mounted); len(options) > 0 {
		ops = append(ops, Op{Name: "options", Action: lab.Update, Cause: "is mounted without " + strings.Join(options, ", "),
			Script: fmt.Sprintf("mount -o remount,%s -- %s", strings.Join(options, ","), ssh.Quote(m.Path))})
	}
	if !m.Absent && !m.NoMount && mounted == nil {
		ops = append(ops, Op{Name: "mounted", Action: lab.Run, Cause: "not mounted",
			Script: fmt.Sprintf("mkdir -p -m 0755 -- %[1]s\nmount -- %[1]s", ssh.Quote(m.Path))})
	}
	return ops, nil
}

// mounted returns what is mounted at the path, nil if nothing is. The last mount hides the others.
func (m Mount) mounted(o *Observation) (top *MountState) {
	for _, t := range o.Mounts() {
		if t.Target == m.Path {
			top = &t
		}
	}
	return top
}

// refuse returns an error if the path cannot be the mount point, because something else is there.
func (m Mount) refuse(o *Observation, mounted *MountState) error {
	if m.Absent {
		return nil
	}
	if other := m.other(o, mounted); other != "" && !m.NoMount {
		return &lab.Error{Op: "mount",
			Hint: "find out what is mounted there; if it is not wanted: umount " + ssh.Quote(m.Path),
			Err: fmt.Errorf("%w: %s is mounted there, not %s",
				lab.ErrConflict, lab.Printable(other), lab.Printable(m.Source))}
	}
	if st := o.Stat(m.Path); st.Type != NoFile && st.Type != DirFile {
		return &lab.Error{Op: "mount", Hint: "move it away",
			Err: fmt.Errorf("%w: the path is a %s", lab.ErrConflict, st.Type)}
	}
	return nil
}

// editTable returns the lines of fstab with the mount's line in place of any other for its path, or
// with none.
func (m Mount) editTable(lines []string) (out []string) {
	found := false
	for _, l := range lines {
		f := strings.Fields(l)
		switch {
		case len(f) < 2 || strings.HasPrefix(f[0], "#") || path.Clean(unescapeMount(f[1])) != m.Path:
			out = append(out, l)
			continue
		case found || m.Absent:
		case strings.Join(f, " ")+"\n" == m.line():
			out = append(out, l) // the same line up to white space
		default:
			out = append(out, m.line())
		}
		found = true
	}
	if !found && !m.Absent {
		out = insert(out, len(out), m.line())
	}
	return out
}
