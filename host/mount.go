package host

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// fstab is the table of file systems that are mounted at boot, fstab(5).
const fstab = "/etc/fstab"

// Mount is a file system that is mounted now and, by a line of /etc/fstab (fstab(5)), at boot. What the
// kernel resolves is compared: a path through symbolic links stands for the mount point that it leads to,
// a label or a name for the device that has it.
//
// It is an error if something else is mounted at the path, as far as the source can be found, or if
// another unit decides what is mounted there at boot. With the option nofail a device that is not there is
// not mounted, and that is no error; with x-systemd.automount the mount that waits for the first access
// counts.
//
// Changed options apply at once, by a remount, as far as the file system allows that. Those that it shows
// are compared at every run: ro, noatime, nodev, nosuid, noexec and the like, and the size of a tmpfs. All
// others are compared with fstab.
type Mount struct {
	Order `yaml:",inline"`

	Path    string   `yaml:"path,required"` // mount point; created if it does not exist
	Source  string   `yaml:"source"`        // "UUID=...", "LABEL=...", a path below /dev/disk/by-id, "server:/path" or "tmpfs"
	FSType  string   `yaml:"fsType"`        // empty means ext4
	Options []string `yaml:"options"`       // empty means defaults
	Pass    int      `yaml:"pass"`          // order of fsck at boot: 1 for the root, 2 for others, 0 for never
	NoMount bool     `yaml:"noMount"`       // only write the line in fstab, and mount nothing now
	Absent  bool     `yaml:"absent"`        // not mounted, and no line in fstab; unmounting fails while the file system is in use

	// ByUUID has fstab name the file system by its UUID, which only a copy of the disk shares, while Source
	// says which it is now, by a label or a path.
	ByUUID bool `yaml:"byUUID"`

	// Immutable makes the directory of the mount point immutable (chattr(1), +i), so that nothing is
	// written into it while the file system is not mounted, onto another disk. If it is not empty
	// then, the mount would hide what is in it, and is refused.
	Immutable bool `yaml:"immutable"`

	entry string // what fstab names instead of Source; empty means Source
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
	if m.ByUUID && !m.namesDevice() {
		ps.Add("byUUID", "requires a source that is a device: LABEL=... or a path below /dev/disk/by-id")
	}
	if m.Immutable && m.Path == "/" {
		ps.Add("immutable", "is not possible for the root directory")
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

// Relations implements [Related].
func (m Mount) Relations() Relations {
	return Relations{
		Provides: []string{"path:" + fstab, "path:" + m.Path},
		Needs:    []string{"path:" + fstab, "path:" + m.Path},
		Claims:   []Claim{{Path: fstab, Part: true}},
	}
}

// Observe implements [Resource].
func (m Mount) Observe(q *Query) {
	q.Content(fstab)
	q.Path(m.Path)
	q.MountPoint(m.Path)
	if unit := mountUnit(m.Path, ".mount"); !m.Absent && len(unit) <= maxUnitName {
		q.Unit(unit) // of a longer path systemd hashes the name
	}
	if m.Immutable && !m.Absent {
		q.Probe(m.beneath(), shell("beneath", "path", m.Path))
	}
	if m.onDevice() || m.ByUUID && m.namesDevice() || m.binds() && !m.Absent && !m.NoMount {
		bind, uuid := "", ""
		if m.binds() {
			bind = "yes"
		}
		if m.ByUUID {
			uuid = "yes"
		}
		q.Probe(m.ID(), shell("mounted", "source", m.Source, "path", m.Path, "bind", bind, "uuid", uuid))
	}
}

// onDevice reports whether a device is to be mounted now.
func (m Mount) onDevice() bool { return m.namesDevice() && !m.NoMount }

// namesDevice reports whether the source is a device, named by its path or by a tag of its content.
func (m Mount) namesDevice() bool {
	return !m.Absent && !m.binds() && (strings.HasPrefix(m.Source, "/dev/") || m.onTag())
}

func (m Mount) onTag() bool {
	return slices.ContainsFunc([]string{"UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="}, func(tag string) bool {
		return strings.HasPrefix(m.Source, tag)
	})
}

func (m Mount) binds() bool { return m.has("bind") || m.has("rbind") }

func (m Mount) has(option string) bool { return slices.Contains(m.Options, option) }

// automounted reports whether systemd mounts it at the first access.
func (m Mount) automounted() bool { return m.has("x-systemd.automount") }

// device returns the path and the number, as in "8:1", of the device that the source names; "" if it was
// not found.
func (m Mount) device(o *Observation) (name, number string) {
	f := strings.Fields(string(o.Probe(m.ID()).Output))
	if !m.onDevice() || len(f) < 3 {
		return "", ""
	}
	return f[0], fmt.Sprintf("%d:%d", parseUint(f[1], 16), parseUint(f[2], 16))
}

// other returns what is mounted in place of the source; "" if nothing else is known to be.
func (m Mount) other(o *Observation, mounted *MountState) string {
	is := ""
	if mounted != nil {
		is = strings.TrimRight(mounted.Source, "/")
	}
	switch name, number := m.device(o); {
	case mounted == nil:
	case m.binds():
		if strings.TrimSpace(string(o.Probe(m.ID()).Output)) == "other" {
			return mounted.Source
		}
	case m.onDevice():
		// The number of a btrfs is that of no device, and its device may be any of several.
		if name != "" && name != is && number != mounted.device && mounted.FSType != "btrfs" {
			return mounted.Source
		}
	case strings.Contains(m.Source, ":/"):
		if strings.TrimRight(m.Source, "/") != is {
			return mounted.Source
		}
	case strings.HasPrefix(is, "/dev/") && mounted.FSType != m.FSType:
		return mounted.Source
	}
	return ""
}

// line returns the mount's line of fstab.
func (m Mount) line() string {
	options, fsType := cmp.Or(strings.Join(m.Options, ","), "defaults"), cmp.Or(m.FSType, "ext4")
	return fmt.Sprintf("%s %s %s %s 0 %d\n", escapeMount(m.source()), escapeMount(m.Path), fsType, options, m.Pass)
}

func escapeMount(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(s)
}

// Plan implements [Resource].
func (m Mount) Plan(o *Observation) ([]Op, error) {
	stack := o.mountsAt(m.Path)
	if m.Absent {
		ops := m.unmount(o, stack)
		edits, err := m.edit(o)
		return append(ops, edits...), err
	}
	mounted, waiting, err := m.shown(stack)
	if err == nil {
		err = m.refuse(o, mounted)
	}
	if err != nil {
		return nil, err
	}
	m, ready, err := m.named(o)
	if err != nil {
		return nil, err
	}
	// Nothing is written into the directory before it is mounted, also if the power is cut between.
	ops, err := m.protect(o, mounted != nil)
	if err != nil {
		return nil, err
	}
	// The options are changed before fstab is, so that a run that was cut off between finds both to do.
	if op, ok := m.remount(o, mounted); ok {
		ops = append(ops, op)
	}
	edits, err := m.edit(o)
	if err != nil {
		return nil, err
	}
	for i := range edits {
		if !ready {
			edits[i] = Op{Action: lab.Update, Deferred: true, Diff: edits[i].Diff,
				Cause: "the file system does not exist yet, an earlier change may create it"}
		}
	}
	ops = append(ops, edits...)
	if op, ok := m.mount(o, mounted, waiting); ok {
		ops = append(ops, op)
	}
	return ops, nil
}

// edit returns the op that changes fstab.
func (m Mount) edit(o *Observation) ([]Op, error) {
	ops, err := edit{path: fstab, create: true}.plan(o, func(lines []string) []string { return m.editTable(o, lines) })
	for i := range ops {
		ops[i].Script += "\nsystemctl daemon-reload" // systemd generates its mount units from fstab
	}
	return ops, err
}

// shown returns what is mounted at the path; nil if nothing is. waiting means that systemd mounts it at
// the first access.
func (m Mount) shown(stack []MountState) (mounted *MountState, waiting bool, err error) {
	if len(stack) == 0 {
		return nil, false, nil
	}
	top := stack[len(stack)-1]
	switch {
	case top.FSType != "autofs":
		return &top, false, nil
	case top.Source == "systemd-1":
		return nil, true, nil
	}
	return nil, false, &lab.Error{Op: "mount", Hint: "configure it there, or take the path away from it",
		Err: fmt.Errorf("%w: an automounter, %s, decides what is mounted there",
			lab.ErrConflict, lab.Printable(top.Source))}
}

// unmount returns the op that unmounts everything that is stacked at the path.
func (m Mount) unmount(o *Observation, stack []MountState) []Op {
	if len(stack) == 0 {
		return nil
	}
	op := Op{Name: "unmount", Action: lab.Run, Cause: "is mounted", Risk: lab.RiskDisrupt}
	automount := ""
	for _, t := range stack {
		if t.FSType == "autofs" {
			automount = "systemctl stop -- " + ssh.Quote(mountUnit(o.resolve(m.Path), ".automount"))
			continue
		}
		op.Script += "umount -- " + ssh.Quote(m.Path) + "\n"
	}
	op.Script += automount
	return []Op{op}
}

// mount returns the op that mounts the file system.
func (m Mount) mount(o *Observation, mounted *MountState, waiting bool) (op Op, ok bool) {
	if m.NoMount || mounted != nil || waiting && m.automounted() {
		return op, false
	}
	op = Op{Name: "mounted", Action: lab.Run, Cause: "not mounted",
		Script: fmt.Sprintf("mkdir -p -m 0755 -- %[1]s\nmount -- %[1]s", ssh.Quote(m.Path))}
	if name, _ := m.device(o); m.onDevice() && name == "" && m.has("nofail") {
		op.Deferred = true // an earlier change may provide the device
		return op, o.CanDefer()
	}
	if m.automounted() {
		op.Cause = "nothing waits for the first access"
		op.Script = "systemctl start -- " + ssh.Quote(mountUnit(o.resolve(m.Path), ".automount"))
	}
	if waiting {
		op.Cause = "is only mounted when it is accessed"
		op.Script = "systemctl stop -- " + ssh.Quote(mountUnit(o.resolve(m.Path), ".automount")) + "\n" + op.Script
	}
	return op, true
}

// remount returns the op that changes the options of what is mounted.
func (m Mount) remount(o *Observation, mounted *MountState) (op Op, ok bool) {
	if mounted == nil || m.NoMount {
		return op, false
	}
	var without, with, pass []string
	have := mounted.flags()
	for i, flag := range wantedFlags(m.Options) {
		switch {
		case flag.option == have[i]:
		case !flag.named && (m.binds() || mounted.setsFlags()):
			flag.option = have[i]
		case flag.shown:
			without = append(without, flag.option)
		default:
			with = append(with, have[i])
		}
		pass = append(pass, flag.option)
	}
	for _, option := range m.Options {
		if ofFileSystem(option) {
			pass = append(pass, option)
		}
	}
	if size := mounted.resized(m.Options, o.Facts.Memory); size != "" {
		without = append(without, "size="+size)
		if value(m.Options, "size") == "" {
			pass = append(pass, "size="+size)
		}
	}
	if added, _ := m.changed(o, mounted); len(added) > 0 && len(without) == 0 {
		without = append(without, added...)
	}
	var causes []string
	if len(without) > 0 {
		causes = append(causes, "without "+strings.Join(without, ", "))
	}
	if len(with) > 0 {
		causes = append(causes, "with "+strings.Join(with, ", "))
	}
	how := "remount,"
	if m.binds() {
		how = "remount,bind," // of this mount alone, not of the file system that it shows
	}
	return Op{Name: "options", Action: lab.Update, Cause: "is mounted " + strings.Join(causes, " and "),
		Script: fmt.Sprintf("mount -o %s -- %s %s", ssh.Quote(how+strings.Join(pass, ",")),
			ssh.Quote(mounted.Source), ssh.Quote(m.Path))}, len(causes) > 0
}

// changed returns the options of the file system that the mount has and fstab does not, and those that
// fstab has, the mount table shows and the mount no longer has.
func (m Mount) changed(o *Observation, mounted *MountState) (added, removed []string) {
	table, _ := o.Content(fstab)
	var old []string
	found := false
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); m.isLine(o, f) && len(f) > 3 {
			old, found = strings.Split(f[3], ","), true
		}
	}
	if !found {
		return nil, nil
	}
	for _, option := range m.Options {
		if ofFileSystem(option) && !slices.Contains(old, option) && !slices.Contains(mounted.Options, option) {
			added = append(added, option)
		}
	}
	for _, option := range old {
		key, _, _ := strings.Cut(option, "=")
		wanted := value(m.Options, key) != "" || m.has(option)
		if ofFileSystem(option) && !wanted && slices.Contains(mounted.Options, option) {
			removed = append(removed, option)
		}
	}
	return added, removed
}

