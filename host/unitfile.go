package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// UnitFile is the file of a systemd unit, in /etc/systemd/system. systemd reads it again when it changed; a [Unit] says whether the unit is
// enabled and runs, with this resource's file in its RestartOn.
type UnitFile struct {
	Order `yaml:",inline"`

	Name    string `yaml:"name,required"` // with its suffix: "backup.service"
	Content string `yaml:"content"`
	Absent  bool   `yaml:"absent"`
}

// ID returns "unitfile:NAME".
func (u UnitFile) ID() string { return "unitfile:" + u.Name }

// Path returns the file's path.
func (u UnitFile) Path() string { return "/etc/systemd/system/" + u.Name }

// Validate implements [Resource].
func (u UnitFile) Validate() (ps lab.Problems) {
	checkUnitName(&ps, "name", u.Name)
	checkUnitContent(&ps, u.Content, u.Absent)
	return ps
}

func checkUnitContent(ps *lab.Problems, content string, absent bool) {
	if !absent && !strings.Contains(content, "[") {
		ps.Add("content", "has no section; a unit's file has one, such as [Service]")
	}
}

// Resources implements [Set].
func (u UnitFile) Resources() []Resource {
	return []Resource{File{Path: u.Path(), Content: u.Content, Absent: u.Absent}}
}

// Observe implements [Resource]: its parts ask.
func (UnitFile) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (UnitFile) Plan(*Observation) ([]Op, error) { return nil, nil }

// DropIn is a file with settings that are added to a unit's own, in /etc/systemd/system/UNIT.d.
type DropIn struct {
	Order `yaml:",inline"`

	Unit    string `yaml:"unit,required"` // "k3s.service"
	Name    string `yaml:"name,required"` // of the file, without ".conf": "10-lab"
	Content string `yaml:"content"`
	Absent  bool   `yaml:"absent"`
}

// ID returns "dropin:UNIT/NAME".
func (d DropIn) ID() string { return "dropin:" + d.Unit + "/" + d.Name }

// Path returns the file's path.
func (d DropIn) Path() string { return "/etc/systemd/system/" + d.Unit + ".d/" + d.Name + ".conf" }

// Validate implements [Resource].
func (d DropIn) Validate() (ps lab.Problems) {
	checkUnitName(&ps, "unit", d.Unit)
	if !fileNamePattern.MatchString(d.Name) || len(d.Name) > 200 {
		ps = append(ps, lab.Problem{Path: "name", Text: d.Name, Message: "is not a name for a file: letters, digits, - _ and ."})
	}
	checkUnitContent(&ps, d.Content, d.Absent)
	return ps
}

// Resources implements [Set].
func (d DropIn) Resources() []Resource {
	f := File{Path: d.Path(), Content: d.Content, Absent: d.Absent}
	if d.Absent {
		return []Resource{f}
	}
	return []Resource{Directory{Path: "/etc/systemd/system/" + d.Unit + ".d"}, f}
}

// Observe implements [Resource]: its parts ask.
func (DropIn) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (DropIn) Plan(*Observation) ([]Op, error) { return nil, nil }

// Timer runs a command at times: a service of type oneshot, its timer, and the timer enabled and started (systemd.timer(5)).
type Timer struct {
	Order `yaml:",inline"`

	Name        string   `yaml:"name,required"`       // of both units, without suffix: "backup-postgres"
	Description string   `yaml:"description"`         // empty means the name
	OnCalendar  string   `yaml:"onCalendar,required"` // systemd.time(7): "daily", "*-*-* 04:00:00"
	Command     string   `yaml:"command,required"`    // ExecStart=, its first word an absolute path
	User        string   `yaml:"user"`                // empty means root
	Delay       string   `yaml:"delay"`               // RandomizedDelaySec=; empty means none
	NotMissed   bool     `yaml:"notMissed"`           // a run that was missed while the machine was off is left out; false makes it up at boot
	Service     []string `yaml:"service"`             // further lines of the [Service] section
	UnitLines   []string `yaml:"unit"`                // further lines of the service's [Unit] section
	Absent      bool     `yaml:"absent"`
}

// ID returns "timer:NAME".
func (t Timer) ID() string { return "timer:" + t.Name }

// Validate implements [Resource].
func (t Timer) Validate() (ps lab.Problems) {
	checkUnitName(&ps, "name", t.Name+".timer")
	if t.Absent {
		return ps
	}
	if !strings.HasPrefix(strings.TrimLeft(t.Command, "-@:+!"), "/") {
		ps = append(ps, lab.Problem{Path: "command", Text: t.Command, Message: "does not begin with an absolute path"})
	}
	if t.OnCalendar == "" {
		ps.Add("onCalendar", "is empty")
	}
	for field, lines := range map[string][]string{"description": {t.Description}, "onCalendar": {t.OnCalendar}, "command": {t.Command}, "user": {t.User}, "delay": {t.Delay}, "service": t.Service, "unit": t.UnitLines} {
		for _, l := range lines {
			if strings.ContainsAny(l, "\n\x00") {
				ps.Add(field, "holds a newline")
			}
		}
	}
	return ps
}

