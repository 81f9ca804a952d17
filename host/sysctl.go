package host

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Sysctl is a kernel parameter: its current value and, by a line in a file of /etc/sysctl.d (sysctl.d(5)),
// its value at boot. Of all the files that set it, the last one by name counts. If that is not File but
// one of somebody else's, such as /etc/sysctl.conf, which is read as 99-sysctl.conf, the line is also
// written to /etc/sysctl.d/zz-lab.conf.
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
		ps = append(ps, lab.Problem{Path: "value", Text: s.Value, Message: "is empty or more than one line"})
	}
	checkPath(&ps, "file", s.file())
	return ps
}

func (s Sysctl) file() string { return cmp.Or(s.File, "/etc/sysctl.d/90-lab.conf") }

// lateSysctls is read after the usual files, which are named 10-x to 99-x.
const lateSysctls = "/etc/sysctl.d/zz-lab.conf"

// Relations implements [Related].
func (s Sysctl) Relations() Relations {
	return Relations{
		Provides: []string{"path:" + s.file(), "path:" + lateSysctls},
		Needs:    []string{"path:" + s.file(), "path:" + lateSysctls},
		Claims:   []Claim{{Path: s.file(), Part: true}, {Path: lateSysctls, Part: true}},
	}
}

// Fingerprint implements [Fingerprinter].
func (s Sysctl) Fingerprint() string { return "sysctl " + s.Value }

// Observe implements [Resource].
func (s Sysctl) Observe(q *Query) {
	q.Sysctl(s.Key)
	q.Content(s.file())
	q.Content(lateSysctls)
}

// Plan implements [Resource].
func (s Sysctl) Plan(o *Observation) ([]Op, error) {
	ops, err := edit{path: s.file(), create: true}.plan(o, s.change)
	if err != nil {
		return nil, err
	}
	late, err := s.planLate(o)
	if err != nil {
		return nil, err
	}
	ops = append(ops, late...)
	if have, ok := o.Sysctl(s.Key); !ok || have != s.value() {
		cause := "is " + have
		if !ok {
			cause = "the kernel has no such parameter yet; a module may provide it"
		}
		ops = append(ops, Op{Name: "now", Action: lab.Update, Cause: cause,
			Diff:   fmt.Sprintf("-%s = %s\n+%s = %s\n", s.Key, have, s.Key, s.value()),
			Script: "sysctl -q -w -- " + ssh.Quote(s.Key+"="+s.Value)})
	}
	return ops, nil
}

func (s Sysctl) value() string { return strings.Join(strings.Fields(s.Value), " ") }

// planLate returns the op that sets the parameter after the file that would set another value at boot.
func (s Sysctl) planLate(o *Observation) ([]Op, error) {
	last := s.atBoot(o)
	if last.value == s.value() {
		return nil, nil
	}
	if path.Base(last.file) > path.Base(lateSysctls) {
		return nil, &lab.Error{Op: "set kernel parameter",
			Hint: "remove the line from it, or give the file a name that comes earlier",
			Err: fmt.Errorf("%w: %s sets %s = %s at boot, after all other files",
				lab.ErrConflict, lab.Printable(last.file), last.key, lab.Printable(last.value))}
	}
	late := s
	late.Key = cmp.Or(last.key, s.Key) // its other name: the same name with the same value keeps its place
	ops, err := edit{path: lateSysctls, create: true}.plan(o, late.change)
	for i := range ops {
		ops[i].Name, ops[i].Cause = "boot", "at boot "+lab.Printable(last.file)+" sets it to "+lab.Printable(last.value)
		if last.file == "" {
			ops[i].Cause = s.file() + " is not read at boot"
		}
	}
	return ops, err
}

// setting is a line of a file of sysctl.d(5).
type setting struct{ file, key, value string }

// atBoot returns the setting of the parameter that is made last at boot, once File contains the line.
// Files that another change of the plan writes are left out.
func (s Sysctl) atBoot(o *Observation) (last setting) {
	var made []setting // as systemd makes them: one that repeats the value of its name keeps its place
	for _, f := range s.files(o) {
		lines := o.confLines(f)
		if o.target(f) == s.file() {
			lines = s.change(lines)
		}
		for _, l := range lines {
			key, value, ok := sysctlLine(l)
			at := slices.IndexFunc(made, func(m setting) bool { return sysctlName(m.key) == sysctlName(key) })
			switch {
			case !ok || canonicalSysctl(key) != canonicalSysctl(s.Key), at >= 0 && made[at].value == value:
				continue
			case at >= 0:
				made = slices.Delete(made, at, at+1)
			}
			made = append(made, setting{f, key, value})
		}
	}
	if len(made) > 0 {
		last = made[len(made)-1]
	}
	return last
}

// files returns the files that are read at boot, in their order, with File among them if it will be read.
func (s Sysctl) files(o *Observation) []string {
	files, own := o.confFiles("sysctl.d"), s.file()
	if path.Dir(own) == "/etc/sysctl.d" && strings.HasSuffix(own, ".conf") {
		files = slices.DeleteFunc(files, func(f string) bool { return path.Base(f) == path.Base(own) })
		files = sortedByName(append(files, own))
	}
	return files
}

// canonicalSysctl returns the path of the parameter below /proc/sys, the same one for two that are the same.
func canonicalSysctl(key string) string {
	if name := sysctlName(key); name != "net/ipv4/conf/all/forwarding" {
		return name
	}
	return "net/ipv4/ip_forward"
}

// sysctlLine parses a line of a file of sysctl.d(5). Patterns are not expanded: systemd gives those
// parameters that a line names itself the value of that line, wherever it is.
func sysctlLine(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(strings.TrimSpace(line), "=")
	if strings.HasPrefix(key, "#") || strings.HasPrefix(key, ";") {
		return "", "", false
	}
	key = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(key), "-"))
	return key, strings.Join(strings.Fields(value), " "), ok
}

// change returns the lines with the last one for the parameter, which counts, replaced.
func (s Sysctl) change(lines []string) []string {
	text, end := s.Key+" = "+s.Value, lineEnd(lines)
	for i, l := range slices.Backward(lines) {
		if key, _, ok := sysctlLine(l); ok && canonicalSysctl(key) == canonicalSysctl(s.Key) {
			return slices.Concat(lines[:i], []string{replaced(l, text, end)}, lines[i+1:])
		}
	}
	return insertText(lines, len(lines), end, text)
}