// refuse returns an error if the path cannot be the mount point, or not with these options.
func (m Mount) refuse(o *Observation, mounted *MountState) error {
	unit := mountUnit(m.Path, ".mount")
	switch st := o.Unit(unit); {
	case st.Load == "masked":
		return &lab.Error{Op: "mount", Hint: "systemctl unmask " + ssh.Quote(unit),
			Err: fmt.Errorf("%w: %s is masked, so that it is not mounted at boot", lab.ErrConflict, unit)}
	case strings.HasPrefix(st.Fragment, "/etc/systemd/system/"), strings.HasPrefix(st.Fragment, "/run/systemd/system/"):
		return &lab.Error{Op: "mount", Hint: "remove either the unit file or the mount",
			Err: fmt.Errorf("%w: %s decides what is mounted there at boot, not fstab", lab.ErrConflict, st.Fragment)}
	}
	leads := o.resolve(m.Path) != m.Path // a link, to where it is mounted
	if st := o.Stat(m.Path); st.Type != NoFile && st.Type != DirFile && !(st.Type == LinkFile && leads) {
		return &lab.Error{Op: "mount", Hint: "move it away",
			Err: fmt.Errorf("%w: the path is a %s", lab.ErrConflict, st.Type)}
	}
	if mounted == nil || m.NoMount {
		return nil
	}
	umount := "umount " + ssh.Quote(m.Path)
	if other := m.other(o, mounted); other != "" {
		return &lab.Error{Op: "mount", Hint: "find out what is mounted there; if it is not wanted: " + umount,
			Err: fmt.Errorf("%w: %s is mounted there, not %s",
				lab.ErrConflict, lab.Printable(other), lab.Printable(m.Source))}
	}
	// A file system that was mounted read-only has the option as its own and as that of the mount.
	if m.onDevice() && slices.Contains(mounted.super, "ro") && slices.Contains(mounted.Options, "rw") {
		return &lab.Error{Op: "mount",
			Hint: "look for its errors in the kernel's log: journalctl -k; then " + umount + ", and check it",
			Err:  fmt.Errorf("%w: the kernel made the file system read-only", lab.ErrConflict)}
	}
	fixed := mounted.atMount(m.Options)
	if _, removed := m.changed(o, mounted); len(removed) > 0 {
		fixed = strings.Join(removed, ", ")
	}
	if fixed != "" {
		return &lab.Error{Op: "change options", Hint: umount + ", and run it again",
			Err: fmt.Errorf("%w: the option %s can only change when it is mounted again", lab.ErrConflict, fixed)}
	}
	return nil
}

// isLine reports whether the fields are those of a line of fstab for the mount's path.
func (m Mount) isLine(o *Observation, f []string) bool {
	return len(f) > 1 && !strings.HasPrefix(f[0], "#") && o.resolve(unescapeMount(f[1])) == o.resolve(m.Path)
}

// editTable returns the lines of fstab with the mount's line in place of any other for its path, or
// with none.
func (m Mount) editTable(o *Observation, lines []string) (out []string) {
	found := false
	for _, l := range lines {
		f := strings.Fields(l)
		switch {
		case !m.isLine(o, f):
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