// Resources implements [Set].
func (t Timer) Resources() []Resource {
	service, timer := "/etc/systemd/system/"+t.Name+".service", "/etc/systemd/system/"+t.Name+".timer"
	if t.Absent {
		no := false
		return []Resource{
			Unit{Name: t.Name + ".timer", State: Stopped, Enabled: &no},
			File{Path: timer, Absent: true, unitDown: t.Name + ".timer"},
			File{Path: service, Absent: true, unitDown: t.Name + ".timer"},
		}
	}
	description := t.Description
	if description == "" {
		description = t.Name
	}
	section := func(name string, lines ...string) string {
		return "[" + name + "]\n" + strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l == "" }), "\n") + "\n"
	}
	setting := func(key, value string) string {
		if value == "" {
			return ""
		}
		return key + "=" + value
	}
	yes := true
	return []Resource{
		File{Path: service, Content: section("Unit", append([]string{"Description=" + description}, t.UnitLines...)...) + "\n" +
			section("Service", append([]string{"Type=oneshot", setting("User", t.User), "ExecStart=" + t.Command}, t.Service...)...)},
		File{Path: timer, Content: section("Unit", "Description="+description) + "\n" +
			section("Timer", "OnCalendar="+t.OnCalendar, fmt.Sprintf("Persistent=%t", !t.NotMissed), setting("RandomizedDelaySec", t.Delay)) + "\n" +
			section("Install", "WantedBy=timers.target")},
		Unit{Name: t.Name + ".timer", State: Started, Enabled: &yes, RestartOn: []string{"file:" + timer}},
	}
}

// Observe implements [Resource]: its parts ask.
func (Timer) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (Timer) Plan(*Observation) ([]Op, error) { return nil, nil }

// Cron is a line of cron in a file of its own, /etc/cron.d/NAME (cron(8)).
type Cron struct {
	Order `yaml:",inline"`

	Name     string            `yaml:"name,required"`     // letters, digits, - and _: cron does not read files with other names
	Schedule string            `yaml:"schedule,required"` // five fields, or @daily and the like (crontab(5))
	User     string            `yaml:"user"`              // empty means root
	Command  string            `yaml:"command,required"`  // one line; a % is a newline for cron unless it is escaped
	Env      map[string]string `yaml:"env"`               // MAILTO, PATH, ...
	Absent   bool              `yaml:"absent"`
}

// ID returns "cron:NAME".
func (c Cron) ID() string { return "cron:" + c.Name }

// Validate implements [Resource].
func (c Cron) Validate() (ps lab.Problems) {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(c.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: c.Name, Message: "is not a name that cron reads: letters, digits, - and _"})
	}
	if c.Absent {
		return ps
	}
	f := strings.Fields(c.Schedule)
	if strings.ContainsAny(c.Schedule, "\n\x00") || !(len(f) == 5 || len(f) == 1 && strings.HasPrefix(f[0], "@")) {
		ps = append(ps, lab.Problem{Path: "schedule", Text: c.Schedule, Message: "is not five fields", Hint: `"0 4 * * *" or "@daily"`})
	}
	if strings.TrimSpace(c.Command) == "" || strings.ContainsAny(c.Command, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "command", Text: c.Command, Message: "is empty, or more than one line"})
	}
	if c.User != "" {
		checkName(&ps, "user", c.User)
	}
	for k, v := range c.Env {
		if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(k) || strings.ContainsAny(v, "\n\x00") {
			ps = append(ps, lab.Problem{Path: "env." + k, Message: "is not the name of a variable, or its value holds a newline"})
		}
	}
	return ps
}

// Resources implements [Set].
func (c Cron) Resources() []Resource {
	f := File{Path: "/etc/cron.d/" + c.Name, Absent: c.Absent}
	if !c.Absent {
		var b strings.Builder
		for _, k := range sortedKeys(c.Env) {
			fmt.Fprintf(&b, "%s=%s\n", k, c.Env[k])
		}
		fmt.Fprintf(&b, "%s %s %s\n", strings.Join(strings.Fields(c.Schedule), " "), orRoot(c.User), c.Command)
		f.Content = b.String()
	}
	return []Resource{f}
}

// Observe implements [Resource]: its parts ask.
func (Cron) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (Cron) Plan(*Observation) ([]Op, error) { return nil, nil }
