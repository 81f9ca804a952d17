package host

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Timer runs a command on a schedule: a oneshot service and a timer, which is enabled and started
// (systemd.timer(5)).
type Timer struct {
	Order `yaml:",inline"`
	composite

	Name        string   `yaml:"name,required"`       // of both units, without suffix: "backup-postgres"
	Description string   `yaml:"description"`         // empty means the name
	OnCalendar  string   `yaml:"onCalendar,required"` // systemd.time(7): "daily", "*-*-* 04:00:00"
	Command     string   `yaml:"command,required"`    // ExecStart=, its first word an absolute path
	User        string   `yaml:"user"`                // empty means root
	Delay       string   `yaml:"delay"`               // RandomizedDelaySec=; empty means none
	NotMissed   bool     `yaml:"notMissed"`           // skip a run that was missed while the machine was off; false runs it at boot
	Service     []string `yaml:"service"`             // additional lines of the [Service] section
	UnitLines   []string `yaml:"unit"`                // additional lines of the service's [Unit] section
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
		ps = append(ps, lab.Problem{Path: "command", Text: t.Command, Message: "does not start with an absolute path"})
	}
	checkCalendar(&ps, "onCalendar", t.OnCalendar)
	checkTimespan(&ps, "delay", t.Delay)
	for field, lines := range map[string][]string{
		"description": {t.Description}, "onCalendar": {t.OnCalendar}, "command": {t.Command}, "user": {t.User},
		"delay": {t.Delay}, "service": t.Service, "unit": t.UnitLines,
	} {
		for _, l := range lines {
			if strings.ContainsAny(l, "\n\x00") {
				ps.Add(field, "contains a newline")
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
	description := cmp.Or(t.Description, t.Name)
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
	serviceLines := append([]string{"Type=oneshot", setting("User", t.User), "ExecStart=" + t.Command}, t.Service...)
	timerLines := []string{
		"OnCalendar=" + t.OnCalendar, fmt.Sprintf("Persistent=%t", !t.NotMissed), setting("RandomizedDelaySec", t.Delay),
	}
	return []Resource{
		File{Path: service, Content: section("Unit", append([]string{"Description=" + description}, t.UnitLines...)...) +
			"\n" + section("Service", serviceLines...)},
		File{Path: timer, Content: section("Unit", "Description="+description) +
			"\n" + section("Timer", timerLines...) +
			"\n" + section("Install", "WantedBy=timers.target")},
		Unit{Name: t.Name + ".timer", State: Started, Enabled: &yes, RestartOn: []string{"file:" + timer}},
	}
}
